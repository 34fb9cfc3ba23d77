"""The requests to a source that have no deadline: they use what its planned readings leave of the budget."""

from __future__ import annotations

from overheard.config import Config
from overheard.db.database import Db


def requests_per_second(db: Db, source: str, config: Config, now: float) -> float:
    """Return what all such work of a source would take, if the budget had it: filled gaps and second looks."""
    return 0.0
