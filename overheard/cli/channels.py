"""``overheard channel``: who is told, and whether it can be."""

from __future__ import annotations

import shlex
import time

import click
import msgspec
from rich.text import Text

from overheard.channels.registry import open_channel, redact
from overheard.channels.sample import sample_notice
from overheard.cli import output
from overheard.cli.group import Fault
from overheard.cli.opening import opened
from overheard.cli.output import Column, Format, flat, format_option, line
from overheard.cli.saving import options
from overheard.cli.times import span
from overheard.clock import system_clock
from overheard.config import Config
from overheard.db import channels, workspaces
from overheard.db.channels import ChannelRow
from overheard.db.connect import Db
from overheard.errors import InvalidInput, NotFound, Permanent, TryAgain


class Shown(msgspec.Struct, frozen=True):
    """A channel as anybody may see it. ``since_at``: when it began to fail, or was disabled."""

    workspace: str
    name: str
    url: str
    mode: str
    state: str
    since_at: float | None
    reason: str | None


@click.group
def channel() -> None:
    """Channels: who is told."""


@channel.command("list")
@click.option("--workspace", "-w", metavar="SLUG", help="Only this workspace's.")
@format_option
@click.pass_context
def list_(context: click.Context, workspace: str | None, format: Format) -> None:
    """All channels and how they are, without what is secret in their addresses."""
    with opened(context) as program:
        if workspace is not None:
            workspaces.by_name(program.db, workspace)
        rows = [_shown(row) for row in channels.listing(program.db, workspace)]
        output.show(rows, COLUMNS, format, keys=Shown.__struct_fields__, empty="No channels.")


def _shown(row: ChannelRow) -> Shown:
    state = "disabled" if row.disabled_at else "failing" if row.failing_since else "ok"
    since = row.disabled_at or row.failing_since
    return Shown(row.workspace, row.name, redact(row.url), row.mode, state, since, row.reason)


@channel.command
@click.argument("workspace")
@click.argument("name")
@click.pass_context
def test(context: click.Context, workspace: str, name: str) -> None:
    """Send a test message to channel NAME of WORKSPACE now, and say what the receiver answered."""
    with opened(context) as program:
        row = _row(program.db, workspace, name)
        config = program.config
    began = time.monotonic()
    try:
        open_channel(row.url, row.secret, options=options(config)).send(sample_notice(row.workspace))
    except (TryAgain, Permanent, InvalidInput) as error:
        raise Fault(f"{row.workspace}/{row.name} took nothing: {error}") from None
    took = time.monotonic() - began
    line(("✓ ", "green"), (f"{row.workspace}/{row.name}", "bold"), f" took the test message in {took:.1f} s.")
    _hint(row, config)


def _hint(row: ChannelRow, config: Config) -> None:
    if row.disabled_at is not None:
        mend = f"overheard channel enable {row.workspace} {shlex.quote(row.name)}"
        line(("! ", "yellow"), "It is disabled, and gets nothing until: ", (mend, "bold"))


@channel.command
@click.argument("workspace")
@click.argument("name")
@click.pass_context
def enable(context: click.Context, workspace: str, name: str) -> None:
    """Send to a disabled channel again, from the next mention on."""
    with opened(context) as program:
        row = _row(program.db, workspace, name)
        channels.enable(program.db, row.id)
    line(("✓ ", "green"), (f"{row.workspace}/{row.name}", "bold"), " is told again, from the next mention on.")


def _row(db: Db, workspace: str, name: str) -> ChannelRow:
    slug = workspaces.by_name(db, workspace).slug
    rows = channels.listing(db, slug)
    for row in rows:
        if row.name == name:
            return row
    there = f"there are: {', '.join(row.name for row in rows)}" if rows else "it has none"
    raise NotFound(f"workspace {slug} has no channel {name!r}; {there}")


def _state(row: Shown) -> Text:
    if row.since_at is None:
        return Text(row.state, style="green")
    age = span(system_clock() - row.since_at)
    return Text(f"{row.state} for {age}", style="bold red" if row.state == "disabled" else "yellow")


COLUMNS = (
    Column("Workspace", lambda row: row.workspace, {"no_wrap": True}),
    Column("Channel", lambda row: flat(row.name), {"style": "bold", "overflow": "fold"}),
    Column("Address", lambda row: row.url, {"no_wrap": True}),
    Column("Mode", lambda row: row.mode),
    Column("State", _state, {"no_wrap": True}),
    Column("Reason", lambda row: flat(row.reason), {"overflow": "fold"}),
)
