"""``overheard dead-letters``: messages that could not be processed, kept with the reason until replayed or dropped."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from overheard.channels.rendering.sanitize import clean
from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.dead_letters.filters import ORIGINS, filters, print_kinds
from overheard.cli.dead_letters.replay import drop, replay
from overheard.cli.durations import rfc3339
from overheard.cli.output import Column, Format, format_option, one_line, print_line
from overheard.clock import system_clock
from overheard.db import dead_letters as stored
from overheard.db.dead_letters import DeadLetterFilter, DeadLetterRow
from overheard.operations import dead_letters
from overheard.operations.dead_letters import DeadLetterKind
from overheard.operations.wording import ago, counted
from overheard.process import RunningProcess

TABLE_ROWS = 50
KEYS = ("id", "stage", "origin", "reason", "message_id", "routing_key", "created_at")


@click.group("dead-letters")
def dead_letters_group() -> None:
    """Manage dead letters: messages and public events that could not be processed."""


dead_letters_group.add_command(replay)
dead_letters_group.add_command(drop)


@dead_letters_group.command("list")
@filters
@click.option("--by", type=click.Choice(["reason", "stage", "origin"]), help="Only count, by this.")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="Only the newest.  [default: 50 in a table, else all]")
@format_option
@click.pass_context
def list_(context: click.Context, /, by: str | None, limit: int | None, format: Format, **options: Any) -> None:
    """Count dead letters by reason, then list them, newest first."""
    with running_process(context) as running:
        which = DeadLetterFilter(**options)
        if by is not None:
            _print_by(running, which, by, format)
        elif format != "table":
            rows = stored.listing(running.db, which, limit=limit)
            output.print_listing(rows, COLUMNS, format, keys=KEYS, empty="")
        else:
            _print_both(running, which, limit or TABLE_ROWS)


def _print_by(running: RunningProcess, which: DeadLetterFilter, by: str, format: Format) -> None:
    kinds = dead_letters.count_kinds(running.db, which, by)
    if format == "table" and kinds:
        print_kinds(kinds)
    else:
        output.print_listing(kinds, (), format, keys=DeadLetterKind.__struct_fields__, empty=_none(which))


def _print_both(running: RunningProcess, which: DeadLetterFilter, limit: int) -> None:
    kinds = dead_letters.count_kinds(running.db, which, "reason")
    if not kinds:
        print_line((_none(which), "dim"))
        return
    print_kinds(kinds)
    print_line()
    rows = list(stored.listing(running.db, which, limit=limit))
    output.print_table(output.table(rows, COLUMNS))
    if (more := sum(kind.count for kind in kinds) - len(rows)) > 0:
        print_line((f"… and {counted(more, 'older one')}; use --limit to show more", "dim"))


def _none(which: DeadLetterFilter) -> str:
    return "No dead letters." if which == DeadLetterFilter() else "No matching dead letters."


@dead_letters_group.command
@click.argument("id", type=int)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def show(context: click.Context, id: int, format: str) -> None:
    """Show a dead letter: reason, traceback and body."""
    with running_process(context) as running:
        row = dead_letters.get(running.db, id)
    if format == "json":
        output.print_json(output.as_record(row, DeadLetterRow.__struct_fields__))
        return
    output.print_table(output.facts_table(_facts(row)))
    if row.traceback:
        print_line("\n", clean(row.traceback).rstrip())
    print_line("\n", clean(_pretty(row.body)))


def _facts(row: DeadLetterRow) -> list[tuple[str, str]]:
    return [
        ("Dead letter", str(row.id)),
        ("Stage", f"{row.stage} ({ORIGINS.get(row.origin, row.origin)})"),
        ("When", f"{ago(row.created_at, system_clock())} ({rfc3339(row.created_at)})"),
        ("Message", one_line(row.message_id)),
        *([("Event", one_line(row.routing_key))] if row.routing_key is not None else []),
        ("Reason", one_line(row.reason)),
    ]


def _pretty(body: str) -> str:
    try:
        return msgspec.json.format(body, indent=2)
    # A message that could not be read may be a dead letter for just that reason.
    except msgspec.DecodeError:
        return body


COLUMNS = (
    Column("ID", lambda row: str(row.id), {"justify": "right"}),
    Column("When", lambda row: ago(row.created_at, system_clock()), {"no_wrap": True}),
    Column("Stage", lambda row: row.stage, {"style": "cyan"}),
    Column("Origin", lambda row: row.origin),
    Column("Reason", lambda row: one_line(row.reason), {"overflow": "fold"}),
)
