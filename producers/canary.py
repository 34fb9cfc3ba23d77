"""The canary's step of a tick: create or remove its workspace as configured, and set its gauges.

Its items are produced like those of any workspace, by the workspace's due time (``tick``).
"""

from __future__ import annotations

from overheard import schedule
from overheard.clock import Clock
from overheard.db import canaries
from overheard.db.database import Db
from overheard.errors import InvalidInput
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from producers.throttle import Throttle

log = get_logger(__name__)

PRUNE_SECONDS = 600.0  # between two removals of items that are a day old


class Canary:
    """The tick's step for the canary. ``interval``: seconds between two items; 0: the canary is off."""

    def __init__(self, *, db: Db, clock: Clock, interval: int, metrics: ProcessMetrics) -> None:
        self.db = db
        self.clock = clock
        self.interval = interval
        self.metrics = metrics
        # The first step prunes: the process may have been away for longer than a day.
        self._prune_throttle = Throttle(PRUNE_SECONDS)
        self._logged_error = False

    def step(self) -> None:
        """Bring the workspace in line with the configuration, and set the gauges. Several ticks may do so at once."""
        try:
            if self.interval:
                self._maintain()
            elif canaries.remove(self.db, self.clock()):
                log.info("canary removed", stage="tick")
        except InvalidInput as error:
            if not self._logged_error:  # once, not at every tick: only the operator can change it
                log.error("canary not created", stage="tick", exc_info=error)
            self._logged_error = True
        self._report()

    def _maintain(self) -> None:
        now = self.clock()
        state = canaries.state(self.db)
        if state is None or state.every != self.interval:
            canaries.ensure(self.db, self.interval, now, lambda text, zone: schedule.next_due(text, zone, now))
            log.info("canary started", stage="tick", seconds=self.interval)
        canaries.record_delivered(self.db)
        if self._prune_throttle.allows(now):
            canaries.prune(self.db, now - canaries.DAY_SECONDS)

    def _report(self) -> None:
        state = canaries.state(self.db)
        self.metrics.canary_interval.set(state.every if state is not None else 0)
        self.metrics.canary_last_delivered.set((state.delivered_at or 0.0) if state is not None else 0.0)
