"""The requests to a source that have no deadline: they use what its planned readings leave of the budget."""

from __future__ import annotations

from collections import defaultdict

from overheard.config import Config
from overheard.db import place_checks, reading
from overheard.db.database import Db
from overheard.items import ALL
from overheard.reading.paging import pages
from overheard.sources.registry import source_type


def requests_per_second(db: Db, source: str, config: Config, now: float) -> float:
    """Return what all such work of a source would take, if the budget had it: gaps, second looks, place checks."""
    return _second_looks(db, source, config.fetch.look_back_seconds) + _place_checks(db, source, now)


def _second_looks(db: Db, source: str, look_back: float) -> float:
    """Return what it takes to read each listing back to the last look, and as far again, once every ``look_back``."""
    if not look_back:
        return 0.0
    rates: dict[int, float] = defaultdict(float)
    for feed in reading.watched_feeds(db, source):
        if feed.place != ALL:
            rates[feed.group_id] += feed.rate or 0.0
    return sum(pages(rate * 2.0 * look_back) / look_back for rate in rates.values())


def _place_checks(db: Db, source: str, now: float) -> float:
    size = source_type(source).places_size
    return 0.0 if size is None else place_checks.requests_per_second(db, source, size, now)
