"""``overheard check``: everything that has to be there, really tried, a line each, with how to mend it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import click
import msgspec

from overheard.channels.inert import clean
from overheard.cli import output, stored_queries, trials
from overheard.cli.opening import configuration
from overheard.cli.output import line
from overheard.cli.trials import Outcome
from overheard.config import Config
from overheard.errors import ConfigError
from overheard.program import Program

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "bold red")}


class Result(msgspec.Struct, frozen=True):
    """One line of the answer."""

    part: str
    outcome: Literal["ok", "warning", "failed"]
    what: str
    hint: str | None


@click.command
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def check(context: click.Context, format: str) -> None:
    """Try configuration, servers, Reddit, port, clock and disk, and say how to mend what fails.

    Nothing is changed: a database that is not there yet is not made. Exit code 1 when something fails, 2 when it is
    the configuration.
    """
    worst = 0
    for result in _results(context):
        if format == "json":
            output.print_json(result)
        else:
            _print(result)
        if result.outcome == "failed":
            worst = 2 if result.part == "configuration" else 1
    sys.exit(worst)


def _results(context: click.Context) -> Iterator[Result]:
    try:
        config = configuration(context)
        program = Program(config)
    except ConfigError as error:
        first, *rest = error.problems
        yield Result("configuration", "failed", first, "\n".join(rest) or None)
        return
    path: Path | None = context.obj["config"]
    yield Result("configuration", "ok", trials.where(path), None)
    for deprecated in config.deprecated:
        yield Result("configuration", "warning", deprecated, None)
    try:
        for part, outcome in _tried(program, config):
            yield Result(part, outcome.sign, outcome.what, outcome.hint)
    finally:
        program.db.release()


def _tried(program: Program, config: Config) -> Iterator[tuple[str, Outcome]]:
    database = trials.database(program)
    yield "database", database
    yield "bus", trials.bus(config)
    yield "Reddit", trials.reddit(program, budgeted=database.ready)
    if unused := trials.clients(config):
        yield "clients", unused
    if database.ready and (partial := trials.coverage(program)):
        yield "coverage", partial
    yield "metrics", trials.metrics(config, trials.whose(program, known=database.ready))
    yield "alerts", trials.alerts(config)
    yield "limits", trials.limits(program, known=database.ready)
    yield "clock", trials.clock(program, known=database.ready)
    yield "disk", trials.disk(config)
    yield "queries", stored_queries.outcome(program, known=database.ready)


def _print(result: Result) -> None:
    sign, style = SIGNS[result.outcome]
    line((f"{sign} ", style), f"{result.part:<15}", clean(result.what))
    output.hint(result.hint or "", 17)
