"""The operator's alerts: what went wrong is told to one channel, together and not often, beside a tick's work.

What is to be told is in the database (``db/incidents.py``), and so is who may tell it when: one alert in ``[alerts]
every`` seconds, whichever tick sends it. It is sent in a thread of its own, so that no tick waits for a receiver, and
taken away when it was sent: an alert channel that is down, or a tick that dies, leaves it to the next alert. A failed
alert is logged and counted, and never becomes an incident itself.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial

from overheard.channels import Channel
from overheard.clock import Clock
from overheard.db import budgets, canaries, heartbeats, incidents, source_health
from overheard.db.database import Db
from overheard.db.incidents import IncidentCount
from overheard.errors import InvalidInput, PermanentError, RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations.operator_alert import alert_error, compose
from overheard.operations.outages import outages
from overheard.sources.reddit.names import SOURCE

log = get_logger(__name__)

BUDGET = "alerts"
FAILING_TICKS = 3  # ticks in a row
UNSENT_MAX_SECONDS = 86400.0  # seconds for which incidents wait for somebody to be told

Start = Callable[[Callable[[], None]], None]


def _in_a_thread(work: Callable[[], None]) -> None:
    # A daemon: a receiver that hangs does not keep the process from ending.
    threading.Thread(target=work, name="alert", daemon=True).start()


class OperatorAlerts:
    """``open`` makes the operator's channel; None: there is none."""

    def __init__(
        self,
        *,
        db: Db,
        clock: Clock,
        every: float,
        open: Callable[[], Channel] | None,
        metrics: ProcessMetrics,
        start: Start = _in_a_thread,
    ) -> None:
        self.db = db
        self.clock = clock
        self.every = every
        self.open = open
        self.metrics = metrics
        self._start = start
        self._sending = False
        self._failures = 0
        self._held = 0

    def step(self, *, failed: bool = False) -> None:
        """After each tick. ``failed``: the tick did not get to its end. Raises nothing: alerts stop no work."""
        try:
            with self.db.session():
                self._note(failed)
                self._tell()
        except RetryableError as error:
            log.debug("alerts put off", stage="tick", exc_info=error)
        except Exception:
            log.exception("alerts broke", stage="tick")

    def _note(self, failed: bool) -> None:
        now = self.clock()
        self._failures = self._failures + 1 if failed else 0
        if self._failures == FAILING_TICKS:
            incidents.record(self.db, "tick failing", socket.gethostname(), now)
        for outage in outages(canaries.state(self.db), source_health.state(self.db, SOURCE), now):
            # Once for each, however long it lasts and whichever tick sees it.
            if outage.is_alert and heartbeats.record_once(self.db, outage.kind, outage.since):
                incidents.record(self.db, outage.kind, outage.where, now)

    def _tell(self) -> None:
        noted = incidents.unreported(self.db)
        if not noted:
            self._held = 0
            return
        if self.open is None:
            incidents.delete_before(self.db, self.clock() - UNSENT_MAX_SECONDS)
            return
        if self._sending:
            return
        if not budgets.claim_slot(self.db, BUDGET, self.every):
            self._hold(sum(each.count for each in noted))
            return
        self._held = 0
        self._sending = True
        try:
            self._start(partial(self._send, self.open, noted))
        except RuntimeError:  # a machine without a thread to spare must not silence all that is to come
            self._sending = False
            raise

    def _hold(self, count: int) -> None:
        if count > self._held:
            self.metrics.alerts.labels("held back").inc()
        self._held = count

    def _send(self, open: Callable[[], Channel], noted: Sequence[IncidentCount]) -> None:
        outcome = "failed"
        try:
            open().send(compose(noted))
            outcome = "sent"
            with self.db.session():
                incidents.mark_reported(self.db, noted)
            log.info("alert sent", stage="tick", incidents=sum(each.count for each in noted))
        except (InvalidInput, PermanentError, RetryableError) as error:
            log.warning("alert failed", stage="tick", error=type(error).__name__, reason=alert_error(error))
        except Exception:
            log.exception("alert failed", stage="tick")
        finally:
            self.metrics.alerts.labels(outcome).inc()
            self.db.release()  # the thread ends, and its connection with it
            self._sending = False
