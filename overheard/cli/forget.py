"""``overheard forget``: erase an author's data, or a workspace, on request."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import NamedTuple

import click
import msgspec

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.dead_letters.replay import drain_bus
from overheard.cli.output import Column, print_line
from overheard.db import erasure_requests
from overheard.db.database import Db
from overheard.errors import InvalidInput
from overheard.operations import workspaces
from overheard.operations.wording import counted
from overheard.process import RunningProcess
from overheard.sources.registry import SOURCES, author_label, watchable

COUNT_LABELS = {
    "items": "Posts and comments",
    "mentions": "Mentions",
    "deliveries": "Deliveries",
    "digests": "Unsent digests with no other content",
    "letters": "Dead letters",
    "channels": "Channels and their secrets",
    "queries": "Queries",
    "feeds": "Feeds of no other workspace",
}


@click.command
@click.option("--author", metavar="NAME", help="Erase everything NAME wrote, and store nothing by NAME from now on.")
@click.option(
    "--source",
    type=click.Choice(watchable()),
    default="reddit",
    show_default=True,
    help="The source that NAME writes on.",
)
@click.option("--workspace", "slug", metavar="SLUG", help="Erase a workspace and everything in it.")
@click.option("--undo", is_flag=True, help="With --author: store what NAME writes from now on.")
@click.option("--dry-run", is_flag=True, help="Only count what would be erased.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
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
    """Erase an author's data or a workspace, and print what was erased.

    Safe to run while Overheard is running, and to interrupt and repeat. Sent notifications, logs and backups are not
    erased.
    """
    if (author is None) == (slug is None):
        raise click.UsageError("give either --author or --workspace")
    if undo and (author is None or dry_run):
        raise click.UsageError("--undo can only be used with --author")
    if author is not None:
        try:
            author = SOURCES[source].check_author(author)
        except InvalidInput as error:
            raise click.BadParameter(str(error), param_hint="--author") from None
    with running_process(context) as running:
        if author is not None and undo:
            _undo(running.db, source, author, format)
            return
        drain_bus(running)  # dead letters still on the bus could not be found and erased
        erasure = _of_author(running, source, author) if author is not None else _of_workspace(running, slug or "")
        counts = erasure.counts
        if not dry_run:
            if not yes:
                click.confirm(erasure.question, abort=True, err=True)
            counts = erasure.erase()
    _print(erasure, counts, dry_run, format)
    if author is not None and format == "table" and not dry_run:
        print_line(("  Only a hash of the name is kept, so that the next poll does not store it again.", "dim"))
        options = ["--author", author, *(["--source", source] if source != "reddit" else []), "--undo"]
        print_line(("  To undo this for new posts: ", "dim"), f"overheard forget {shlex.join(options)}")


class Erasure(NamedTuple):
    """What to erase: ``target`` in JSON and its label, the question to confirm, the counts, and the action."""

    target: dict[str, str]
    label: str
    question: str
    counts: msgspec.Struct
    erase: Callable[[], msgspec.Struct]


def _of_author(running: RunningProcess, source: str, name: str) -> Erasure:
    db, label = running.db, author_label(source, name)
    counts = erasure_requests.count_author(db, source, name)
    question = f"Erase {counted(counts.items, 'item')} by {label}, and store nothing by this author from now on?"
    target = {"author": name, "source": source}
    return Erasure(
        target, label, question, counts, lambda: erasure_requests.erase_author(db, source, name, running.clock())
    )


def _of_workspace(running: RunningProcess, slug: str) -> Erasure:
    db, row = running.db, workspaces.require_not_internal(running.db, slug)
    counts = erasure_requests.count_workspace(db, row.id)
    contents = f"{counted(counts.mentions, 'mention')}, {counted(counts.channels, 'channel')}"
    question = f"Permanently erase the workspace {slug} ({contents})?"
    return Erasure(
        {"workspace": slug},
        slug,
        question,
        counts,
        lambda: erasure_requests.erase_workspace(db, row.id, running.clock()),
    )


def _undo(db: Db, source: str, name: str, format: str) -> None:
    was_forgotten, label = erasure_requests.allow_author(db, source, name), author_label(source, name)
    if format == "json":
        output.print_json({"author": name, "source": source, "was_forgotten": was_forgotten})
    elif was_forgotten:
        print_line(("✓ ", "green"), (label, "bold"), " is stored again, from the next poll on.")
    else:
        print_line(f"{label} was not forgotten; nothing has changed.")


def _print(erasure: Erasure, tally: msgspec.Struct, dry_run: bool, format: str) -> None:
    counts = msgspec.structs.asdict(tally)
    if format == "json":
        output.print_json({**erasure.target, "dry_run": dry_run, "erased": counts})
        return
    if dry_run:
        print_line("Forgetting ", (erasure.label, "bold"), " would erase (nothing has been erased):")
    else:
        print_line(("✓ ", "green"), (erasure.label, "bold"), " is forgotten. Erased:")
    rows = [(f"  {label}", f"{counts[key]:,}") for key, label in COUNT_LABELS.items() if key in counts]
    output.print_table(output.table(rows, COLUMNS, header=False))


COLUMNS = (Column("", lambda row: row[0]), Column("", lambda row: row[1], {"justify": "right"}))
