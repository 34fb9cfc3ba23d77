"""``overheard forget``: erases on request all of an author, or all of a workspace."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

import click
import msgspec

from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.dead_letters.replay import gather
from overheard.cli.output import Column, line
from overheard.db import erasure_requests
from overheard.db.database import Db
from overheard.errors import InvalidInput
from overheard.operations import workspaces
from overheard.operations.wording import counted
from overheard.process import RunningProcess
from overheard.sources.registry import SOURCES, author_label, watchable

WORDS = {
    "items": "Posts and comments",
    "mentions": "Mentions",
    "deliveries": "Deliveries",
    "digests": "Digests, not sent yet, that said nothing else",
    "letters": "Dead letters",
    "channels": "Channels, with their secrets",
    "queries": "Queries",
    "feeds": "Feeds that nobody else looks at",
}


@click.command
@click.option("--author", metavar="NAME", help="Erase all that NAME wrote, and store nothing of theirs any more.")
@click.option(
    "--source", type=click.Choice(watchable()), default="reddit", show_default=True, help="Where NAME writes."
)
@click.option("--workspace", "slug", metavar="SLUG", help="Erase a workspace with all that is its own.")
@click.option("--undo", is_flag=True, help="With --author: store again what they write from now on.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", "-y", is_flag=True, help="Without asking.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def forget(
    context: click.Context,
    author: str | None,
    source: str,
    slug: str | None,
    undo: bool,
    dry_run: bool,
    yes: bool,
    format: str,
) -> None:
    """Erase an author or a workspace, and print what was erased.

    It may run beside a working system, and be interrupted and run again. What was sent already, logs and backups are
    out of its reach.
    """
    if (author is None) == (slug is None):
        raise click.UsageError("name one of --author and --workspace")
    if undo and (author is None or dry_run):
        raise click.UsageError("--undo goes with --author alone")
    if author is not None:
        try:
            author = SOURCES[source].check_author(author)
        except InvalidInput as error:
            raise click.BadParameter(str(error), param_hint="--author") from None
    with open_app(context) as program:
        if author is not None and undo:
            _undo(program.db, source, author, format)
            return
        gather(program)
        erasure = _of_author(program, source, author) if author is not None else _of_workspace(program, slug or "")
        erased = erasure.found
        if not dry_run:
            if not yes:
                click.confirm(erasure.question, abort=True, err=True)
            erased = erasure.erase()
    _print(erasure, erased, dry_run, format)
    if author is not None and format == "table" and not dry_run:
        line(("  Of the name only a hash is kept, so that the next reading does not bring it all back.", "dim"))
        options = ["--author", author, *(["--source", source] if source != "reddit" else []), "--undo"]
        line(("  To store again what they write: ", "dim"), f"overheard forget {shlex.join(options)}")


class Erasure(NamedTuple):
    """What is to be erased: whose (by the keys of the JSON, and for people), how much there is, and how it is done."""

    whom: dict[str, str]
    label: str
    question: str
    found: msgspec.Struct
    erase: Callable[[], msgspec.Struct]


def _of_author(program: RunningProcess, source: str, name: str) -> Erasure:
    db, label = program.db, author_label(source, name)
    found = erasure_requests.count_author(db, source, name)
    question = f"Erase {counted(found.items, 'item')} of {label}, and store nothing of theirs any more?"
    whom = {"author": name, "source": source}
    return Erasure(
        whom, label, question, found, lambda: erasure_requests.erase_author(db, source, name, program.clock())
    )


def _of_workspace(program: RunningProcess, slug: str) -> Erasure:
    db, row = program.db, workspaces.changeable(program.db, slug)
    found = erasure_requests.count_workspace(db, row.id)
    what = f"{counted(found.mentions, 'mention')}, {counted(found.channels, 'channel')}"
    question = f"Erase the workspace {slug} for good ({what})?"
    return Erasure(
        {"workspace": slug},
        slug,
        question,
        found,
        lambda: erasure_requests.erase_workspace(db, row.id, program.clock()),
    )


def _undo(db: Db, source: str, name: str, format: str) -> None:
    was, who = erasure_requests.allow_author(db, source, name), author_label(source, name)
    if format == "json":
        output.print_json({"author": name, "source": source, "was_forgotten": was})
    elif was:
        line(("✓ ", "green"), (who, "bold"), " is stored again, from the next reading on.")
    else:
        line(f"{who} was not forgotten; nothing has changed.")


def _print(erasure: Erasure, tally: msgspec.Struct, dry_run: bool, format: str) -> None:
    counts = msgspec.structs.asdict(tally)
    if format == "json":
        output.print_json({**erasure.whom, "dry_run": dry_run, "erased": counts})
        return
    if dry_run:
        line("Of ", (erasure.label, "bold"), " there would go (nothing has been erased):")
    else:
        line(("✓ ", "green"), (erasure.label, "bold"), " is forgotten. What was erased:")
    rows = [(f"  {what}", f"{counts[key]:,}") for key, what in WORDS.items() if key in counts]
    output.print_table(output.table(rows, COLUMNS, header=False))


COLUMNS = (Column("", lambda row: row[0]), Column("", lambda row: row[1], {"justify": "right"}))
