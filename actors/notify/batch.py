"""A round's batch: the claimed deliveries of one channel, and until when they are ours."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overheard.db import deliveries
from overheard.db.database import Db
from overheard.db.deliveries import ClaimedDelivery


class DeliveryBatch:
    """``rest`` was not tried yet, the next one first; the claim on it, and on the one at hand, ends at ``held_until``.

    What is said of a delivery holds only while the claim does: a process that stood still for longer than that must
    not give back what another one is sending.
    """

    def __init__(self, db: Db, claimed: Sequence[ClaimedDelivery], held_until: float) -> None:
        self.db = db
        self.rest = list(claimed)
        self.held_until = held_until
        self.failing = any(delivery.failing for delivery in claimed)  # the channel, as far as is known
        self.next_try = math.inf  # the earliest of those that were put off

    def hold(self, until: float) -> bool:
        """Hold the rest until then; False: the claim ran out, and another round has taken the deliveries over."""
        ours = deliveries.extend(self.db, self._ids, self.held_until, until)
        if ours:
            self.held_until = until
        return ours

    def give_back(self, until: float) -> None:
        """Let go of the rest, which costs it no try; it is due at ``until``."""
        deliveries.release(self.db, self._ids, self.held_until, until)

    def put_off(self, delivery: ClaimedDelivery, until: float, reason: str) -> None:
        """Note that its try failed: it is due again at ``until``."""
        deliveries.reschedule(self.db, delivery.id, self.held_until, until, reason)
        self.next_try = min(self.next_try, until)

    def fail(self, delivery: ClaimedDelivery, reason: str) -> None:
        """Give it up."""
        deliveries.mark_failed(self.db, delivery.id, self.held_until, reason)

    @property
    def _ids(self) -> list[str]:
        return [delivery.id for delivery in self.rest]
