"""``overheard channel``: list, change, test, preview and enable channels."""

from __future__ import annotations

import shlex

import click

from overheard.cli import output
from overheard.cli.channel_changes import add, edit, remove
from overheard.cli.channel_mutes import mute, mutes, unmute
from overheard.cli.channel_preview import preview
from overheard.cli.channel_table import columns
from overheard.cli.context import running_process
from overheard.cli.output import Format, format_option, print_line
from overheard.cli.root import CliError
from overheard.db import channels as stored
from overheard.errors import InvalidInput, PermanentError, RetryableError
from overheard.operations import channels
from overheard.operations.channels import ChannelState


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
        output.print_listing(rows, columns(), format, keys=ChannelState.__struct_fields__, empty="No channels.")


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
