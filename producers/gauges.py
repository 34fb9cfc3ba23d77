"""The gauges of the whole system, set by the tick: queues, oldest work, feeds, channels, budget.

They are gathered after each tick, failed or not: work that stops while a server is away shows as the age of the oldest
work. Two ticks side by side export the same values, so queries use ``max by``, never ``sum``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from overheard.bus.public_exchange import REJECTED, UNROUTED
from overheard.bus.queue_depths import PublicQueueDepths, QueueDepth
from overheard.clock import Clock
from overheard.db import delivery_backlog
from overheard.db.database import Db
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations.database_state import VitalSigns, vital_signs

log = get_logger(__name__)

MAX_GATHER_SHARE = 0.05  # of the time is spent gathering: on a large database, gauges are gathered less often

InspectQueues = Callable[[], tuple[list[QueueDepth], PublicQueueDepths]]


class SystemGauges:
    """Gathers the gauges from the database and the bus. ``budget`` is the key of Reddit's budget."""

    def __init__(
        self,
        *,
        db: Db,
        inspect_queues: InspectQueues,
        budget: str,
        clock: Clock,
        metrics: ProcessMetrics,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.db = db
        self.inspect_queues = inspect_queues
        self.budget = budget
        self.clock = clock
        self.metrics = metrics
        self.timer = timer
        self._rest_until = 0.0
        self._failing: set[str] = set()
        for of in ("database", "bus"):
            # 0 from the start: its age is an alarm even if no gathering ever succeeds.
            metrics.gauges_last_success.labels(of).set(0)

    def gather(self) -> None:
        """Update the gauges, unless the last update took so long that this one would exceed MAX_GATHER_SHARE.

        Raise nothing: a failure is logged, leaves the last values, and shows in ``gauges_last_success``.
        """
        # Monotonic: a clock that is set back would suspend the gauges.
        began = self.timer()
        if began < self._rest_until:
            return
        self._gather("database", self._database)
        self._gather("bus", self._bus)
        took = self.timer() - began
        self._rest_until = began + took / MAX_GATHER_SHARE

    def _gather(self, of: str, gather: Callable[[], None]) -> None:
        try:
            gather()
        except RetryableError as error:
            # Warn once per outage, not at every tick.
            log_failure = log.debug if of in self._failing else log.warning
            log_failure("gauges not gathered", of=of, reason=str(error))
            self._failing.add(of)
        except Exception:
            log.exception("gauges not gathered", of=of)
        else:
            self._failing.discard(of)
            self.metrics.gauges_last_success.labels(of).set(self.clock())

    def _database(self) -> None:
        # Counts over a large database may take longer than a statement of the pipeline is allowed to.
        with self.db.session(), self.db.without_timeouts():
            self._set(vital_signs(self.db, self.budget, self.clock()), delivery_backlog.pending(self.db))

    def _set(self, current: VitalSigns, pending: int) -> None:
        metrics, failing = self.metrics, current.reddit.failing_for(current.at)
        for work, age in current.ages.items():
            metrics.oldest_work.labels(work).set(age or 0.0)
        metrics.feed_lag.set(current.lag or 0.0)
        metrics.reddit_last_success.set(current.reddit.read_at or 0.0)
        metrics.reddit_failing.set(failing)
        metrics.reddit_login_refused.set(current.reddit.revoked and failing > 0)
        metrics.reddit_budget_booked.set(current.booked)
        # NaN, because 0 would look like a budget that is used up.
        metrics.reddit_budget_remaining.set(math.nan if current.remaining is None else current.remaining)
        for gauge, counts in ((metrics.feeds, current.feeds), (metrics.channels, current.channels)):
            for state, count in counts.items():
                gauge.labels(state).set(count)
        metrics.deliveries_pending.set(pending)
        metrics.dead_letters.set(current.dead_letters)

    def _bus(self) -> None:
        queues, public = self.inspect_queues()
        messages, consumers = self.metrics.queue_messages, self.metrics.queue_consumers
        for queue in queues:
            messages.labels(queue.name, "ready").set(queue.waiting)
            messages.labels(queue.name, "delayed").set(queue.delayed)
            messages.labels(queue.name, "dead").set(queue.dead)
            consumers.labels(queue.name).set(queue.workers or 0)
        messages.labels(UNROUTED, "dead").set(public.unrouted)
        messages.labels(REJECTED, "dead").set(public.rejected)
