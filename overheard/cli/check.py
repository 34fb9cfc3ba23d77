"""``overheard check``: try everything that Overheard needs, and print one line per check, with a remedy."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from actors.wiring import limiter
from overheard.channels.rendering.sanitize import clean
from overheard.cli import output
from overheard.cli.context import configuration
from overheard.cli.output import print_line
from overheard.errors import ConfigError
from overheard.operations import checks
from overheard.operations.checks.outcome import CheckOutcome
from overheard.permits import Permit
from overheard.process import RunningProcess

OUTCOME_STYLES = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "bold red")}


@click.command
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def check(context: click.Context, format: str) -> None:
    """Check configuration, servers, watched sources, clock and disk, and show how to fix what fails.

    Nothing is changed, and no database is created. The exit code is 1 if a check fails, 2 if it is the configuration.
    """
    exit_code = 0
    for part, outcome in _outcomes(context):
        if format == "json":
            output.print_json(
                {"part": part, "outcome": outcome.status, "what": outcome.message, "hint": outcome.remedy}
            )
        else:
            mark, style = OUTCOME_STYLES[outcome.status]
            print_line((f"{mark} ", style), f"{part:<15}", clean(outcome.message))
            output.print_hint(outcome.remedy or "", 17)
        if outcome.status == "failed":
            exit_code = 2 if part == "configuration" else 1
    sys.exit(exit_code)


def _outcomes(context: click.Context) -> Iterator[tuple[str, CheckOutcome]]:
    try:
        running = RunningProcess(configuration(context))
    except ConfigError as error:
        first, *rest = error.problems
        yield "configuration", CheckOutcome("failed", first, "\n".join(rest) or None)
        return

    def budget(key: str) -> Permit:
        return Permit(limiter(running.config, running.db), key, wait=running.stop.wait, on_wait=lambda seconds: None)

    try:
        yield from checks.run(running, context.obj["config"], budget=budget)
    finally:
        running.db.release()
