"""The canary's part of a tick: its workspace is there or not, as the configuration says, and so are its gauges.

What makes an item come is the workspace's own due time, as with everybody's (``tick``).
"""

from __future__ import annotations

from overheard import schedule
from overheard.clock import Clock
from overheard.db import canaries
from overheard.db.database import Db
from overheard.errors import InvalidInput
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics

log = get_logger(__name__)

FORGET_EVERY = 600.0  # seconds between two looks at what is a day old


class Canary:
    """``interval``: seconds between two items; 0: there is none."""

    def __init__(self, *, db: Db, clock: Clock, interval: int, metrics: ProcessMetrics) -> None:
        self.db = db
        self.clock = clock
        self.interval = interval
        self.metrics = metrics
        self._forgot_at = float("-inf")
        self._complained = False

    def step(self) -> None:
        """Bring its workspace in line with the configuration, as several ticks may do at once, and set the gauges."""
        try:
            if self.interval:
                self._keep()
            elif canaries.remove(self.db, self.clock()):
                log.info("canary removed", stage="tick")
        except InvalidInput as error:
            if not self._complained:
                log.error("no canary", stage="tick", exc_info=error)
            self._complained = True
        self._report()

    def _keep(self) -> None:
        now = self.clock()
        state = canaries.state(self.db)
        if state is None or state.every != self.interval:
            canaries.ensure(self.db, self.interval, now, lambda text, zone: schedule.next_due(text, zone, now))
            log.info("canary begun", stage="tick", seconds=self.interval)
        canaries.record_delivered(self.db)
        if now - self._forgot_at >= FORGET_EVERY:
            self._forgot_at = now
            canaries.prune(self.db, now - canaries.DAY_SECONDS)

    def _report(self) -> None:
        state = canaries.state(self.db)
        self.metrics.canary_interval.set(state.every if state is not None else 0)
        self.metrics.canary_last_delivered.set((state.delivered_at or 0.0) if state is not None else 0.0)
