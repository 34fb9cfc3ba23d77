"""``overheard status``: how everything is, on one screen."""

from __future__ import annotations

import os
import sys
from contextlib import closing

import click

from overheard.cli import output
from overheard.cli.context import configuration
from overheard.cli.status.as_json import as_json
from overheard.cli.status.view import View, parts
from overheard.config import Config
from overheard.operations import problems
from overheard.operations.facts import Facts, Observer
from overheard.operations.problems import Problem
from overheard.process import RunningProcess
from overheard.supervisord import URL_VARIABLE


@click.command
@click.option("--watch", "-w", is_flag=True, help="Stay, and look again and again. Ctrl-C ends it.")
@click.option(
    "--interval",
    type=click.FloatRange(0.5, 3600),
    default=2.0,
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
    with closing(Observer(RunningProcess(config), server=os.environ.get(URL_VARIABLE))) as observer:
        if not watch:
            found = _print(observer.look(), config, format)
            sys.exit(0 if problems.is_healthy(found) else 1)
        from overheard.cli.status.watch import follow, on_screen

        if format == "table" and output.console().is_terminal:
            with on_screen(config, interval) as show:
                follow(observer, interval, show)
        else:
            follow(observer, interval, lambda facts: _print_one_of_many(facts, config, format))


def _print(facts: Facts, config: Config, format: str) -> list[Problem]:
    found = problems.find(facts, config)
    if format == "json":
        output.print_json(as_json(facts, found))
    else:
        for part in parts(View(facts, found)):
            output.print_table(part)
    return found


def _print_one_of_many(facts: Facts, config: Config, format: str) -> None:
    _print(facts, config, format)
    if format != "json":
        output.line()
