"""What reading a world should cost and how old items should be, by arithmetic alone: nothing of the program is in here.

Items are said at Poisson times. A listing is read from its newest page back to what is known, so a reading that expects
m new items needs 1 + the sum over j of P(N >= 100 j) requests, N ~ Poisson(m). Each feed is in one group of its kind.
Groups have equal rates where requests are to be few; where they are to buy freshness, busy feeds are with busy ones,
and a group's interval is in proportion to 1/sqrt(rate), which makes the items' mean age smallest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

PAGE_ITEMS = 100
LISTING_ITEMS = 1000
DEVIATIONS = 4.0  # by which the listing must be longer than what is expected of a reading
STEPS = 60  # in which intervals are tried, and ages are counted
NEGLIGIBLE = 1e-9
ALIKE_FACTOR = 1.01
PART_OF_BUDGET = 0.95  # that is planned
FULL_PAGE = 80.0  # items of a reading beyond which reading more often brings few of them sooner
QUIET = 1e-6  # items a second


class ArithmeticRules(NamedTuple):
    """``every``: the longest interval; ``freshest``: the shortest one needed, None where requests are to be few.

    ``budget``: requests a second; ``look_back``: seconds after which each listing is read again, twice as far back;
    ``latency``: of a request. Times are seconds.
    """

    group_size: int
    every: float
    latency: float
    budget: float
    freshest: float | None = None
    look_back: float = 0.0


class ArithmeticGroup(NamedTuple):
    """``rate``: new items a second; ``interval``: seconds between two readings."""

    rate: float
    interval: float

    @property
    def requests(self) -> float:
        """Return the requests a second."""
        return pages(self.rate * self.interval) / self.interval


class ArithmeticResult(NamedTuple):
    """``requests`` a minute, and the median age of an item when it was read, in seconds."""

    requests: float
    age: float


def expected(kinds: Sequence[Sequence[float]], rules: ArithmeticRules) -> ArithmeticResult:
    """Return what reading feeds comes to; ``kinds``: the feeds' new items a second, of each kind."""
    rates = [max(sum(group), QUIET) for feeds in kinds for group in packed(feeds, rules)]
    groups = paced(rates, rules)
    requests = sum(group.requests for group in groups) + looks(rates, rules)
    return ArithmeticResult(60.0 * requests, median_age(groups, rules.latency))


def pages(mean: float) -> float:
    """Return the expected requests of a reading that expects so many new items."""
    total, below = 1.0, 0.0  # P(N < count)
    for count in range(LISTING_ITEMS):
        if count and count % PAGE_ITEMS == 0:
            if below > 1.0 - NEGLIGIBLE:
                break
            total += 1.0 - below
        below += math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
    return total


def packed(feeds: Sequence[float], rules: ArithmeticRules) -> list[list[float]]:
    """Return the rates of the feeds of each group."""
    ranked = sorted(feeds, reverse=True)
    count = math.ceil(len(ranked) / rules.group_size)
    if rules.freshest is not None:
        return [ranked[start : start + rules.group_size] for start in range(0, len(ranked), rules.group_size)]
    groups: list[list[float]] = [[] for _ in range(count)]
    for rate in ranked:
        min((group for group in groups if len(group) < rules.group_size), key=sum).append(rate)
    return groups


def paced(rates: Sequence[float], rules: ArithmeticRules) -> list[ArithmeticGroup]:
    """Return how often each group is read."""
    seldom = [ArithmeticGroup(rate, cheapest(rate, rules.every)) for rate in rates]
    if rules.freshest is None:
        return seldom
    most = PART_OF_BUDGET * rules.budget
    spare = most - sum(group.requests for group in seldom)
    most -= min(looks(rates, rules), spare / 2.0)
    low, high = 0.0, rules.every * math.sqrt(max(rates))
    for _ in range(20):
        scale = (low + high) / 2.0
        affordable = sum(group.requests for group in fresh(seldom, scale, rules.freshest)) <= most
        low, high = (low, scale) if affordable else (scale, high)
    return fresh(seldom, high, rules.freshest)


def cheapest(rate: float, every: float) -> float:
    """Return the interval at which an item costs least, of those at which the listing surely holds what is new."""
    most = (math.sqrt(LISTING_ITEMS + DEVIATIONS**2 / 4.0) - DEVIATIONS / 2.0) ** 2  # m + 4 sqrt(m) = LISTING_ITEMS
    longest = min(every, most / rate)
    tried = [ArithmeticGroup(rate, longest * step / STEPS) for step in range(1, STEPS + 1)]
    least = min(group.requests for group in tried)
    # Of those that cost nearly the same, the longest.
    return max(group.interval for group in tried if group.requests <= ALIKE_FACTOR * least)


def fresh(seldom: Sequence[ArithmeticGroup], scale: float, freshest: float) -> list[ArithmeticGroup]:
    """Return the groups with intervals of scale / sqrt(rate), none longer than it must be, or shorter than needed."""
    return [
        ArithmeticGroup(rate, min(most, max(scale / math.sqrt(rate), min(freshest, FULL_PAGE / rate))))
        for rate, most in seldom
    ]


def looks(rates: Sequence[float], rules: ArithmeticRules) -> float:
    """Return the requests a second of second looks."""
    if rules.freshest is None or not rules.look_back:
        return 0.0
    items = [min(2.0 * rules.look_back * rate + 1.0, LISTING_ITEMS) for rate in rates]
    return sum(math.ceil(each / PAGE_ITEMS) for each in items) / rules.look_back


def median_age(groups: Sequence[ArithmeticGroup], latency: float) -> float:
    """Return the median age of all items: each appears at any time between two readings, and waits for its page."""
    ages = sorted(age for group in groups for age in _ages(group, latency))
    half = math.fsum(weight for _, weight in ages) / 2.0
    for age, weight in ages:
        half -= weight
        if half <= 0.0:
            return age
    return math.nan


def _ages(group: ArithmeticGroup, latency: float) -> Iterator[tuple[float, float]]:
    """Yield ages, each with the items a second that have it."""
    for step in range(STEPS):
        waited = group.interval * (step + 0.5) / STEPS
        yield waited + latency * (1 + group.rate * waited // PAGE_ITEMS), group.rate / STEPS
