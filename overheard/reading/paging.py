"""What it costs to read a listing backwards to where the last reading ended: how many pages, and how well they fill.

A reading that expects m new items needs 1 + sum over j of P(N >= 100 j) pages, with N ~ Poisson(m): the last page is
the one on which it meets what it knows. So an interval that expects exactly a page of new items is the worst there is,
and the cost of an item falls slowly to 1.05 hundredths of a request at 865 expected items, just within the listing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

PAGE_ITEMS = 100
LISTING_ITEMS = 1000  # how far back a listing goes
# A reading must not expect more: four standard deviations above it, the listing still holds everything.
MOST_EXPECTED_ITEMS = 880
SMALL_MEAN = 20.0  # below it the normal law is too rough
# How often each number is asked for: some have no item, and are asked for again.
ASKED_PER_NUMBER = 1.1
MOST_EXPECTED_BY_NUMBER = 790  # numbers of a reading: it ends after ten pages, and the rest has to follow
HEAD_PAGE = 0.5  # of a request: what the last page of a reading by numbers asks for beyond the newest item


def _tail(mean: float, least: int) -> float:
    """Return P(N >= least) for N ~ Poisson(mean)."""
    if mean < SMALL_MEAN:
        term = total = math.exp(-mean)
        for count in range(1, least):
            term *= mean / count
            total += term
        return max(0.0, 1.0 - total)
    return 0.5 * math.erfc((least - 0.5 - mean) / math.sqrt(2.0 * mean))


@cache
def _pages() -> list[float]:
    return [
        1.0 + sum(_tail(float(mean), PAGE_ITEMS * page) for page in range(1, LISTING_ITEMS // PAGE_ITEMS))
        for mean in range(LISTING_ITEMS + 1)
    ]


@cache
def _efficient_levels() -> list[int]:
    """Return, for each number of expected items, the number up to it whose items cost least."""
    best, levels = 0, []
    for mean, pages in enumerate(_pages()):
        if mean <= MOST_EXPECTED_ITEMS and mean * _pages()[best] >= best * pages:
            best = mean
        levels.append(best)
    return levels


def pages(mean: float) -> float:
    """Return the expected requests of a reading that expects ``mean`` new items; at most those of a whole listing."""
    table = _pages()
    if mean >= LISTING_ITEMS:
        return table[LISTING_ITEMS]
    low = int(mean)
    part = mean - low
    return table[low] * (1.0 - part) + table[low + 1] * part


def requests_per_second(rate: float, interval: float) -> float:
    """Return what reading a listing costs that has ``rate`` new items a second, once every ``interval`` seconds."""
    return pages(rate * interval) / interval


def pages_by_number(numbers: float) -> float:
    """Return the expected requests of a reading of so many numbers."""
    return ASKED_PER_NUMBER * numbers / PAGE_ITEMS + HEAD_PAGE


def requests_by_number(numbers: float, interval: float) -> float:
    """Return what it costs to look up ``numbers`` a second, once every ``interval`` seconds."""
    return pages_by_number(numbers * interval) / interval


def horizon_seconds(rate: float) -> float:
    """Return the longest interval after which the listing surely still holds everything new."""
    return MOST_EXPECTED_ITEMS / rate if rate > 0.0 else math.inf


def look_back_seconds(rate: float, longest: float) -> float:
    """Return the time between two second looks, up to ``longest`` seconds: the listing holds twice as much.

    Each looks back as far as the one before it, and as far again.
    """
    return min(longest, horizon_seconds(rate) / 2.0)


def efficient_seconds(rate: float, longest: float) -> float:
    """Return the interval up to ``longest`` seconds at which each new item costs least.

    The whole interval while it expects less than a page: each reading costs a request, so the fewer the better.
    """
    longest = min(longest, horizon_seconds(rate))
    expected = rate * longest
    if pages(expected) < 2.0 and expected < PAGE_ITEMS * 0.8:
        return longest
    level = _efficient_levels()[min(int(expected), LISTING_ITEMS)]
    seconds = level / rate if level else longest
    # Reading less often costs less unless the pages then fill worse.
    return seconds if requests_per_second(rate, seconds) < requests_per_second(rate, longest) else longest


def fewest_bound(rates: Sequence[float], everys: Sequence[float], group_size: int) -> float:
    """Return the requests a second of a reader that knew all that comes, for feeds of one kind.

    A request brings at most a page of items, and at most ``group_size`` feeds, each of which is read once in its every.
    """
    return max(sum(rates) / PAGE_ITEMS, sum(1.0 / every for every in everys) / group_size)
