"""Which items match sends on for the sample of recent items (``sampling.py``)."""

from __future__ import annotations

from functools import cached_property

from overheard.clock import Clock
from overheard.db import instance, sampling
from overheard.db.database import Db
from overheard.items import Item
from overheard.messages import SampleDraw
from overheard.sources.registry import is_internal

# Between two readings of the shares at most: store drops what is above the latest, but sending that on costs time.
SHARES_SECONDS, SHARES_DRAWS = 5.0, 200


class Sampler:
    """Draws recent items: of each source, those whose priority is below its share. ``seconds``: up to this age."""

    def __init__(self, db: Db, clock: Clock, seconds: float) -> None:
        self.db = db
        self.clock = clock
        self.seconds = seconds
        self._shares: dict[str, float] = {}
        self._read_at = float("-inf")
        self._drawn = 0
        self._oldest = float("-inf")

    def refresh(self) -> None:
        """Read the shares, unless they were just read. Called before a part, so that ``draw`` needs no database."""
        now = self.clock()
        self._oldest = now - self.seconds
        age = now - self._read_at
        if not 0 <= age < SHARES_SECONDS or self._drawn >= SHARES_DRAWS:  # a negative age: the clock was set back
            self._shares = sampling.shares(self.db)
            self._read_at, self._drawn = now, 0

    def draw(self, item: Item) -> SampleDraw | None:
        """Return the item's draw; None if it is not to be sampled."""
        share = self._shares.get(item.source, 1.0)  # of a source that was not sampled yet
        if item.created_at < self._oldest:
            return None
        priority = sampling.priority(self._key, item)
        if priority >= share or is_internal(item.source):
            return None
        self._drawn += 1
        return SampleDraw(priority, share)

    @cached_property
    def _key(self) -> bytes:
        return instance.ensure_id(self.db).encode()
