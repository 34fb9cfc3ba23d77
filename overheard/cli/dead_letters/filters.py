"""The filter options that ``list``, ``replay`` and ``drop`` share, and a table of counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from overheard.cli import output
from overheard.cli.durations import PastTime
from overheard.cli.output import Column, one_line
from overheard.clock import system_clock
from overheard.db.dead_letters import DeadLetterFilter
from overheard.operations.dead_letters import DeadLetterKind
from overheard.operations.wording import ago
from overheard.stages import STAGES

Command = TypeVar("Command", bound=Callable[..., Any])

# The keys are stored in the database.
ORIGINS = {
    "nack": "a stage gave up on it",
    "xq": "found in the dead-letter queue of its stage",
    "rejected": "a public event that was rejected",
}
KINDS_MAX_ROWS = 20


def filters(command: Command) -> Command:
    """Add the filter options to a command; ``filter_of`` makes a filter of their values."""
    options = (
        click.option("--stage", type=click.Choice([*STAGES, "ingress"]), help="Filter by stage."),
        click.option(
            "--origin",
            type=click.Choice(list(ORIGINS)),
            help="Filter by origin: given up by a stage, found in a dead-letter queue, or a rejected event.",
        ),
        click.option("--reason", metavar="TEXT", help="Filter by text in the reason."),
        click.option("--since", type=PastTime(), help="Only from then on: 2h, 7d, 2026-11-01."),
        click.option("--before", type=PastTime(), help="Only from before then."),
    )
    # click shows the option that was added last first, as with decorators.
    for option in reversed(options):
        command = option(command)
    return command


def filter_of(options: dict[str, Any], ids: tuple[int, ...], all_: bool) -> DeadLetterFilter:
    """Return the filter of a command. Raises UsageError unless there are either IDs, or filter options, or --all."""
    which = DeadLetterFilter(**options)
    if sum((bool(ids), all_, which != DeadLetterFilter())) != 1:
        raise click.UsageError(
            "give IDs (see `overheard dead-letters list`), or filter by --reason, --stage …, or use --all"
        )
    return msgspec.structs.replace(which, ids=tuple(dict.fromkeys(ids))) if ids else which


def print_kinds(kinds: list[DeadLetterKind]) -> None:
    """Print the most frequent kinds, without empty columns."""
    now = system_clock()
    columns = (
        Column("Count", lambda kind: f"{kind.count:,}", {"justify": "right"}),
        Column("Last", lambda kind: ago(kind.newest_at, now), {"no_wrap": True}),
        Column("Stage", lambda kind: kind.stage or "", {"style": "cyan"}),
        Column("Origin", lambda kind: kind.origin or ""),
        Column("Reason", lambda kind: one_line(kind.reason), {"overflow": "fold"}),
    )
    shown = [column for column in columns if any(column.cell(kind) for kind in kinds)]
    output.print_table(output.table(kinds[:KINDS_MAX_ROWS], shown))
    if len(kinds) > KINDS_MAX_ROWS:
        output.print_line(
            (f"… and {len(kinds) - KINDS_MAX_ROWS:,} more kinds; use --by reason --format json to list all", "dim")
        )
