"""``overheard dead``: what could not be done, with its reason, until somebody has looked at it."""

from __future__ import annotations

from collections.abc import Iterable

import click
import msgspec
from rich.text import Text

from overheard.bus.connect import open_broker
from overheard.bus.sender import Sender
from overheard.channels.inert import clean
from overheard.cli import output
from overheard.cli.group import Fault
from overheard.cli.opening import opened
from overheard.cli.output import Column, Format, flat, format_option, line
from overheard.cli.times import ago, rfc3339
from overheard.cli.workspace_files import counted
from overheard.clock import system_clock
from overheard.db import dead_letters
from overheard.db.connect import Db
from overheard.db.dead_letters import DeadLetterRow
from overheard.errors import InvalidInput, NotFound
from overheard.program import Program
from overheard.stages import STAGES

SHOWN = 50
KEYS = ("id", "stage", "origin", "reason", "message_id", "created_at")
ORIGINS = {
    "nack": "a stage gave it up",
    "xq": "found in its queue's dead letters",
    "rejected": "a public event that was refused",
}

stage_option = click.option("--stage", type=click.Choice([*STAGES, "ingress"]), help="Only this stage's.")
all_option = click.option("--all", "every", is_flag=True, help="All of them, or all of --stage.")


@click.group
def dead() -> None:
    """Dead letters: what could not be done."""


@dead.command("list")
@stage_option
@click.option("--limit", "-n", type=click.IntRange(min=1), help="The newest N.  [default: 50 in a table, else all]")
@format_option
@click.pass_context
def list_(context: click.Context, stage: str | None, limit: int | None, format: Format) -> None:
    """List them, newest first, and count them by reason."""
    if limit is None and format == "table":
        limit = SHOWN
    with opened(context) as program:
        rows = dead_letters.listing(program.db, stage=stage, limit=limit)
        output.show(rows, COLUMNS, format, keys=KEYS, empty="No dead letters.")
        reasons = dead_letters.reasons(program.db, stage=stage)
    if format == "table" and reasons:
        line()
        output.print_table(output.table(reasons[:SHOWN], REASON_COLUMNS))


@dead.command
@click.argument("id", type=int)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def show(context: click.Context, id: int, format: str) -> None:
    """One of them in full: reason, traceback and body."""
    with opened(context) as program:
        row = _get(program.db, id)
    if format == "json":
        output.print_json(output.chosen(row, DeadLetterRow.__struct_fields__))
        return
    facts = (
        ("Dead letter", str(row.id)),
        ("Stage", f"{row.stage} ({ORIGINS.get(row.origin, row.origin)})"),
        ("When", f"{ago(row.created_at, system_clock())} ({rfc3339(row.created_at)})"),
        ("Message", flat(row.message_id)),
        ("Reason", flat(row.reason)),
    )
    output.facts(facts)
    if row.traceback:
        line("\n", clean(row.traceback).rstrip())
    line("\n", clean(_pretty(row.body)))


@dead.command
@click.argument("ids", nargs=-1, type=int, metavar="[ID]…")
@stage_option
@all_option
@click.option("--yes", "-y", is_flag=True, help="Without asking, with --all.")
@click.pass_context
def drop(context: click.Context, ids: tuple[int, ...], stage: str | None, every: bool, yes: bool) -> None:
    """Forget those with these IDs, or --all."""
    with opened(context) as program:
        rows = _chosen(program.db, ids, stage, every)
        if every and rows and not yes:
            click.confirm(f"Drop {counted(len(rows), 'dead letter')}?", abort=True, err=True)
        for row in rows:
            dead_letters.drop(program.db, row.id)
    line(("✓ ", "green"), f"{counted(len(rows), 'dead letter')} dropped.")


@dead.command
@click.argument("ids", nargs=-1, type=int, metavar="[ID]…")
@stage_option
@all_option
@click.pass_context
def replay(context: click.Context, ids: tuple[int, ...], stage: str | None, every: bool) -> None:
    """Send those with these IDs, or --all, to their stages again; what is sent is no dead letter any more."""
    with opened(context) as program:
        if program.config.bus.embedded:
            raise Fault(
                "nothing can be replayed on memory://, the bus inside `overheard run`\n"
                "its ticks ask anew for what was left undone: mend the cause, then `overheard dead drop` them"
            )
        rows = _chosen(program.db, ids, stage, every)
        failed = _replay(program, rows)
    line(("✓ ", "green"), f"{counted(len(rows) - failed, 'dead letter')} sent again.")
    if failed:
        raise Fault(f"{counted(failed, 'dead letter')} stay where they are")


def _replay(program: Program, rows: Iterable[DeadLetterRow]) -> int:
    """Send each, then forget it: a crash in between sends it twice, which the stages are made for."""
    broker = open_broker(
        program.config.bus.address,
        stages=STAGES.values(),
        metrics=program.metrics,
        record_dead=program.record_dead,
        name="dead replay",
    )
    sender, failed = Sender(broker), 0
    try:
        for row in rows:
            try:
                if row.origin == "rejected":
                    raise InvalidInput("it is a public event that was refused; publish a right one in its place")
                sender.replay(row.body.encode())
            except InvalidInput as error:
                failed += 1
                output.complain(f"{row.id}: {error}")
            else:
                dead_letters.drop(program.db, row.id)
    finally:
        broker.close()
    return failed


def _chosen(db: Db, ids: tuple[int, ...], stage: str | None, every: bool) -> list[DeadLetterRow]:
    if every == bool(ids) or (ids and stage):
        raise click.UsageError("name IDs (see `overheard dead list`), or --all, with --stage if you like")
    return list(dead_letters.listing(db, stage=stage)) if every else [_get(db, number) for number in dict.fromkeys(ids)]


def _get(db: Db, number: int) -> DeadLetterRow:
    row = dead_letters.get(db, number)
    if row is None:
        raise NotFound(f"no dead letter {number}; `overheard dead list` lists them")
    return row


def _pretty(body: str) -> str:
    try:
        return msgspec.json.format(body, indent=2)
    except msgspec.DecodeError:
        return body


COLUMNS = (
    Column("ID", lambda row: str(row.id), {"justify": "right"}),
    Column("When", lambda row: ago(row.created_at, system_clock()), {"no_wrap": True}),
    Column("Stage", lambda row: row.stage, {"style": "cyan"}),
    Column("Reason", lambda row: flat(row.reason), {"overflow": "fold"}),
)
REASON_COLUMNS = (
    Column("Count", lambda row: f"{row[2]:,}", {"justify": "right"}),
    Column("Stage", lambda row: row[0], {"style": "cyan"}),
    Column("Reason", lambda row: Text(flat(row[1])), {"overflow": "fold"}),
)
