"""The outcomes that a handler returns, which decide what happens to its message.

    None        done: acknowledge it
    Later       republish it after ``delay``; it keeps its slot of a budget, uses no retry and holds no thread
    Rejected    dead-letter it at once, with the reason

Expected outcomes, such as a wait for a budget, are returned; faults are raised (``overheard.errors``).
"""

from __future__ import annotations

import math

import msgspec

from overheard.errors import BudgetExhausted
from overheard.messages import Message
from overheard.permits import Slot


class Later(msgspec.Struct, frozen=True):
    """Republish after ``delay`` seconds; ``message``, if part of the work is done, replaces the current one.

    A delay above 300 s (``bus.envelope.MAX_DELAY_SECONDS``), such as infinity, only ends the message: the work left is
    in the database, where a sweep finds it. ``bus.rate_limit.reschedule`` applies that limit, after the handler.
    """

    delay: float
    message: Message | None = None
    slot: Slot | None = None

    @classmethod
    def for_slot(cls, wait: BudgetExhausted, message: Message | None = None) -> Later:
        """Return the outcome that waits for the reserved slot; without one, leave the work to the sweep."""
        if wait.slot is None:
            return cls(math.inf)
        return cls(wait.delay, message, Slot(wait.key, wait.slot))


class Rejected(msgspec.Struct, frozen=True):
    """Dead-letter the message; ``reason`` is for people."""

    reason: str


Outcome = Later | Rejected | None
