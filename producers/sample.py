"""The tick's step for the sample of recent items: what is too old or too much leaves it (``db/sampling.py``)."""

from __future__ import annotations

from overheard.clock import Clock
from overheard.config import SampleSettings
from overheard.db import heartbeats, sampling
from overheard.db.database import Db
from overheard.observability.log import get_logger
from overheard.observability.metrics import SOURCE_NAMES, ProcessMetrics
from overheard.operations import learned_words
from producers.throttle import Throttle

log = get_logger(__name__)

STEP_SECONDS = 60.0  # between two steps that do something
# Between two times that the frequencies of words are learned, which takes a second or so; and from how many items on.
LEARN_SECONDS, LEARN_MIN_ITEMS = 6 * 3600.0, 1000
LEARNED_BEAT = "words"
UNWATCHED_SECONDS = 600.0  # between two searches for places that no workspace watches any more


class SampleKeeper:
    """Keeps the sample within its hours and quotas. Several ticks may do so at once: rows are deleted under a lock."""

    def __init__(self, *, db: Db, clock: Clock, settings: SampleSettings, metrics: ProcessMetrics) -> None:
        self.db = db
        self.clock = clock
        self.settings = settings
        self.metrics = metrics
        # The first step does everything: the process may have been away for longer than a day.
        self._step_throttle = Throttle(STEP_SECONDS)
        self._search_throttle = Throttle(UNWATCHED_SECONDS)

    def step(self) -> None:
        """Delete what has left the sample, adjust the shares, and set the gauge. Raises Unavailable."""
        now = self.clock()
        if not self._step_throttle.allows(now):
            return
        with self.db.without_timeouts():
            if self.settings.items_per_source:
                counts = self._keep(now)
                self._show(counts)
                self._learn(now, sum(counts.values()))
            else:
                sampling.clear(self.db)
                self._show({})

    def _keep(self, now: float) -> dict[str, int]:
        """Keep each source's sample; return the number of its items."""
        sampling.release_old(self.db, now - self.settings.seconds)
        if self._search_throttle.allows(now):
            sampling.release_unwatched(self.db)
        counts: dict[str, int] = {}
        for source in sampling.shares(self.db):
            counts[source] = sampling.adjust(self.db, source, self.settings.items_per_source, now, rise=True).rows
            sampling.release_above(self.db, source)
        return counts

    def _learn(self, now: float, items: int) -> None:
        if items < LEARN_MIN_ITEMS or not heartbeats.claim(self.db, LEARNED_BEAT, now, LEARN_SECONDS):
            return
        words = learned_words.learn(self.db)
        log.info("word frequencies learned", stage="tick", words=words)

    def _show(self, counts: dict[str, int]) -> None:
        for source in SOURCE_NAMES:
            self.metrics.sample_items.labels(source).set(counts.get(source, 0))
