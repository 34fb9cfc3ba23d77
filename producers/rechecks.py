"""The tick's part in rechecks: finds which items are due, and asks the recheck stage to ask Reddit about them."""

from __future__ import annotations

from collections.abc import Callable

from overheard.bus.sender import Sends
from overheard.clock import Clock
from overheard.config import Recheck as Rules
from overheard.db import rechecks
from overheard.db.connect import Db
from overheard.db.rechecks import EARLY
from overheard.messages import RecheckItems
from overheard.metrics import Metrics

REPORTED = 60.0  # seconds between two counts of what is overdue


class Rechecks:
    """``waiting`` says how many of its messages the bus still holds: no more than ``batch`` are ever there."""

    def __init__(
        self, *, db: Db, sender: Sends, waiting: Callable[[], int], clock: Clock, rules: Rules, metrics: Metrics
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
        if not 0 <= now - self._reported < REPORTED:
            self._reported = now
            self.metrics.recheck_overdue.set(rechecks.overdue(self.db, now - within))
        before = now - EARLY * within
        if not rechecks.due(self.db, before, now):
            return 0
        room = self.rules.batch - self.waiting()
        if room <= 0:
            return 0
        claimed = rechecks.claim(self.db, before=before, now=now, requests=room)
        for batch in claimed:
            self.sender.send(RecheckItems(item_ids=batch.item_ids, lease=batch.lease))
        return len(claimed)
