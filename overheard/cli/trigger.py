"""``overheard trigger``."""

from __future__ import annotations

import threading
import time

import click

from overheard.cli.group import Fault
from overheard.cli.opening import opened
from overheard.cli.output import counted, line
from overheard.cli.times import ago
from overheard.db import beats, mentions, workspaces
from overheard.program import Program
from producers.trigger import Asked, is_done
from producers.trigger import trigger as ask

POLL = 0.2  # seconds


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
    with opened(context) as program:
        db = program.db
        row = workspaces.by_slug_or_number(db, workspace)
        if not row.active:
            raise Fault(f"workspace {row.slug} is paused; to go on: overheard workspace resume {row.slug}")
        last = mentions.last_id(db)
        asked = ask(db, program.config, workspace, program.clock)
        if not wait:
            line(("✓ ", "green"), "A run of ", (row.slug, "bold"), " is asked for.", _who(asked))
            return
        began = time.monotonic()
        pause = threading.Event()
        while not is_done(db, row.id, asked.at):
            if time.monotonic() - began > timeout:
                raise Fault(_late(program, row.slug, timeout))
            pause.wait(POLL)
        found = counted(mentions.count(db, row.id, after_id=last), "new mention")
        line(("✓ ", "green"), (row.slug, "bold"), f": {found} in {time.monotonic() - began:.1f} s.")


def _who(asked: Asked) -> str:
    if asked.run is not None:
        return f" Its run in the logs: {asked.run}"
    return " The next tick of `overheard run` takes it up."


def _late(program: Program, slug: str, timeout: float) -> str:
    tick = ago(beats.last(program.db, "tick"), program.clock())
    start = "overheard run" if program.config.bus.embedded else "the tick, ingress and actors"
    return (
        f"the run of {slug} is not over after {timeout:g} s (last tick: {tick})\n"
        f"is everything running ({start})? `overheard status` tells; the wish itself is not lost"
    )
