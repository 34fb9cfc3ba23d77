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

from overheard.reading.paging import (
    MOST_EXPECTED_BY_NUMBER,
    efficient_seconds,
    horizon_seconds,
    requests_by_number,
    requests_per_second,
)

SOLVE_STEPS = 20  # halvings of a range of SOLVE_RANGE: to a hundred-thousandth
ROUGH_SOLVE_STEPS = 10  # to a hundredth: enough to compare two ways of grouping
SOLVE_RANGE = 1e4  # the longest parameter is so many times the shortest
QUIET_RATE = 1e-6  # items a second; a feed without any would never be read for freshness
# Items expected of one reading below which reading more often brings hardly an item sooner for each request.
FULL_PAGE_ITEMS = 80.0
BY_NUMBER_LEAST_SECONDS = 5.0  # between two readings by numbers: what they wait for is the tick, not a page


class GroupLoad(NamedTuple):
    """A group: its new items a second, and the longest interval that its workspaces allow, in seconds.

    ``numbers``: of items, that are looked up a second, whosever they are; 0 for a listing. There is no horizon then.
    """

    rate: float
    every: float
    numbers: float = 0.0

    def requests_per_second(self, interval: float) -> float:
        """Return what it costs to read it once every ``interval`` seconds."""
        if self.numbers:
            return requests_by_number(self.numbers, interval)
        return requests_per_second(self.rate, interval)

    @property
    def efficient_seconds(self) -> float:
        """Return the interval at which each item costs least."""
        if self.numbers:  # the rest of a longer reading would have to follow it
            return min(self.every, MOST_EXPECTED_BY_NUMBER / self.numbers)
        return efficient_seconds(self.rate, self.every)


def fewest(groups: Sequence[GroupLoad]) -> list[float]:
    """Return the intervals that cost the fewest requests."""
    return [group.efficient_seconds for group in groups]


def cost(groups: Sequence[GroupLoad], intervals: Sequence[float]) -> float:
    """Return the requests a second of reading groups at these intervals."""
    return sum(group.requests_per_second(each) for group, each in zip(groups, intervals, strict=True))


def within(
    groups: Sequence[GroupLoad],
    budget: float,
    *,
    freshest: float | None,
    other_work: float = 0.0,
    steps: int = SOLVE_STEPS,
) -> list[float]:
    """Return the intervals for ``budget`` requests a second, as full as it can be used.

    ``freshest``: no interval need be shorter, in seconds; None leaves unused what the fewest requests leave over.
    ``other_work``: requests a second that come before freshness, up to half of what is spare. ``steps``: of the
    approximation, which errs on the side of too few requests.
    """
    if not groups:
        return []
    seldom = fewest(groups)
    spare = budget - cost(groups, seldom)
    if spare < 0.0:
        return _stretched(groups, seldom, budget, steps)
    if freshest is None:
        return seldom
    return _freshened(groups, seldom, budget - min(other_work, spare / 2.0), freshest, steps)


def _freshened(
    groups: Sequence[GroupLoad], seldom: Sequence[float], budget: float, freshest: float, steps: int
) -> list[float]:
    roots = [math.sqrt(max(group.rate, QUIET_RATE)) for group in groups]
    bounds = [
        (root, min(freshest, _least_seconds(group)), most)
        for root, group, most in zip(roots, groups, seldom, strict=True)
    ]

    def intervals(scale: float) -> list[float]:
        return [min(most, max(scale / root, least)) for root, least, most in bounds]

    longest = max(most * root for root, _, most in bounds)
    return intervals(_solved(longest, lambda scale: cost(groups, intervals(scale)) <= budget, steps))


def _stretched(groups: Sequence[GroupLoad], seldom: Sequence[float], budget: float, steps: int) -> list[float]:
    bounds = [(each, _longest(group)) for group, each in zip(groups, seldom, strict=True)]
    shortest = min(seldom)

    def intervals(least: float) -> list[float]:
        return [min(max(each, least), most) for each, most in bounds]

    def affordable(least: float) -> bool:  # up to the shortest, none is stretched: that is more than the budget
        return least > shortest and cost(groups, intervals(least)) <= budget

    # Enough for one request each: then only the busiest groups are read more often.
    longest = max(*seldom, 2.0 * len(groups) / budget)
    return intervals(_solved(longest, affordable, steps))


def _solved(longest: float, affordable: Callable[[float], bool], steps: int) -> float:
    """Return the least affordable parameter, up to ``longest``: the intervals grow with it."""
    low, high = longest / SOLVE_RANGE, longest
    if affordable(low):
        return low
    for _ in range(steps):
        middle = math.sqrt(low * high)
        if affordable(middle):
            high = middle
        else:
            low = middle
    return high


def _longest(group: GroupLoad) -> float:
    return group.efficient_seconds if group.numbers else horizon_seconds(group.rate)


def _least_seconds(group: GroupLoad) -> float:
    if group.numbers:
        return max(FULL_PAGE_ITEMS / group.numbers, BY_NUMBER_LEAST_SECONDS)
    return FULL_PAGE_ITEMS / group.rate if group.rate > 0.0 else math.inf
