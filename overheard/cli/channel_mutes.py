"""``overheard channel mute``, ``unmute`` and ``mutes``: what a workspace does not want to be sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from rich.text import Text

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.durations import rfc3339
from overheard.cli.output import Column, Format, format_option, one_line, print_line
from overheard.cli.root import WrongUsage
from overheard.errors import InvalidInput
from overheard.operations import workspace_mutes
from overheard.operations.wording import counted
from overheard.operations.workspace_mutes import LOOK_BACK_DAYS, MuteState, SavedMute
from overheard.workspaces import MuteSpec
from overheard.workspaces.mutes import mute_text

NO_CONDITION = "give at least one of --query, --author, --place and --thread"


def condition_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a mute's conditions."""
    for option in (
        click.option("--thread", default="", help="In this thread: its id, or its address on Reddit."),
        click.option("--place", default="", help="In this watched place: r/python."),
        click.option("--author", default="", help="By this author, in any case: automod."),
        click.option("--query", default="", metavar="NAME", help="Found by this query, and by no other."),
    ):
        command = option(command)
    return command


@click.command
@click.argument("workspace")
@condition_options
@click.option("--until", default="", metavar="TIME", help="2h, 2d, 2026-12-31, 2026-12-31T18:00.  [default: for good]")
@click.pass_context
def mute(context: click.Context, /, workspace: str, until: str, **conditions: str) -> None:
    """Mute mentions of WORKSPACE that fit all conditions.

    They are stored, and sent to no channel. overheard mentions --state muted lists them.

    \b
      overheard channel mute acme --author automod
      overheard channel mute acme --query brand --place r/jobs --until 2d
    """
    wanted = _mute(until=until, **conditions)
    with running_process(context) as running:
        try:
            saved = workspace_mutes.add(running, workspace, wanted)
        except InvalidInput as error:
            raise WrongUsage(str(error)) from None
    _print_saved(workspace, saved)


@click.command
@click.argument("workspace")
@condition_options
@click.pass_context
def unmute(context: click.Context, /, workspace: str, **conditions: str) -> None:
    """Lift the mute of WORKSPACE with these conditions.

    What it has muted is not sent.
    """
    wanted = _mute(**conditions)
    with running_process(context) as running:
        lifted = workspace_mutes.lift(running, workspace, wanted)
    print_line(("✓ ", "green"), (workspace, "bold"), f": {one_line(mute_text(lifted))} is not muted any more.")


@click.command
@click.argument("workspace")
@format_option
@click.pass_context
def mutes(context: click.Context, workspace: str, format: Format) -> None:
    """List the mutes of WORKSPACE.

    The operator's own, which apply to all workspaces, are in pipeline.toml ([[notify.mute]]).
    """
    with running_process(context) as running:
        found = workspace_mutes.listing(running.db, workspace, running.clock())
        output.print_listing(found, COLUMNS, format, keys=MuteState.__struct_fields__, empty="Nothing is muted.")


def _mute(**conditions: str) -> MuteSpec:
    wanted = MuteSpec(**conditions)
    if not mute_text(wanted):
        raise click.UsageError(NO_CONDITION)
    return wanted


def _print_saved(workspace: str, saved: SavedMute) -> None:
    end = "for good" if saved.until_at is None else f"until {rfc3339(saved.until_at)}"
    print_line(("✓ ", "green"), (workspace, "bold"), f": {one_line(mute_text(saved.mute))} is muted {end}.")
    of = counted(saved.mentions, "mention")
    print_line(f"  Of {of} of the last {LOOK_BACK_DAYS} days, it would have muted {saved.muted:,}.")
    if saved.muted == saved.mentions > 1:
        print_line(("! ", "yellow"), "That is all of them: no channel would have been sent anything.")


def _state(mute: MuteState) -> Text:
    return Text(mute.state, style="dim" if mute.state == "ended" else "green")


COLUMNS = (
    Column("Query", lambda mute: one_line(mute.query)),
    Column("Author", lambda mute: one_line(mute.author)),
    Column("Place", lambda mute: one_line(mute.place)),
    Column("Thread", lambda mute: one_line(mute.thread)),
    Column("Until", lambda mute: rfc3339(mute.until_at) or "for good", {"no_wrap": True}),
    Column("State", _state),
)
