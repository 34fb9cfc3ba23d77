"""What a handler returns: what is to happen to its message.

    None        done: it is acknowledged
    Later       a copy comes back after ``delay``; it keeps its slot at a budget, uses no retry and holds no thread
    Rejected    it is a dead letter at once, with the reason

What is expected, such as waiting for a budget, is returned; faults are raised (``overheard.errors``).
"""

from __future__ import annotations

import math

import msgspec

from overheard.errors import BudgetExhausted
from overheard.messages import Message
from overheard.permits import Slot


class Later(msgspec.Struct, frozen=True):
    """Come back in ``delay`` seconds, with ``message`` in place of the one at hand when part of its work is done.

    Waits of more than the bus's five minutes end here: the database knows what is left to do, and a sweep finds it.
    """

    delay: float
    message: Message | None = None
    slot: Slot | None = None

    @classmethod
    def for_slot(cls, wait: BudgetExhausted, message: Message | None = None) -> Later:
        """Come back for the slot that was reserved; where none was, leave it to the sweep."""
        if wait.slot is None:
            return cls(math.inf)
        return cls(wait.delay, message, Slot(wait.key, wait.slot))


class Rejected(msgspec.Struct, frozen=True):
    """Give the message up; ``reason`` is for people."""

    reason: str


Outcome = Later | Rejected | None
