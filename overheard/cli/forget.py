"""``overheard forget``: erases on request all of an author, or all of a workspace."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click
import msgspec

from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.dead_letters.replay import gather
from overheard.cli.output import Column, line
from overheard.db import forgetting, workspaces
from overheard.db.connect import Db
from overheard.operations.wording import counted
from overheard.program import Program

NAME = re.compile(r"(?:/?u/)?([A-Za-z0-9_-]{1,50})")
WORDS = {
    "items": "Posts and comments",
    "mentions": "Mentions",
    "deliveries": "Deliveries",
    "digests": "Digests, not sent yet, that said nothing else",
    "letters": "Dead letters",
    "channels": "Channels, with their secrets",
    "queries": "Queries",
    "feeds": "Subreddits that nobody else looks at",
}


class Author(click.ParamType[str]):
    """A Reddit name, with or without ``u/`` in front."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> str:
        match = NAME.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a Reddit name: letters, digits, _ and -, as in u/some_body", param, context)
        return match[1]


@click.command
@click.option("--author", type=Author(), help="Erase all that u/NAME wrote, and store nothing of theirs any more.")
@click.option("--workspace", "slug", metavar="SLUG", help="Erase a workspace with all that is its own.")
@click.option("--undo", is_flag=True, help="With --author: store again what they write from now on.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", "-y", is_flag=True, help="Without asking.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def forget(
    context: click.Context, author: str | None, slug: str | None, undo: bool, dry_run: bool, yes: bool, format: str
) -> None:
    """Erase an author or a workspace, and print what was erased.

    It may run beside a working system, and be interrupted and run again. What was sent already, logs and backups are
    out of its reach.
    """
    if (author is None) == (slug is None):
        raise click.UsageError("name one of --author and --workspace")
    if undo and (author is None or dry_run):
        raise click.UsageError("--undo goes with --author alone")
    with open_app(context) as program:
        if author is not None and undo:
            _undo(program.db, author, format)
            return
        gather(program)
        if author is not None:
            _author(program, author, dry_run, yes, format)
        elif slug is not None:
            _workspace(program, slug, dry_run, yes, format)


def _author(program: Program, name: str, dry_run: bool, yes: bool, format: str) -> None:
    db, who = program.db, f"u/{name}"
    found = forgetting.count_author(db, "reddit", name)
    if not dry_run:
        if not yes:
            click.confirm(
                f"Erase {counted(found.items, 'item')} of {who}, and store nothing of theirs any more?",
                abort=True,
                err=True,
            )
        found = forgetting.author(db, "reddit", name, program.clock())
    _print({"author": name}, who, found, dry_run, format)
    if format == "table" and not dry_run:
        line(("  Of the name only a hash is kept, so that the next reading does not bring it all back.", "dim"))
        line(("  To store again what they write: ", "dim"), f"overheard forget --author {name} --undo")


def _workspace(program: Program, slug: str, dry_run: bool, yes: bool, format: str) -> None:
    db = program.db
    row = workspaces.by_name(db, slug)
    found = forgetting.count_workspace(db, row.id)
    if not dry_run:
        if not yes:
            what = f"{counted(found.mentions, 'mention')}, {counted(found.channels, 'channel')}"
            click.confirm(f"Erase the workspace {slug} for good ({what})?", abort=True, err=True)
        found = forgetting.workspace(db, row.id, program.clock())
    _print({"workspace": slug}, slug, found, dry_run, format)


def _undo(db: Db, name: str, format: str) -> None:
    was = forgetting.remember_author(db, "reddit", name)
    if format == "json":
        output.print_json({"author": name, "was_forgotten": was})
    elif was:
        line(("✓ ", "green"), (f"u/{name}", "bold"), " is stored again, from the next reading on.")
    else:
        line(f"u/{name} was not forgotten; nothing has changed.")


def _print(whom: Mapping[str, str], name: str, tally: msgspec.Struct, dry_run: bool, format: str) -> None:
    counts = msgspec.structs.asdict(tally)
    if format == "json":
        output.print_json({**whom, "dry_run": dry_run, "erased": counts})
        return
    if dry_run:
        line("Of ", (name, "bold"), " there would go (nothing has been erased):")
    else:
        line(("✓ ", "green"), (name, "bold"), " is forgotten. What was erased:")
    output.print_table(output.table(_rows(counts), COLUMNS, header=False))


def _rows(counts: Mapping[str, int]) -> Iterable[tuple[str, int]]:
    return [(WORDS[key], counts[key]) for key in WORDS if key in counts]


COLUMNS = (
    Column("", lambda row: f"  {row[0]}"),
    Column("", lambda row: f"{row[1]:,}", {"justify": "right"}),
)
