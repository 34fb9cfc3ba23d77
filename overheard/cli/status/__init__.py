"""``overheard status``: the state of the system and its problems, on one screen."""

from __future__ import annotations

import os
import sys
from contextlib import closing

import click

from overheard.cli import output
from overheard.cli.context import configuration
from overheard.cli.status.as_json import as_json
from overheard.cli.status.view import View, render
from overheard.config import Config
from overheard.operations import problems
from overheard.operations.facts import Observer, SystemState
from overheard.operations.problems import Problem
from overheard.process import RunningProcess
from overheard.supervisord import URL_VARIABLE


@click.command
@click.option("--watch", "-w", is_flag=True, help="Refresh until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
    show_default=True,
    help="Seconds between refreshes.",
)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def status(context: click.Context, watch: bool, interval: float, format: str) -> None:
    """Show system status and problems, with remedies.

    The exit code is 1 if work is blocked or falls behind: a server, the database file or Reddit is unavailable, the
    tick has stopped while there are active workspaces, a queue has no workers, runs or deliveries are late, or
    deliveries pile up. Refused feeds, failing channels and dead letters are warnings that do not change the exit code;
    neither does having no workspace yet.

    With --watch, the screen is refreshed in place, or printed repeatedly if stdout is not a terminal; the exit code is
    0. JSON is one object per line, with the details of up to 100 refused feeds and 100 unhealthy channels.
    """
    config = configuration(context)
    with closing(Observer(RunningProcess(config), server=os.environ.get(URL_VARIABLE))) as observer:
        if not watch:
            found = _print(observer.read(), config, format)
            sys.exit(0 if problems.is_healthy(found) else 1)
        # Imported here: a single status needs neither signals nor a live screen.
        from overheard.cli.status.watch import follow, on_screen

        if format == "table" and output.console().is_terminal:
            with on_screen(config, interval) as show:
                follow(observer, interval, show)
        else:
            follow(observer, interval, lambda facts: _print_repeated(facts, config, format))


def _print(facts: SystemState, config: Config, format: str) -> list[Problem]:
    found = problems.find(facts, config)
    if format == "json":
        output.print_json(as_json(facts, found))
    else:
        for part in render(View(facts, found)):
            output.print_table(part)
    return found


def _print_repeated(facts: SystemState, config: Config, format: str) -> None:
    _print(facts, config, format)
    if format != "json":
        output.print_line()
