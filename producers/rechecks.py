"""The tick's part in rechecks: finds which items are due, and has the recheck stage ask their sources about them."""

from __future__ import annotations

from collections.abc import Callable

from overheard.bus.sender import Sender
from overheard.clock import Clock
from overheard.config import RecheckSettings
from overheard.db import rechecks
from overheard.db.database import Db
from overheard.db.rechecks import EARLY_FRACTION
from overheard.messages import RecheckItems
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.registry import lookup_sizes

REPORT_SECONDS = 60.0  # seconds between two counts of what is overdue


class Rechecks:
    """``waiting`` says how many of its messages the bus still holds: no more than ``batch`` are ever there."""

    def __init__(
        self,
        *,
        db: Db,
        sender: Sender,
        waiting: Callable[[], int],
        clock: Clock,
        rules: RecheckSettings,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.sender = sender
        self.waiting = waiting
        self.clock = clock
        self.rules = rules
        self.metrics = metrics
        self._reported = float("-inf")

    def ask(self) -> int:
        """Claim what is due and send it, a message a request; how many were sent. Raises Unavailable.

        A message that is lost, or that found the budget used up, leaves its items to a later tick.
        """
        now, within = self.clock(), self.rules.within_hours * 3600.0
        if not 0 <= now - self._reported < REPORT_SECONDS:
            self._reported = now
            self.metrics.recheck_overdue.set(rechecks.overdue(self.db, lookup_sizes(), now - within))
        before = now - EARLY_FRACTION * within
        due = {name: size for name, size in lookup_sizes().items() if rechecks.due(self.db, name, before, now)}
        sent, room = 0, self.rules.batch - self.waiting() if due else 0
        for name, size in due.items():
            if sent >= room:
                break
            for batch in rechecks.claim(self.db, name, size=size, before=before, now=now, requests=room - sent):
                self.sender.send(RecheckItems(source=name, item_ids=batch.item_ids, lease=batch.lease))
                sent += 1
        return sent
