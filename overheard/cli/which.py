"""Which dead letters: the options that ``dead list``, ``replay`` and ``drop`` share, and counts of what they choose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
import msgspec

from overheard.cli import output
from overheard.cli.output import Column, flat
from overheard.cli.times import Since
from overheard.clock import system_clock
from overheard.db.dead_letters import Reason, Which
from overheard.operations.wording import ago
from overheard.stages import STAGES

F = TypeVar("F", bound=Callable[..., Any])

ORIGINS = {
    "nack": "a stage gave it up",
    "xq": "found in its queue's dead letters",
    "rejected": "a public event that was refused",
}
SHOWN = 20  # reasons, in a table
VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\b\d+(?:\.\d+)?\b")
FILTERS = ("stage", "origin", "reason", "since", "before")


def filters(command: F) -> F:
    """The options; the command gets them by the names of ``FILTERS``."""
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


def chosen(given: dict[str, Any]) -> Which:
    """What the options say."""
    return Which(**{name: given[name] for name in FILTERS})


class Kind(msgspec.Struct, frozen=True):
    """How many dead letters there are of a kind. What is not told apart is None."""

    stage: str | None
    origin: str | None
    reason: str | None
    count: int
    oldest_at: float
    newest_at: float


def grouped(reasons: Iterable[Reason], by: str) -> list[Kind]:
    """Counts by "stage", "origin" or "reason", the largest first. Names and numbers in a reason make no kind."""
    found: dict[tuple[str | None, str | None, str | None], list[Reason]] = {}
    for each in reasons:
        stage = None if by == "origin" else each.stage
        origin = None if by == "stage" else each.origin
        found.setdefault((stage, origin, alike(each.reason) if by == "reason" else None), []).append(each)
    kinds = [
        Kind(
            *key,
            count=sum(each.count for each in group),
            oldest_at=min(each.oldest_at for each in group),
            newest_at=max(each.newest_at for each in group),
        )
        for key, group in found.items()
    ]
    return sorted(kinds, key=lambda kind: -kind.count)


def alike(reason: str) -> str:
    """The reason without what differs from one to the next: ``no workspace 17`` → ``no workspace …``."""
    return VARYING.sub("…", reason)


def print_kinds(kinds: list[Kind]) -> None:
    """For people."""
    now = system_clock()
    columns = (
        Column("Count", lambda kind: f"{kind.count:,}", {"justify": "right"}),
        Column("Last", lambda kind: ago(kind.newest_at, now), {"no_wrap": True}),
        Column("Stage", lambda kind: kind.stage or "", {"style": "cyan"}),
        Column("Origin", lambda kind: kind.origin or ""),
        Column("Reason", lambda kind: flat(kind.reason), {"overflow": "fold"}),
    )
    shown = [column for column in columns if any(column.cell(kind) for kind in kinds)]
    output.print_table(output.table(kinds[:SHOWN], shown))
    if len(kinds) > SHOWN:
        output.line((f"… and {len(kinds) - SHOWN:,} more kinds; --by reason --format json lists all", "dim"))
