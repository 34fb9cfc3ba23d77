"""The tick's step for rechecks: claim due items and send them to the recheck stage."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from overheard.bus.sender import Sender
from overheard.clock import Clock
from overheard.config import RecheckSettings
from overheard.db import rechecks
from overheard.db.database import Db
from overheard.db.rechecks import EARLY_FRACTION
from overheard.messages import RecheckItems
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.registry import lookup_sizes
from producers.throttle import Throttle

T = TypeVar("T")

REPORT_SECONDS = 60.0  # between two counts of overdue items: a count over many rows


class Rechecks:
    """Sends rechecks. ``waiting`` returns how many the bus still holds: more than ``batch`` are never there."""

    def __init__(
        self,
        *,
        db: Db,
        sender: Sender,
        waiting: Callable[[], int],
        clock: Clock,
        settings: RecheckSettings,
        metrics: ProcessMetrics,
    ) -> None:
        self.db = db
        self.sender = sender
        self.waiting = waiting
        self.clock = clock
        self.settings = settings
        self.metrics = metrics
        self._report_throttle = Throttle(REPORT_SECONDS)
        self._turn = 0

    def send_due(self) -> int:
        """Claim due items and send one message per request; return how many. Raises Unavailable.

        Each source gets an even share of the messages, and another source is the first each time: one that has very
        many items due, or does not answer, takes no other's turn.
        The items of a message that is lost, or that finds the budget used up, become due again when the claim ends.
        """
        now, within = self.clock(), self.settings.within_hours * 3600.0
        if self._report_throttle.allows(now):
            self.metrics.recheck_overdue.set(rechecks.overdue(self.db, lookup_sizes(), now - within))
        # Early, so that requests which would otherwise be lost can be used; late ones take from the budget.
        before = now - EARLY_FRACTION * within
        due = [(name, size) for name, size in lookup_sizes().items() if rechecks.due(self.db, name, before, now)]
        # The bus is asked only if something is due: on RabbitMQ the question takes a connection.
        sent, room = 0, self.settings.batch - self.waiting() if due else 0
        self._turn += 1
        for position, (name, size) in enumerate(_rotated(due, self._turn)):
            share = math.ceil((room - sent) / (len(due) - position))
            if share <= 0:
                break
            for batch in rechecks.claim(self.db, name, size=size, before=before, now=now, requests=share):
                self.sender.send(RecheckItems(source=name, item_ids=batch.item_ids, lease=batch.held_until))
                sent += 1
        return sent


def _rotated(due: Sequence[T], turn: int) -> Sequence[T]:
    start = turn % len(due) if due else 0
    return [*due[start:], *due[:start]]
