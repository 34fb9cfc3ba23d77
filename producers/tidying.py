"""The tick's steps that tidy up, now and then: dead letters go from the bus to the database, old rows are deleted."""

from __future__ import annotations

from collections.abc import Callable

from overheard.clock import Clock
from overheard.db import retention
from overheard.db.database import Db
from overheard.db.retention import RetentionAges
from overheard.errors import ConfigError, RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from producers.throttle import Throttle

log = get_logger(__name__)

# After so many dead letters in one tick there are probably more: the next tick continues, without waiting for
# sweep_after. Chosen; unrelated to the collector's batches.
MORE_DEAD_LETTERS = 200


class Tidying:
    """Both steps scan whole tables, and have days: each is taken every ``every`` seconds, the same as all sweeps.

    ``collect`` moves dead letters from the bus to the database and returns how many. A step that has more to do, or
    that failed, is taken again by the next tick, so that repeated failures become an incident soon.
    """

    def __init__(
        self,
        *,
        db: Db,
        clock: Clock,
        every: float,
        collect: Callable[[], int],
        ages: RetentionAges,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.clock = clock
        self.collect = collect
        self.ages = ages
        self.metrics = metrics
        self._collect_throttle = Throttle(every)
        self._prune_throttle = Throttle(every)

    def collect_dead_letters(self) -> int:
        """Collect dead letters, if it is time; return how many."""
        return self._now_and_then(self._collect_throttle, self._collect)

    def prune(self) -> int:
        """Delete old rows, if it is time; return how many."""
        return self._now_and_then(self._prune_throttle, self._prune)

    def _now_and_then(self, throttle: Throttle, work: Callable[[], tuple[int, bool]]) -> int:
        # Before the work: if a server is away, whole tables must not be scanned again at every tick.
        if not throttle.allows(self.clock()):
            return 0
        more = True  # also if it fails
        try:
            with self.db.without_timeouts():
                count, more = work()
        except (RetryableError, ConfigError):
            more = False
            raise
        finally:
            if more:
                throttle.reset()
        return count

    def _collect(self) -> tuple[int, bool]:
        count = self.collect()
        return count, count >= MORE_DEAD_LETTERS

    def _prune(self) -> tuple[int, bool]:
        pruned = retention.prune(self.db, self.ages, self.clock())
        self.metrics.items_erased.labels("old").inc(pruned.items)
        if pruned.unsent:
            log.warning("too old to be sent", stage="tick", deliveries=pruned.unsent)
        return pruned.rows, pruned.more
