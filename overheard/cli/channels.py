"""``overheard channel``: list, change, test, preview and enable channels."""

from __future__ import annotations

import shlex

import click
from rich.text import Text

from overheard.cli import output
from overheard.cli.channel_changes import add, edit, remove
from overheard.cli.channel_mutes import mute, mutes, unmute
from overheard.cli.channel_preview import preview
from overheard.cli.context import running_process
from overheard.cli.output import Column, Format, format_option, one_line, print_line
from overheard.cli.root import CliError
from overheard.clock import system_clock
from overheard.db import channels as stored
from overheard.errors import InvalidInput, PermanentError, RetryableError
from overheard.operations import channels
from overheard.operations.channels import ChannelState
from overheard.operations.wording import ago, span, until


@click.group
def channel() -> None:
    """List, change, test, preview, mute and enable channels."""


channel.add_command(add)
channel.add_command(edit)
channel.add_command(remove)
channel.add_command(mute)
channel.add_command(unmute)
channel.add_command(mutes)
channel.add_command(preview)


@channel.command("list")
@click.option("--workspace", "-w", metavar="SLUG", help="Only channels of this workspace.")
@format_option
@click.pass_context
def list_(context: click.Context, workspace: str | None, format: Format) -> None:
    """List channels: their state, what waits, what was sent and failed last. Secrets in URLs are redacted."""
    with running_process(context) as running:
        rows = channels.list_states(running.db, workspace)
        output.print_listing(rows, COLUMNS, format, keys=ChannelState.__struct_fields__, empty="No channels.")


@channel.command
@click.argument("workspace")
@click.argument("name")
@click.pass_context
def test(context: click.Context, workspace: str, name: str) -> None:
    """Send a test message to channel NAME of WORKSPACE."""
    with running_process(context) as running:
        row = channels.by_name(running.db, workspace, name)
        config = running.config
    try:
        seconds = channels.test(config, row)
    except (RetryableError, PermanentError, InvalidInput) as error:
        failed = channels.failed_test(error, "test message", f"{row.workspace}/{row.name}")
        raise CliError(f"{failed}: {error}") from None
    print_line(
        ("✓ ", "green"), (f"{row.workspace}/{row.name}", "bold"), f" accepted the test message in {seconds:.1f} s."
    )
    if row.disabled_at is not None:
        enable_command = f"overheard channel enable {row.workspace} {shlex.quote(row.name)}"
        print_line(("! ", "yellow"), "It is disabled. To enable it: ", (enable_command, "bold"))


@channel.command
@click.argument("workspace")
@click.argument("name")
@click.pass_context
def enable(context: click.Context, workspace: str, name: str) -> None:
    """Enable a disabled channel. What was held for it meanwhile is sent, folded."""
    with running_process(context) as running:
        row = channels.by_name(running.db, workspace, name)
        stored.enable(running.db, row.id, running.clock())
    name = f"{row.workspace}/{row.name}"
    print_line(("✓ ", "green"), (name, "bold"), " is enabled; what was held for it is sent within minutes.")


def _state(row: ChannelState) -> Text:
    if row.since_at is None:
        return Text(row.state, style="green")
    age = span(system_clock() - row.since_at)
    return Text(f"{row.state} for {age}", style="bold red" if row.state == "disabled" else "yellow")


def _waiting(row: ChannelState) -> str:
    counts = ((row.backlog, "waiting"), (row.held, "held"), (row.muted, "muted"))
    return ", ".join(f"{count:,} {name}" for count, name in counts if count)


def _next_try(row: ChannelState) -> str:
    return "" if row.next_try_at is None else until(row.next_try_at, system_clock())


def _trouble(row: ChannelState) -> str:
    """Return why it fails or is disabled; of a healthy one, the last error and when that was."""
    if row.reason or row.last_error is None:
        return one_line(row.reason)
    return f"{ago(row.last_error_at, system_clock())}: {one_line(row.last_error)}"


COLUMNS = (
    Column("Workspace", lambda row: row.workspace, {"no_wrap": True}),
    Column("Channel", lambda row: one_line(row.name), {"style": "bold", "overflow": "fold", "min_width": 8}),
    Column("URL", lambda row: row.url, {"overflow": "fold"}),
    Column("Mode", lambda row: row.mode, {"no_wrap": True}),
    Column("State", _state),
    Column("Deliveries", _waiting),
    Column("Last sent", lambda row: ago(row.last_success_at, system_clock()), {"no_wrap": True}),
    Column("Next try", _next_try, {"no_wrap": True}),
    Column("Last error", _trouble, {"overflow": "fold"}),
)
