"""``overheard status``: how everything is, on one screen."""

from __future__ import annotations

import os
import sys

import click

from overheard.cli import output
from overheard.cli.context import configuration
from overheard.cli.status.as_json import as_json
from overheard.cli.status.view import View, parts
from overheard.config import Config
from overheard.operations import problems
from overheard.operations.facts import Facts, Observer
from overheard.program import Program
from overheard.supervisord import URL_VARIABLE

INTERVAL = 2.0


@click.command
@click.option("--watch", "-w", is_flag=True, help="Stay, and look again and again. Ctrl-C ends it.")
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=INTERVAL,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def status(context: click.Context, watch: bool, interval: float, format: str) -> None:
    """How everything is, and what to do about what is not well.

    Exit code 1 when nothing, or too little, gets through: a server, the database's file or Reddit away, no tick while
    somebody listens, nobody at a queue, runs or deliveries left behind, a backlog of deliveries. Feeds that Reddit
    refuses, channels that fail and dead letters are told, and are no reason for it; nor is having no workspace yet.

    With --watch it stays on the screen, or, where stdout is no terminal, prints anew each time; the exit code is 0.
    As JSON it is one object on a line; of refused feeds and channels that take nothing, 100 are named.
    """
    config = configuration(context)
    observer = Observer(Program(config), server=os.environ.get(URL_VARIABLE))
    if watch:
        from overheard.cli.status.watch import follow

        on_screen = format == "table" and output.console().is_terminal
        render = None if on_screen else lambda facts: printed(facts, config, format, gap=True)
        follow(observer, interval=interval, render=render)
        return
    try:
        facts = observer.look()
    finally:
        observer.close()
    printed(facts, config, format)
    sys.exit(0 if problems.is_healthy(problems.find(facts, config)) else 1)


def printed(facts: Facts, config: Config, format: str, *, gap: bool = False) -> None:
    """Print it once; ``gap``: there is more to come."""
    found = problems.find(facts, config)
    if format == "json":
        output.print_json(as_json(facts, found))
        return
    for part in parts(View(facts, found)):
        output.print_table(part)
    if gap:
        output.line()
