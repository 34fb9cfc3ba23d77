"""The operator's alerts: incidents go to one channel, grouped and rate-limited, beside a tick's work.

Incidents are in the database (``db/incidents.py``), and so is the rate limit: one alert per ``[alerts] every`` seconds
for all ticks together. An alert is sent in a thread of its own, so that no tick waits for a receiver, and its incidents
are removed only after it was sent: if the channel is down or the tick dies, the next alert has them. A failed alert is
logged and counted, but is not an incident itself: each would cause the next.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from functools import partial

from overheard.channels import Transport
from overheard.clock import Clock
from overheard.config import Config
from overheard.db import budgets, canaries, heartbeats, incidents, source_health
from overheard.db.database import Db
from overheard.db.incidents import IncidentCount
from overheard.errors import InvalidInput, PermanentError, RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import reddit_clients
from overheard.operations.operator_alert import alert_error, compose
from overheard.operations.outages import outages
from overheard.sources.registry import watchable

log = get_logger(__name__)

BUDGET = "alerts"
FAILING_TICKS = 3  # in a row, before they are an incident: one may be a restart of a server
UNSENT_MAX_SECONDS = 86400.0  # that incidents are kept while no channel is configured

Start = Callable[[Callable[[], None]], None]


def _in_a_thread(work: Callable[[], None]) -> None:
    # A daemon thread: a receiver that hangs must not keep the process from ending.
    threading.Thread(target=work, name="alert", daemon=True).start()


class OperatorAlerts:
    """Sends alerts. ``open_transport`` opens the operator's channel; None: no channel is configured."""

    def __init__(
        self,
        *,
        db: Db,
        clock: Clock,
        config: Config,
        open_transport: Callable[[], Transport] | None,
        metrics: ProcessMetrics,
        start: Start = _in_a_thread,
    ) -> None:
        self.db = db
        self.clock = clock
        self.config = config
        self.open_transport = open_transport
        self.metrics = metrics
        self._start = start
        self._sending = False
        self._failures = 0
        self._held = 0

    def step(self, *, failed: bool = False) -> None:
        """Record incidents and send a due alert, after each tick; ``failed`` is the tick's result. Raise nothing."""
        try:
            with self.db.session():
                self._record_incidents(failed)
                self._send_due()
        except RetryableError as error:
            # Only DEBUG: the tick has already logged that a server is away.
            log.debug("alerts postponed", stage="tick", exc_info=error)
        except Exception:
            log.exception("alert step failed", stage="tick")

    def _record_incidents(self, failed: bool) -> None:
        now = self.clock()
        self._failures = self._failures + 1 if failed else 0
        # Equal, not at least: a series of failures is one incident, however long it lasts.
        if self._failures == FAILING_TICKS:
            incidents.record(self.db, "tick failing", socket.gethostname(), now)
        states = {name: source_health.state(self.db, name) for name in watchable()}
        clients = reddit_clients.clients(self.db, self.config)
        for outage in outages(canaries.state(self.db), states, clients, now):
            # Once per outage, however long it lasts and whichever tick sees it first.
            if outage.is_alert and heartbeats.record_once(self.db, outage.key, outage.since):
                incidents.record(self.db, outage.kind, outage.place, now)

    def _send_due(self) -> None:
        unreported = incidents.unreported(self.db)
        if not unreported:
            self._held = 0
            return
        if self.open_transport is None:
            # Nothing else would remove them. A channel that is configured later still gets those of the last day.
            incidents.delete_before(self.db, self.clock() - UNSENT_MAX_SECONDS)
            return
        # The incidents of an alert in flight are not marked yet: a second alert would repeat them.
        if self._sending:
            return
        if not budgets.claim_slot(self.db, BUDGET, self.config.alerts.every):
            self._count_held_back(sum(incident.count for incident in unreported))
            return
        self._held = 0
        self._sending = True
        try:
            self._start(partial(self._send, self.open_transport, unreported))
        except RuntimeError:  # no thread could be started: later alerts must still be sent
            self._sending = False
            raise

    def _count_held_back(self, count: int) -> None:
        # Count only when incidents were added: the metric counts alerts held back, not ticks.
        if count > self._held:
            self.metrics.alerts.labels("held back").inc()
        self._held = count

    def _send(self, open_transport: Callable[[], Transport], unreported: Sequence[IncidentCount]) -> None:
        # Set first, so that an unforeseen error is counted as well.
        outcome = "failed"
        try:
            open_transport().send(compose(unreported))
            outcome = "sent"
            with self.db.session():
                incidents.mark_reported(self.db, unreported)
            log.info("alert sent", stage="tick", incidents=sum(incident.count for incident in unreported))
        except (InvalidInput, PermanentError, RetryableError) as error:
            log.warning("alert failed", stage="tick", error=type(error).__name__, reason=alert_error(error))
        except Exception:
            log.exception("alert failed", stage="tick")
        finally:
            self.metrics.alerts.labels(outcome).inc()
            self.db.release()  # this thread's connection
            self._sending = False
