"""The gauges of the whole system, which the tick keeps: queues, oldest work, feeds, channels, budget.

They are gathered beside the tick, whether or not it succeeded: what cannot be done while a server is away shows in
the age of the oldest work. Two ticks side by side set the same values; queries say ``max by``, never ``sum``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from overheard.bus.door import REJECTED, UNROUTED
from overheard.bus.queues import Door, Queue
from overheard.clock import Clock
from overheard.db import budgets, channels, dead_letters, deliveries, feeds, sources, workspaces
from overheard.db.connect import Db
from overheard.errors import TryAgain
from overheard.log import get_logger
from overheard.metrics import Metrics
from overheard.sources.reddit_items import SOURCE

log = get_logger(__name__)

SHARE = 0.05  # of the time may go into gathering: on a large database it is done less often

Look = Callable[[], tuple[list[Queue], Door]]


class Gauges:
    """What is looked at: the database, and the bus by ``look``. ``budget`` is the key of Reddit's budget."""

    def __init__(
        self,
        *,
        db: Db,
        look: Look,
        budget: str,
        clock: Clock,
        metrics: Metrics,
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
        self._rest_until = began + took / SHARE

    def _gather(self, of: str, look: Callable[[], None]) -> None:
        try:
            look()
        except TryAgain as error:
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
            self._oldest()
            self._reddit()
            self._counts()

    def _oldest(self) -> None:
        db, now, metrics = self.db, self.clock(), self.metrics
        oldest = {
            "run": workspaces.oldest_demand(db, now),
            "poll": feeds.oldest_poll(db, now),
            "delivery": deliveries.oldest_due(db, now),
            "digest": workspaces.oldest_digest(db, now),
        }
        for work, since in oldest.items():
            metrics.oldest_work.labels(work).set(_age(since, now))
        metrics.feed_lag.set(_age(feeds.oldest_fresh(db), now))

    def _reddit(self) -> None:
        state = sources.state(self.db, SOURCE)
        self.metrics.reddit_last_success.set(state.read_at or 0.0)
        failing = state.failing_for(self.clock())
        self.metrics.reddit_failing.set(failing)
        self.metrics.reddit_login_refused.set(state.revoked and failing > 0)
        remaining, booked = budgets.state(self.db, self.budget)
        self.metrics.reddit_budget_booked.set(booked)
        self.metrics.reddit_budget_remaining.set(math.nan if remaining is None else remaining)

    def _counts(self) -> None:
        db, metrics = self.db, self.metrics
        for state, count in feeds.states(db).items():
            metrics.feeds.labels(state).set(count)
        for state, count in channels.states(db).items():
            metrics.channels.labels(state).set(count)
        metrics.deliveries_pending.set(deliveries.pending(db))
        metrics.dead_letters.set(dead_letters.count(db))

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


def _age(since: float | None, now: float) -> float:
    return 0.0 if since is None else max(now - since, 0.0)
