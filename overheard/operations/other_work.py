"""The requests to a source that have no deadline: they use what its planned readings leave of the budget."""

from __future__ import annotations

import math

from overheard.config import Config
from overheard.db import gap_filling, place_checks
from overheard.db.database import Db
from overheard.db.gap_filling import GapBacklog
from overheard.sources.registry import SOURCES, source_type

# Within which an open gap should be filled, from when it was found; the last of it within the second. Chosen: half an
# hour, less what the plan takes to make room.
FILL_SECONDS, FILL_LEAST_SECONDS = 1500.0, 300.0


def requests_per_second(db: Db, source: str, config: Config, now: float) -> float:
    """Return what all such work of a source would take, if the budget had it: gaps, second looks, place checks."""
    return _filling(db, source, now) + _place_checks(db, source, now)


def gap_requests(db: Db) -> int:
    """Return how many requests are left to fill the open gaps of all sources."""
    numbered = [name for name, each in SOURCES.items() if each.numbered_size is not None]
    return sum(_requests(source, gap_filling.backlog(db, source)) for source in numbered)


def _requests(source: str, left: GapBacklog) -> int:
    return math.ceil(left.numbers / size) if (size := SOURCES[source].numbered_size) is not None else 0


def _filling(db: Db, source: str, now: float) -> float:
    left = gap_filling.backlog(db, source)
    return _requests(source, left) / max(left.found_at + FILL_SECONDS - now, FILL_LEAST_SECONDS)


def _place_checks(db: Db, source: str, now: float) -> float:
    size = source_type(source).places_size
    return 0.0 if size is None else place_checks.requests_per_second(db, source, size, now)
