"""``overheard dead``: what could not be done, with its reason, until somebody has looked at it."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from overheard.channels.rendering.sanitize import clean
from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.dead_letters.filters import ORIGINS, filters, print_kinds
from overheard.cli.dead_letters.replay import drop, replay
from overheard.cli.durations import rfc3339
from overheard.cli.output import Column, Format, flat, format_option, line
from overheard.clock import system_clock
from overheard.db import dead_letters as stored
from overheard.db.dead_letters import DeadLetterFilter, DeadLetterRow
from overheard.operations import dead_letters
from overheard.operations.dead_letters import DeadLetterKind
from overheard.operations.wording import ago, counted
from overheard.process import RunningProcess

TABLE_ROWS = 50
KEYS = ("id", "stage", "origin", "reason", "message_id", "routing_key", "created_at")


@click.group
def dead() -> None:
    """Dead letters: what could not be done, in a stage or as a public event."""


dead.add_command(replay)
dead.add_command(drop)


@dead.command("list")
@filters
@click.option("--by", type=click.Choice(["reason", "stage", "origin"]), help="Only how many there are of each.")
@click.option("--limit", "-n", type=click.IntRange(min=1), help="The newest N.  [default: 50 in a table, else all]")
@format_option
@click.pass_context
def list_(context: click.Context, /, by: str | None, limit: int | None, format: Format, **given: Any) -> None:
    """How many there are by reason, then each, newest first."""
    with open_app(context) as program:
        which = DeadLetterFilter(**given)
        if by is not None:
            _print_by(program, which, by, format)
        elif format != "table":
            rows = stored.listing(program.db, which, limit=limit)
            output.show(rows, COLUMNS, format, keys=KEYS, empty="")
        else:
            _print_both(program, which, limit or TABLE_ROWS)


def _print_by(program: RunningProcess, which: DeadLetterFilter, by: str, format: Format) -> None:
    kinds = dead_letters.kinds(program.db, which, by)
    if format == "table" and kinds:
        print_kinds(kinds)
    else:
        output.show(kinds, (), format, keys=DeadLetterKind.__struct_fields__, empty=_none(which))


def _print_both(program: RunningProcess, which: DeadLetterFilter, limit: int) -> None:
    kinds = dead_letters.kinds(program.db, which, "reason")
    if not kinds:
        line((_none(which), "dim"))
        return
    print_kinds(kinds)
    line()
    rows = list(stored.listing(program.db, which, limit=limit))
    output.print_table(output.table(rows, COLUMNS))
    if (more := sum(kind.count for kind in kinds) - len(rows)) > 0:
        line((f"… and {counted(more, 'older one')}; --limit shows more", "dim"))


def _none(which: DeadLetterFilter) -> str:
    return "No dead letters." if which == DeadLetterFilter() else "No such dead letters."


@dead.command
@click.argument("id", type=int)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def show(context: click.Context, id: int, format: str) -> None:
    """One of them in full: reason, traceback and body."""
    with open_app(context) as program:
        row = dead_letters.get(program.db, id)
    if format == "json":
        output.print_json(output.chosen(row, DeadLetterRow.__struct_fields__))
        return
    output.print_table(output.facts(_facts(row)))
    if row.traceback:
        line("\n", clean(row.traceback).rstrip())
    line("\n", clean(_pretty(row.body)))


def _facts(row: DeadLetterRow) -> list[tuple[str, str]]:
    return [
        ("Dead letter", str(row.id)),
        ("Stage", f"{row.stage} ({ORIGINS.get(row.origin, row.origin)})"),
        ("When", f"{ago(row.created_at, system_clock())} ({rfc3339(row.created_at)})"),
        ("Message", flat(row.message_id)),
        *([("Event", flat(row.routing_key))] if row.routing_key is not None else []),
        ("Reason", flat(row.reason)),
    ]


def _pretty(body: str) -> str:
    try:
        return msgspec.json.format(body, indent=2)
    except msgspec.DecodeError:
        return body


COLUMNS = (
    Column("ID", lambda row: str(row.id), {"justify": "right"}),
    Column("When", lambda row: ago(row.created_at, system_clock()), {"no_wrap": True}),
    Column("Stage", lambda row: row.stage, {"style": "cyan"}),
    Column("Origin", lambda row: row.origin),
    Column("Reason", lambda row: flat(row.reason), {"overflow": "fold"}),
)
