"""The requests to a source that have no deadline: they use what its planned readings leave of the budget."""

from __future__ import annotations

from overheard.config import Config
from overheard.db import place_checks
from overheard.db.database import Db
from overheard.sources.registry import source_type


def requests_per_second(db: Db, source: str, config: Config, now: float) -> float:
    """Return what all such work of a source would take, if the budget had it: gaps, second looks, place checks."""
    return _place_checks(db, source, now)


def _place_checks(db: Db, source: str, now: float) -> float:
    size = source_type(source).places_size
    return 0.0 if size is None else place_checks.requests_per_second(db, source, size, now)
