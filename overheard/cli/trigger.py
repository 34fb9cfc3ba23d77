"""``overheard trigger``: run a workspace now."""

from __future__ import annotations

import time

import click

from overheard.cli.context import running_process
from overheard.cli.durations import rfc3339
from overheard.cli.output import one_line, print_line
from overheard.cli.root import CliError
from overheard.db import channels, heartbeats
from overheard.db.channels import ChannelRow
from overheard.operations import trigger as runs
from overheard.operations.trigger import CompletedRun
from overheard.operations.wording import ago, counted, until
from overheard.process import RunningProcess


@click.command
@click.argument("workspace")
@click.option("--wait", is_flag=True, help="Wait until the run is complete: everything read, stored and sent.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86400),
    default=120.0,
    show_default=True,
    help="Maximum seconds to wait.",
)
@click.pass_context
def trigger(context: click.Context, workspace: str, wait: bool, timeout: float) -> None:
    """Run WORKSPACE (slug or number) now.

    A feed that was read less than its publisher's minimum interval ago is not read again: it is as fresh as the
    publisher allows, and --wait says so, with the time of the next poll.
    """
    with running_process(context) as running:
        began = time.monotonic()
        requested = runs.request_run(running, workspace)
        if not wait:
            details = (
                f"Its id in the logs: {requested.run}"
                if requested.run
                else "The next tick of `overheard run` starts it."
            )
            print_line(("✓ ", "green"), "Requested a run of ", (requested.slug, "bold"), f". {details}")
            return
        if (completed := runs.wait(running, requested, timeout)) is None:
            raise CliError(_late(running, requested.slug, time.monotonic() - began))
        seconds = time.monotonic() - began
        new = counted(completed.mentions, "new mention")
        print_line(("✓ ", "green"), (requested.slug, "bold"), f": {new} in {seconds:.1f} s.")
        if completed.paused_feeds:
            print_line(f"  {_paused(completed, running.clock())}")
        # A delivery that was tried and refused ends the wait as well: the count alone would look like success.
        for row in channels.listing(running.db, requested.slug):
            if row.disabled_at is not None:
                _warn(row, "disabled", "it receives nothing until it is enabled again")
            elif row.failing_since is not None:
                _warn(row, "failing", "its deliveries wait until it accepts one again")


def _paused(completed: CompletedRun, now: float) -> str:
    number = completed.paused_feeds
    which = "1 feed is" if number == 1 else f"{number:,} feeds are"
    next_poll = rfc3339(completed.next_poll_at)
    return f"{which} as fresh as the publisher allows; next poll {until(completed.next_poll_at, now)} ({next_poll})."


def _warn(row: ChannelRow, state: str, consequence: str) -> None:
    warning = f"channel {row.name} is {state} ({row.reason}); {consequence}"
    print_line(("! ", "yellow"), one_line(warning), stderr=True)


def _late(running: RunningProcess, slug: str, seconds: float) -> str:
    tick = ago(heartbeats.last_at(running.db, "tick"), running.clock())
    start = "overheard run" if running.config.bus.embedded else "the tick, ingress and actors"
    return (
        f"the run of {slug} is not complete after {seconds:.0f} s (last tick: {tick})\n"
        f"`overheard status` shows whether {start} is running, and what is wrong; the request is not lost"
    )
