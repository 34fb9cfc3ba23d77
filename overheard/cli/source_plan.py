"""``overheard source plan``: how the watched feeds are read, in which groups and how often."""

from __future__ import annotations

from collections.abc import Iterator

import click
import msgspec

from overheard.cli import output
from overheard.cli.context import running_process
from overheard.cli.output import Column, Format, format_option, print_line
from overheard.cli.root import WrongUsage
from overheard.operations import reading_plan
from overheard.operations.reading_plan import SourcePlan
from overheard.operations.reading_relief import relief_of_overload
from overheard.operations.wording import counted, first_names
from overheard.reading.plan import GroupPlan
from overheard.sources.registry import place_label

SHOWN_FEEDS = 3  # of each group, in the table


class PlannedGroup(msgspec.Struct, frozen=True):
    """A group as it is printed. ``feeds``: its places, the busiest first; ``method``: how its items are read."""

    source: str
    kind: str
    feeds: tuple[str, ...]
    rate_per_minute: float
    interval_seconds: float
    requests_per_minute: float
    method: str = "list"


class PlanTotals(msgspec.Struct, frozen=True):
    """Requests a minute: the fewest possible, those of the plan, and what the plan may use."""

    bound_per_minute: float
    planned_per_minute: float
    budget_per_minute: float


@click.command
@click.argument("name", required=False)
@format_option
@click.pass_context
def plan(context: click.Context, name: str | None, format: Format) -> None:
    """Show how the feeds of source NAME, or of all planned sources, are read.

    Feeds in one group share requests. A group is read as often as the budget allows where that makes items fresher
    ([fetch] spare = "freshness"), or as seldom as its workspaces' `every` allows ("save").
    """
    with running_process(context) as running:
        planned = reading_plan.planned_sources(running.config)
        if name is not None and name not in planned:
            valid = ", ".join(planned) or "none is configured"
            raise WrongUsage(f"the readings of {name!r} are not planned; valid: {valid}")
        now = running.clock()
        plans = [
            reading_plan.current(running.db, source, running.config, now)
            for source in planned
            if name in (None, source)
        ]
    groups = [group for each in plans for group in _groups(each)]
    totals = PlanTotals(
        *(round(60.0 * sum(numbers), 3) for numbers in zip(*map(_numbers, plans), strict=True)) if plans else (0, 0, 0)
    )
    if format == "json":
        for row in (*groups, totals):
            output.print_json(row)
    elif format == "csv":
        output.print_csv((msgspec.structs.asdict(group) for group in groups), PlannedGroup.__struct_fields__)
    elif not groups:
        print_line(("No feed of a planned source is watched yet.", "dim"))
    else:
        output.print_table(output.table(groups, COLUMNS))
        _print_totals(groups, totals, [each for each in plans if each.overloaded])


def _numbers(each: SourcePlan) -> tuple[float, float, float]:
    return each.plan.bound, each.plan.requests, each.budget


def _groups(made: SourcePlan) -> Iterator[PlannedGroup]:
    by_rate = sorted(made.plan.groups, key=lambda each: (each.group.kind, -each.rate))
    for each in by_rate:
        yield PlannedGroup(
            source=made.source,
            kind=each.group.kind,
            feeds=tuple(_places(made, each)),
            rate_per_minute=round(60.0 * each.rate, 3),
            interval_seconds=round(each.interval, 1),
            requests_per_minute=round(60.0 * each.requests, 3),
            method="ids" if each.group.numbers else "list",
        )


def _places(made: SourcePlan, each: GroupPlan) -> Iterator[str]:
    for feed in sorted(each.group.feeds, key=lambda feed: -feed.rate):
        yield made.feeds[feed.id].place


def _print_totals(groups: list[PlannedGroup], totals: PlanTotals, overloaded: list[SourcePlan]) -> None:
    print_line(
        f"{counted(len(groups), 'group')}: {totals.planned_per_minute:,.1f} of {totals.budget_per_minute:,.1f} "
        f"requests a minute; {totals.bound_per_minute:,.1f} would be enough to miss nothing"
    )
    for each in overloaded:
        print_line(
            ("! ", "yellow"),
            "The budget is too small for what the workspaces ask: everything is read later. ",
            relief_of_overload(each),
        )


def _feeds(group: PlannedGroup) -> str:
    return first_names([place_label(group.source, place) for place in group.feeds], SHOWN_FEEDS)


def _every(group: PlannedGroup) -> str:
    seconds = group.interval_seconds
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


COLUMNS = (
    Column("Kind", lambda group: group.kind, {"no_wrap": True}),
    Column("Feeds", _feeds, {"overflow": "fold"}),
    Column("New/min", lambda group: f"{group.rate_per_minute:,.2f}", {"justify": "right"}),
    Column("Every", _every, {"justify": "right", "no_wrap": True}),
    Column("Requests/min", lambda group: f"{group.requests_per_minute:,.2f}", {"justify": "right"}),
    Column("Read by", lambda group: group.method, {"no_wrap": True}),
)
