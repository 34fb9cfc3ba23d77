"""``overheard check``: everything that has to be there, really tried, a line each, with how to fix it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from actors.wiring import limiter
from overheard.channels.rendering.sanitize import clean
from overheard.cli import output
from overheard.cli.context import configuration
from overheard.cli.output import line
from overheard.errors import ConfigError
from overheard.operations import checks
from overheard.operations.checks.outcome import CheckOutcome
from overheard.permits import Permit
from overheard.process import RunningProcess

SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "bold red")}


@click.command
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def check(context: click.Context, format: str) -> None:
    """Try configuration, servers, Reddit, port, clock and disk, and say how to mend what fails.

    Nothing is changed: a database that is not there yet is not made. Exit code 1 when something fails, 2 when it is
    the configuration.
    """
    worst = 0
    for part, outcome in _outcomes(context):
        if format == "json":
            output.print_json({"part": part, "outcome": outcome.sign, "what": outcome.what, "hint": outcome.hint})
        else:
            sign, style = SIGNS[outcome.sign]
            line((f"{sign} ", style), f"{part:<15}", clean(outcome.what))
            output.hint(outcome.hint or "", 17)
        if outcome.sign == "failed":
            worst = 2 if part == "configuration" else 1
    sys.exit(worst)


def _outcomes(context: click.Context) -> Iterator[tuple[str, CheckOutcome]]:
    try:
        program = RunningProcess(configuration(context))
    except ConfigError as error:
        first, *rest = error.problems
        yield "configuration", CheckOutcome("failed", first, "\n".join(rest) or None)
        return

    def budget(key: str) -> Permit:
        return Permit(limiter(program.config, program.db), key, wait=program.stop.wait, on_wait=lambda seconds: None)

    try:
        yield from checks.run(program, context.obj["config"], budget=budget)
    finally:
        program.db.release()
