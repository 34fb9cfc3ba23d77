"""The batch of a round: the claimed deliveries of one channel, and the end of their claim."""

from __future__ import annotations

import math
from collections.abc import Sequence

from overheard.db import deliveries
from overheard.db.database import Db
from overheard.db.deliveries import ClaimedDelivery


class DeliveryBatch:
    """``remaining`` are the deliveries not attempted yet, the next one first.

    The claim on them, and on the one being attempted, ends at ``held_until``. Every change applies only while the claim
    holds: a process that hung for longer must not release what another process is sending.
    """

    def __init__(self, db: Db, claimed: Sequence[ClaimedDelivery], held_until: float) -> None:
        self.db = db
        self.remaining = list(claimed)
        self.held_until = held_until
        self.failing = any(delivery.failing for delivery in claimed)  # the channel, when the batch was claimed
        self.next_attempt_at = math.inf  # the earliest among the postponed deliveries

    def extend(self, until: float) -> bool:
        """Extend the claim. Return False if it expired and another round has taken the deliveries over."""
        held = deliveries.extend(self.db, self._ids, self.held_until, until)
        if held:
            self.held_until = until
        return held

    def release(self, until: float) -> None:
        """Release the remaining deliveries, which become due at ``until``; this counts as no attempt."""
        deliveries.release(self.db, self._ids, self.held_until, until)

    def postpone(self, delivery: ClaimedDelivery, until: float, reason: str) -> None:
        """Make the delivery due again at ``until``, after a failed attempt."""
        deliveries.postpone(self.db, delivery.id, self.held_until, until, reason)
        self.next_attempt_at = min(self.next_attempt_at, until)

    def fail(self, delivery: ClaimedDelivery, reason: str) -> None:
        """Give up a delivery permanently."""
        deliveries.mark_failed(self.db, delivery.id, self.held_until, reason)

    @property
    def _ids(self) -> list[str]:
        return [delivery.id for delivery in self.remaining]
