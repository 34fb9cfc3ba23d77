"""The tick: finds due and lost work in the database, and publishes events and messages for it (I1)."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import msgspec

from overheard.clock import Clock
from overheard.config import TickSettings
from overheard.db import heartbeats
from overheard.db.database import Db
from overheard.errors import ConfigError, RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from producers.alerts import OperatorAlerts
from producers.gauges import SystemGauges
from producers.tick_steps import TickReport, TickStep

log = get_logger(__name__)

BEAT = "tick"


class Ticker:
    """Takes the steps of a tick, in their order: ``wiring.tick_steps`` has them."""

    def __init__(
        self,
        steps: Sequence[TickStep],
        *,
        db: Db,
        clock: Clock,
        settings: TickSettings,
        metrics: ProcessMetrics,
        gauges: SystemGauges,
        alerts: OperatorAlerts | None = None,
    ) -> None:
        self.steps = steps
        self.db = db
        self.clock = clock
        self.settings = settings
        self.metrics = metrics
        self.gauges = gauges
        self.alerts = alerts
        self.began = clock()
        self.last_success: float | None = None
        self.failing_since: float | None = None
        self.failure = ""  # the error of the last tick, if a server was away

    def tick(self) -> TickReport:
        """Take all steps once. Several tick processes may run side by side: all work is claimed by conditional UPDATE.

        A failing step stops none of the others (I6), but the tick has failed then, and records no heartbeat.
        Raises RetryableError when a server is away: a sweep of a later tick finds what was claimed and not published.
        """
        report = TickReport()
        with self.db.session():
            for step in self.steps:
                self._take(step, report)
            if not report.broken:
                self._record_success(report)
        return report

    def _take(self, step: TickStep, report: TickReport) -> None:
        try:
            with self.db.session():
                step.run(report)
        # A server is away, or the schema is another version's: the other steps would fail as well.
        except (RetryableError, ConfigError):
            raise
        except Exception:  # an unforeseen row would fail every tick
            log.exception("tick step failed", stage=BEAT, step=step.name)
            report.broken += 1

    def _record_success(self, report: TickReport) -> None:
        now = self.clock()
        heartbeats.record(self.db, BEAT, now)
        self.last_success = now
        self.metrics.tick_last_success.set(now)
        self.metrics.due_workspaces.set(report.due)


def run(ticker: Ticker, stop: threading.Event) -> None:
    """Tick every ``[tick] interval`` seconds until ``stop`` is set; after a full batch, tick again at once."""
    while not stop.is_set():
        pause = ticker.settings.interval
        began, failed = time.monotonic(), False
        # Before the tick: it may wait out a timeout before it raises, and that belongs to the outage.
        began_at = ticker.clock()
        try:
            report = ticker.tick()
            ticker.failing_since = None
            failed = report.broken > 0
            _log_report(report, began)
            if max(report.due, report.digests) >= ticker.settings.batch:
                pause = 0.0
        except RetryableError as error:
            failed = True
            ticker.failing_since, ticker.failure = ticker.failing_since or began_at, str(error)
            log.warning("tick failed", stage=BEAT, ms=_ms(began), exc_info=error)
        if ticker.alerts is not None:
            ticker.alerts.step(failed=failed)
        ticker.gauges.gather()
        stop.wait(pause)


def _log_report(report: TickReport, began: float) -> None:
    counts = {name: count for name, count in msgspec.structs.asdict(report).items() if count}
    # Swept work was lost by a crash or an outage: a warning. A tick that found nothing is only logged at DEBUG.
    is_unusual = any(name.startswith(("swept_", "broken")) for name in counts)
    level = log.warning if is_unusual else log.info if counts else log.debug
    level("tick done", stage=BEAT, ms=_ms(began), **counts)


def _ms(began: float) -> float:
    # Monotonic: a clock that is set would make a duration negative or endless.
    return round((time.monotonic() - began) * 1000, 1)
