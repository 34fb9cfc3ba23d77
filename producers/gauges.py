"""The gauges of the whole system, which the tick keeps: queues, oldest work, feeds, channels, budget.

They are gathered beside the tick, whether or not it succeeded: what cannot be done while a server is away shows in
the age of the oldest work. Two ticks side by side set the same values; queries say ``max by``, never ``sum``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from overheard.bus.public_exchange import REJECTED, UNROUTED
from overheard.bus.queue_depths import PublicQueueDepths, QueueDepth
from overheard.clock import Clock
from overheard.db import deliveries
from overheard.db.database import Db
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations.database_state import VitalSigns, vital_signs

log = get_logger(__name__)

MAX_GATHER_SHARE = 0.05  # of the time may go into gathering: on a large database it is done less often

Look = Callable[[], tuple[list[QueueDepth], PublicQueueDepths]]


class SystemGauges:
    """What is looked at: the database, and the bus by ``look``. ``budget`` is the key of Reddit's budget."""

    def __init__(
        self,
        *,
        db: Db,
        look: Look,
        budget: str,
        clock: Clock,
        metrics: ProcessMetrics,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.db = db
        self.look = look
        self.budget = budget
        self.clock = clock
        self.metrics = metrics
        self.timer = timer
        self._rest_until = 0.0
        self._failing: set[str] = set()
        for of in ("database", "bus"):
            metrics.gauges_last_success.labels(of).set(0)

    def gather(self) -> None:
        """Bring the gauges up to date, unless the last time was too costly to do it again so soon.

        Raises nothing: what fails is logged, keeps its last values, and shows in ``gauges_last_success``.
        """
        began = self.timer()
        if began < self._rest_until:
            return
        self._gather("database", self._database)
        self._gather("bus", self._bus)
        took = self.timer() - began
        self._rest_until = began + took / MAX_GATHER_SHARE

    def _gather(self, of: str, look: Callable[[], None]) -> None:
        try:
            look()
        except RetryableError as error:
            # A server that is away is told once, not at every tick.
            tell = log.debug if of in self._failing else log.warning
            tell("gauges not gathered", of=of, reason=str(error))
            self._failing.add(of)
        except Exception:
            log.exception("gauges not gathered", of=of)
        else:
            self._failing.discard(of)
            self.metrics.gauges_last_success.labels(of).set(self.clock())

    def _database(self) -> None:
        with self.db.session(), self.db.unhurried():
            self._show(vital_signs(self.db, self.budget, self.clock()), deliveries.pending(self.db))

    def _show(self, known: VitalSigns, pending: int) -> None:
        metrics, failing = self.metrics, known.reddit.failing_for(known.at)
        for work, age in known.ages.items():
            metrics.oldest_work.labels(work).set(age or 0.0)
        metrics.feed_lag.set(known.lag or 0.0)
        metrics.reddit_last_success.set(known.reddit.read_at or 0.0)
        metrics.reddit_failing.set(failing)
        metrics.reddit_login_refused.set(known.reddit.revoked and failing > 0)
        metrics.reddit_budget_booked.set(known.booked)
        metrics.reddit_budget_remaining.set(math.nan if known.remaining is None else known.remaining)
        for gauge, counts in ((metrics.feeds, known.feeds), (metrics.channels, known.channels)):
            for state, count in counts.items():
                gauge.labels(state).set(count)
        metrics.deliveries_pending.set(pending)
        metrics.dead_letters.set(known.dead_letters)

    def _bus(self) -> None:
        queues, door = self.look()
        messages, consumers = self.metrics.queue_messages, self.metrics.queue_consumers
        for queue in queues:
            messages.labels(queue.name, "ready").set(queue.waiting)
            messages.labels(queue.name, "delayed").set(queue.delayed)
            messages.labels(queue.name, "dead").set(queue.dead)
            consumers.labels(queue.name).set(queue.workers or 0)
        messages.labels(UNROUTED, "dead").set(door.unrouted)
        messages.labels(REJECTED, "dead").set(door.rejected)
