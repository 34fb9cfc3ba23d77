"""``overheard channel``: which channels there are, and whether they can be reached."""

from __future__ import annotations

import shlex

import click
from rich.text import Text

from overheard.cli import output
from overheard.cli.context import open_app
from overheard.cli.group import CliError
from overheard.cli.output import Column, Format, flat, format_option, line
from overheard.clock import system_clock
from overheard.db import channels as stored
from overheard.errors import InvalidInput, PermanentError, RetryableError
from overheard.operations import channels
from overheard.operations.channels import ChannelState
from overheard.operations.wording import span


@click.group
def channel() -> None:
    """Channels: who is told."""


@channel.command("list")
@click.option("--workspace", "-w", metavar="SLUG", help="Only this workspace's.")
@format_option
@click.pass_context
def list_(context: click.Context, workspace: str | None, format: Format) -> None:
    """All channels and how they are, without what is secret in their addresses."""
    with open_app(context) as program:
        rows = channels.states(program.db, workspace)
        output.show(rows, COLUMNS, format, keys=ChannelState.__struct_fields__, empty="No channels.")


@channel.command
@click.argument("workspace")
@click.argument("name")
@click.pass_context
def test(context: click.Context, workspace: str, name: str) -> None:
    """Send a test message to channel NAME of WORKSPACE now, and say what the receiver answered."""
    with open_app(context) as program:
        row = channels.by_name(program.db, workspace, name)
        config = program.config
    try:
        took = channels.test(config, row)
    except (RetryableError, PermanentError, InvalidInput) as error:
        raise CliError(f"{row.workspace}/{row.name} took nothing: {error}") from None
    line(("✓ ", "green"), (f"{row.workspace}/{row.name}", "bold"), f" took the test message in {took:.1f} s.")
    if row.disabled_at is not None:
        enabling = f"overheard channel enable {row.workspace} {shlex.quote(row.name)}"
        line(("! ", "yellow"), "It is disabled, and gets nothing until: ", (enabling, "bold"))


@channel.command
@click.argument("workspace")
@click.argument("name")
@click.pass_context
def enable(context: click.Context, workspace: str, name: str) -> None:
    """Send to a disabled channel again, from the next mention on."""
    with open_app(context) as program:
        row = channels.by_name(program.db, workspace, name)
        stored.enable(program.db, row.id)
    line(("✓ ", "green"), (f"{row.workspace}/{row.name}", "bold"), " is told again, from the next mention on.")


def _state(row: ChannelState) -> Text:
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
