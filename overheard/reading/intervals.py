"""How often each group is read.

``fewest``: as seldom as its workspaces allow, at the level at which items cost least. ``freshest``: what is left of the
budget makes items younger. For a given number of requests, the mean age of all items is smallest when each group's
interval is in proportion to 1/sqrt(rate). If even the fewest requests exceed the budget, all groups wait for equally
long beyond what their workspaces ask, except those whose listing would not hold their new items for that long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from overheard.reading.paging import efficient_seconds, horizon_seconds, requests_per_second

SOLVE_STEPS = 20  # halvings: to a millionth of the range
QUIET_RATE = 1e-6  # items a second; a feed without any would never be read for freshness
# Items expected of one reading below which reading more often brings hardly an item sooner for each request.
FULL_PAGE_ITEMS = 80.0
BY_NUMBER_LEAST_SECONDS = 5.0  # between two readings by numbers: what they wait for is the tick, not a page


class GroupLoad(NamedTuple):
    """A group: its new items a second, and the longest interval that its workspaces allow, in seconds.

    ``by_number``: its items are looked up by their numbers, which has no horizon, and costs each of them.
    """

    rate: float
    every: float
    by_number: bool = False

    def requests_per_second(self, interval: float) -> float:
        """Return what it costs to read it once every ``interval`` seconds."""
        return requests_per_second(self.rate, interval, by_number=self.by_number)


def fewest(groups: Sequence[GroupLoad]) -> list[float]:
    """Return the intervals that cost the fewest requests."""
    return [efficient_seconds(group.rate, group.every, by_number=group.by_number) for group in groups]


def cost(groups: Sequence[GroupLoad], intervals: Sequence[float]) -> float:
    """Return the requests a second of reading groups at these intervals."""
    return sum(group.requests_per_second(each) for group, each in zip(groups, intervals, strict=True))


def within(
    groups: Sequence[GroupLoad], budget: float, *, freshest: float | None, other_work: float = 0.0
) -> list[float]:
    """Return the intervals for ``budget`` requests a second, as full as it can be used.

    ``freshest``: no interval need be shorter, in seconds; None leaves unused what the fewest requests leave over.
    ``other_work``: requests a second that come before freshness, up to half of what is spare.
    """
    if not groups:
        return []
    seldom = fewest(groups)
    spare = budget - cost(groups, seldom)
    if spare < 0.0:
        return _stretched(groups, seldom, budget)
    if freshest is None:
        return seldom
    return _freshened(groups, seldom, budget - min(other_work, spare / 2.0), freshest)


def _freshened(groups: Sequence[GroupLoad], seldom: Sequence[float], budget: float, freshest: float) -> list[float]:
    def intervals(scale: float) -> list[float]:
        return [
            min(most, max(scale / math.sqrt(max(group.rate, QUIET_RATE)), min(freshest, _least_seconds(group))))
            for group, most in zip(groups, seldom, strict=True)
        ]

    longest = max(most * math.sqrt(max(group.rate, QUIET_RATE)) for group, most in zip(groups, seldom, strict=True))
    return _solved(intervals, longest, lambda each: cost(groups, each) <= budget)


def _stretched(groups: Sequence[GroupLoad], seldom: Sequence[float], budget: float) -> list[float]:
    def intervals(least: float) -> list[float]:
        return [min(max(each, least), horizon_seconds(group.rate)) for group, each in zip(groups, seldom, strict=True)]

    # Enough for one request each: then only the busiest groups are read more often.
    longest = max(*seldom, 2.0 * len(groups) / budget)
    return _solved(intervals, longest, lambda each: cost(groups, each) <= budget)


def _solved(
    intervals: Callable[[float], list[float]], longest: float, affordable: Callable[[list[float]], bool]
) -> list[float]:
    """Return the shortest affordable intervals of a family that grows with its parameter, up to ``longest``."""
    low, high = 0.0, longest
    for _ in range(SOLVE_STEPS):
        middle = (low + high) / 2.0
        if affordable(intervals(middle)):
            high = middle
        else:
            low = middle
    return intervals(high)


def _least_seconds(group: GroupLoad) -> float:
    seconds = FULL_PAGE_ITEMS / group.rate if group.rate > 0.0 else math.inf
    return max(seconds, BY_NUMBER_LEAST_SECONDS) if group.by_number else seconds
