"""Count the mentions of a period: by query, by place, by local day."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from overheard.db.mentions import rfc3339
from overheard.notices import PlaceCount, Totals

DAY = timedelta(days=1)


class FoundMention(NamedTuple):
    """What is counted of a mention. ``queries``: names; ``place``: (source, place); ``at``: when it was stored."""

    id: int
    queries: tuple[str, ...]
    place: tuple[str, str]
    at: float


def count(
    members: Sequence[FoundMention], at_once: Sequence[FoundMention], *, timezone: str, start: float, end: float
) -> Totals:
    """Return the totals of a digest's ``members`` and of those of its period that were messages of their own."""
    found = [*members, *at_once]
    by_query = Counter(query for each in found for query in each.queries)
    places = Counter(each.place for each in found)
    places_of: dict[str, Counter[tuple[str, str]]] = {query: Counter() for query in by_query}
    for each in found:
        for query in each.queries:
            places_of[query][each.place] += 1
    return Totals(
        total=len(found),
        by_query=dict(by_query.most_common()),
        by_place=_largest_first(places),
        by_day=_by_day(found, timezone, start, end),
        since=rfc3339(start),
        until=rfc3339(end),
        places_of={query: _largest_first(places_of[query]) for query, _ in by_query.most_common()},
        at_once=len(at_once),
        at_once_of=dict(Counter(query for each in at_once for query in each.queries).most_common()),
    )


def _largest_first(places: Counter[tuple[str, str]]) -> tuple[PlaceCount, ...]:
    return tuple(PlaceCount(source, place, number) for (source, place), number in places.most_common())


def _by_day(found: Sequence[FoundMention], timezone: str, start: float, end: float) -> tuple[tuple[str, int], ...]:
    """Count by the zone's days, of which one may have 23 or 25 hours. What is outside counts for the first or last."""
    zone = ZoneInfo(timezone)
    first = datetime.fromtimestamp(start, zone).date()
    days: list[date] = [first]
    begins: list[float] = []  # of the second day and later
    while (begin := datetime.combine(days[-1] + DAY, time.min, zone).timestamp()) < end:
        days.append(days[-1] + DAY)
        begins.append(begin)
    counts = Counter(bisect_right(begins, each.at) for each in found)
    return tuple((day.isoformat(), counts[number]) for number, day in enumerate(days))
