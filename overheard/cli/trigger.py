"""``overheard trigger``."""

from __future__ import annotations

import time

import click

from overheard.cli.context import open_app
from overheard.cli.group import CliError
from overheard.cli.output import line
from overheard.db import heartbeats
from overheard.operations import trigger as runs
from overheard.operations.wording import ago, counted
from overheard.process import RunningProcess


@click.command
@click.argument("workspace")
@click.option("--wait", is_flag=True, help="Until the run is over: everything read, stored and sent.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86400),
    default=120.0,
    show_default=True,
    help="Seconds to wait at most.",
)
@click.pass_context
def trigger(context: click.Context, workspace: str, wait: bool, timeout: float) -> None:
    """Ask for a run of WORKSPACE (slug or number) now."""
    with open_app(context) as program:
        began = time.monotonic()
        asked = runs.ask(program, workspace)
        if not wait:
            taken = (
                f"Its run in the logs: {asked.run}" if asked.run else "The next tick of `overheard run` takes it up."
            )
            line(("✓ ", "green"), "A run of ", (asked.slug, "bold"), f" is asked for. {taken}")
            return
        if (found := runs.wait(program.db, asked, timeout)) is None:
            raise CliError(_late(program, asked.slug, timeout))
        took = time.monotonic() - began
        line(("✓ ", "green"), (asked.slug, "bold"), f": {counted(found, 'new mention')} in {took:.1f} s.")


def _late(program: RunningProcess, slug: str, timeout: float) -> str:
    tick = ago(heartbeats.last_at(program.db, "tick"), program.clock())
    start = "overheard run" if program.config.bus.embedded else "the tick, ingress and actors"
    return (
        f"the run of {slug} is not over after {timeout:g} s (last tick: {tick})\n"
        f"is everything running ({start})? `overheard status` tells; the wish itself is not lost"
    )
