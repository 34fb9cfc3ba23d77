"""The requests to a source that have no deadline: they use what its planned readings leave of the budget."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from overheard.config import Config
from overheard.db import gap_filling, place_checks
from overheard.db.database import Db
from overheard.db.reading import FeedState
from overheard.items import ALL
from overheard.reading.packing import BY_NUMBER_BIN
from overheard.reading.paging import look_back_seconds, pages
from overheard.sources.registry import SOURCES, source_type

# Within which open gaps should be filled, from now. What is in them is known to be missing and gets older, so a plan
# makes as much room for it as it may: freshness keeps half of what is spare. Each plan makes room for what is left by
# then, so the last of it takes several times as long.
FILL_SECONDS = 60.0
# Of the budget, for second looks before freshness. Looks at 2,000 busy subreddits would take more than all of it, as
# such listings hold minutes; with a fifth of it, one item in twenty would be half a minute older. Calculated.
LOOKS_MAX_FRACTION = 0.03


class OtherWork(msgspec.Struct, frozen=True):
    """What all such work of a source would take, if the budget had it, in requests a second."""

    gaps: float = 0.0
    second_looks: float = 0.0
    place_checks: float = 0.0

    @property
    def requests(self) -> float:
        """Return the sum."""
        return self.gaps + self.second_looks + self.place_checks


def wanted(db: Db, source: str, feeds: Iterable[FeedState], config: Config, now: float) -> OtherWork:
    """Return what such work of a source would take. ``feeds``: those that are watched."""
    return OtherWork(
        _gap_requests(db, source) / FILL_SECONDS, _second_looks(source, feeds, config), _place_checks(db, source, now)
    )


def gap_requests(db: Db) -> int:
    """Return how many requests are left to fill the open gaps of all sources."""
    numbered = [name for name, each in SOURCES.items() if each.numbered_size is not None]
    return sum(_gap_requests(db, source) for source in numbered)


def _gap_requests(db: Db, source: str) -> int:
    size = SOURCES[source].numbered_size
    return math.ceil(gap_filling.backlog(db, source) / size) if size is not None else 0


def _second_looks(source: str, feeds: Iterable[FeedState], config: Config) -> float:
    """Return what it takes to read each listing back to the last look, and as far again, once every ``look_back``.

    Or more often, if the listing does not hold as much.
    """
    longest, budget = config.fetch.look_back_seconds, source_type(source).budget(config)
    if not longest or budget is None:
        return 0.0
    rates: dict[int, float] = defaultdict(float)
    for feed in feeds:
        if feed.place != ALL and feed.bin != BY_NUMBER_BIN:
            rates[feed.group_id] += feed.rate or 0.0
    spans = {group: look_back_seconds(rate, longest) for group, rate in rates.items()}
    whole = sum(pages(rate * 2.0 * spans[group]) / spans[group] for group, rate in rates.items())
    return min(whole, LOOKS_MAX_FRACTION * budget.per_minute * len(budget.keys) / 60.0)


def _place_checks(db: Db, source: str, now: float) -> float:
    size = source_type(source).places_size
    return 0.0 if size is None else place_checks.requests_per_second(db, source, size, now)
