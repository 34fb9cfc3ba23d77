"""The options that ``dead list``, ``replay`` and ``drop`` share, and counts of what they choose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec

from overheard.cli import output
from overheard.cli.durations import Since
from overheard.cli.output import Column, flat
from overheard.clock import system_clock
from overheard.db.dead_letters import DeadLetterFilter
from overheard.operations.dead_letters import DeadLetterKind
from overheard.operations.wording import ago
from overheard.stages import STAGES

F = TypeVar("F", bound=Callable[..., Any])

ORIGINS = {
    "nack": "a stage gave it up",
    "xq": "found in its queue's dead letters",
    "rejected": "a public event that was refused",
}
KINDS_SHOWN = 20


def filters(command: F) -> F:
    """Add the options; ``chosen`` makes a filter of what the command gets by them."""
    options = (
        click.option("--stage", type=click.Choice([*STAGES, "ingress"]), help="Only this stage's."),
        click.option("--origin", type=click.Choice(list(ORIGINS)), help="Only those that came this way."),
        click.option("--reason", metavar="TEXT", help="Only those whose reason holds this."),
        click.option("--since", type=Since(), help="Only those that died since: 2h, 7d, 2026-11-01."),
        click.option("--before", type=Since(), help="Only those that died before."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def chosen(given: dict[str, Any], ids: tuple[int, ...], every: bool) -> DeadLetterFilter:
    """Return what the options say, of which there has to be one: IDs, a filter, or all."""
    which = DeadLetterFilter(**given)
    if sum((bool(ids), every, which != DeadLetterFilter())) != 1:
        raise click.UsageError("name IDs (see `overheard dead list`), or say which by --reason, --stage …, or --all")
    return msgspec.structs.replace(which, ids=tuple(dict.fromkeys(ids))) if ids else which


def print_kinds(kinds: list[DeadLetterKind]) -> None:
    """Print the largest, with the columns that say something."""
    now = system_clock()
    columns = (
        Column("Count", lambda kind: f"{kind.count:,}", {"justify": "right"}),
        Column("Last", lambda kind: ago(kind.newest_at, now), {"no_wrap": True}),
        Column("Stage", lambda kind: kind.stage or "", {"style": "cyan"}),
        Column("Origin", lambda kind: kind.origin or ""),
        Column("Reason", lambda kind: flat(kind.reason), {"overflow": "fold"}),
    )
    shown = [column for column in columns if any(column.cell(kind) for kind in kinds)]
    output.print_table(output.table(kinds[:KINDS_SHOWN], shown))
    if len(kinds) > KINDS_SHOWN:
        output.line((f"… and {len(kinds) - KINDS_SHOWN:,} more kinds; --by reason --format json lists all", "dim"))
