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
from overheard.config import Config
from overheard.db import delivery_backlog
from overheard.db.database import Db
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import reddit_clients
from overheard.operations.database_state import VitalSigns, vital_signs
from overheard.sources.reddit.names import SOURCE as REDDIT

log = get_logger(__name__)

MAX_GATHER_SHARE = 0.05  # of the time is spent gathering: on a large database, gauges are gathered less often

InspectQueues = Callable[[], tuple[list[QueueDepth], PublicQueueDepths]]


class SystemGauges:
    """Gathers the gauges from the database and the bus."""

    def __init__(
        self,
        *,
        db: Db,
        inspect_queues: InspectQueues,
        config: Config,
        clock: Clock,
        metrics: ProcessMetrics,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self.db = db
        self.inspect_queues = inspect_queues
        self.config = config
        self.clock = clock
        self.metrics = metrics
        self.timer = timer
        self._rest_until = 0.0
        self._failing: set[str] = set()
        self._watched: set[str] = set()
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
            self._set(vital_signs(self.db, self.config, self.clock()), delivery_backlog.pending(self.db))

    def _set(self, current: VitalSigns, pending: int) -> None:
        metrics = self.metrics
        for work, age in current.ages.items():
            metrics.oldest_work.labels(work).set(age or 0.0)
        metrics.feed_lag.set(current.lag or 0.0)
        metrics.reddit_budget_booked.set(current.booked)
        # NaN, because 0 would look like a budget that is used up.
        metrics.reddit_budget_remaining.set(math.nan if current.remaining is None else current.remaining)
        self._set_sources(current)
        for gauge, counts in ((metrics.feeds, current.feeds), (metrics.channels, current.channels)):
            for state, count in counts.items():
                gauge.labels(state).set(count)
        metrics.deliveries_pending.set(pending)
        metrics.dead_letters.set(current.dead_letters)

    def _set_sources(self, current: VitalSigns) -> None:
        metrics = self.metrics
        by_source = (
            metrics.source_up,
            metrics.source_last_success,
            metrics.source_failing,
            metrics.source_login_refused,
            metrics.source_lag,
            metrics.source_overdue,
        )
        for source, vitals in current.sources.items():
            failing = vitals.state.failing_for(current.at)
            refused = vitals.state.revoked and failing > 0
            values = (not failing, vitals.state.read_at or 0.0, failing, refused, vitals.lag or 0.0, vitals.overdue)
            for gauge, value in zip(by_source, values, strict=True):
                gauge.labels(source).set(value)
        # A source that is not watched any more is neither up nor down.
        for source in self._watched - set(current.sources):
            for gauge in by_source:
                gauge.remove(source)
        self._watched = set(current.sources)
        refused_clients = reddit_clients.refused(current.clients)
        for client in current.clients:
            metrics.source_client_refused.labels(REDDIT, str(client.number)).set(client in refused_clients)

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
