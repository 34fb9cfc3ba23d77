"""``overheard query apply``: find what a new query would have found in what is stored."""

from __future__ import annotations

import sys

import click

from overheard.cli.backfill import INTERRUPTED_EXIT_CODE, matching
from overheard.cli.context import running_process
from overheard.cli.durations import PastTime
from overheard.cli.output import one_line, print_line
from overheard.db.retention import configured_ages
from overheard.operations import query_application
from overheard.operations.query_application import QueryApplication
from overheard.operations.quiet_store import QuietStore
from overheard.operations.wording import counted


@click.command
@click.argument("workspace")
@click.argument("name")
@click.option(
    "--since", type=PastTime(), required=True, help="From when on: 7d, 12h, 2026-11-01, 2026-11-01T09:00:00Z."
)
@click.pass_context
def apply(context: click.Context, workspace: str, name: str, since: float) -> None:
    """Run a query of WORKSPACE over stored items.

    Items are stored if any workspace has mentioned them, or if they are in the sample of the last day. What the query
    finds in the places that WORKSPACE watches is stored as backfilled, and not sent. To search the sources themselves:
    overheard backfill. Ctrl-C interrupts it (exit code 1); the same command may be repeated at any time.
    """
    with running_process(context) as running:
        running.stop_on_signals()
        ages = configured_ages(running.config.retention)
        quiet = QuietStore(running.db, matching(running), running.clock, ages)
        applied = query_application.apply(quiet, workspace, name, since, running.stop)
    _print(workspace, name, applied)
    sys.exit(0 if applied.finished else INTERRUPTED_EXIT_CODE)


def _print(workspace: str, name: str, applied: QueryApplication) -> None:
    sign, style = ("✓ ", "green") if applied.finished else ("! ", "yellow")
    named = f", and {counted(applied.named, 'mention')} of other queries" if applied.named else ""
    print_line(
        (sign, style),
        (workspace, "bold"),
        f": query {one_line(name)} matches {applied.found:,} of {counted(applied.items, 'stored item')}: "
        f"{counted(applied.mentions, 'new mention')}{named}"
        f"{'.' if applied.finished else '; interrupted: repeat the command for the rest.'}",
    )
