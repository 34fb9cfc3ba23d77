"""Rates per day, estimated from the sample of recent items."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Generic, TypeVar

from overheard.db.sample import Coverage, Sampled

Key = TypeVar("Key", bound=Hashable)
DAY_SECONDS = 86400.0
# Of a place that is read for less than this, what its first reading brought counts, too: otherwise a new installation
# would have nothing to count.
YOUNG_SECONDS = 3600.0
SHORTEST_SECONDS = 60.0  # a rate over less would be a guess


class RateEstimate(Generic[Key]):
    """How many items a day fall under each key, from those of the sample that do.

    Each stands for as many as its weight says, in the time for which its place is covered.
    """

    def __init__(self, coverage: Coverage, now: float) -> None:
        self._coverage = coverage
        self._now = now
        self._rates: dict[Key, float] = defaultdict(float)
        self._young: dict[Key, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._oldest: dict[str, float] = {}
        self._shortest = now - coverage.opening

    def see(self, sampled: Sampled, keys: list[Key]) -> None:
        """Take an item into account, and count it under each of the keys. Every item of the sample has to be seen."""
        item = sampled.item
        since = self._coverage.since(item)
        if self._now - since < YOUNG_SECONDS:
            self._oldest[item.source] = min(item.created_at, self._oldest.get(item.source, since))
            for key in keys:
                self._young[key][item.source] += sampled.weight
            return
        self._shortest = min(self._shortest, self._now - since)
        if item.created_at >= since:
            for key in keys:
                self._rates[key] += sampled.weight * DAY_SECONDS / (self._now - since)

    def per_day(self, key: Key) -> float:
        """Return the rate of a key, when all items were seen."""
        young = self._young.get(key, {})
        return self._rates.get(key, 0.0) + sum(
            weight * DAY_SECONDS / self._young_seconds(source) for source, weight in young.items()
        )

    @property
    def hours(self) -> float:
        """How many hours the sample covers, of the place that it covers for the shortest time."""
        return min([self._shortest, *map(self._young_seconds, self._oldest)]) / 3600

    def _young_seconds(self, source: str) -> float:
        return max(self._now - self._oldest[source], SHORTEST_SECONDS)
