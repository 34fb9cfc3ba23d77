"""Remember what a channel's recipients were answered, so that a retry goes only to those that it is for.

A message to several mailboxes or chats may be accepted for some of them. A retry after that would repeat it to them,
and giving up would lose it for the others: a server that greylists refuses a sender's first mail for some minutes, a
group's topic is closed for a while. What is kept here belongs to one process: another one repeats a message at most
once, under the same id (I4).
"""

from __future__ import annotations

import threading
from collections import OrderedDict

MAX_DELIVERIES = 1000
MAX_RECIPIENTS = 10_000
# Servers that greylist ask to come back within minutes; a recipient refused for longer has a full or closed mailbox, or
# a chat without the bot, and what the others get must not wait for it.
GREYLIST_SECONDS = 3600.0


class RecipientMemory:
    """Bounded, the oldest forgotten first; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accepted: OrderedDict[str, set[str]] = OrderedDict()
        self._refused_since: OrderedDict[str, float] = OrderedDict()

    def accepted(self, delivery: str) -> frozenset[str]:
        """Return the recipients that have this delivery already."""
        with self._lock:
            return frozenset(self._accepted.get(delivery, ()))

    def record_accepted(self, delivery: str, recipients: set[str]) -> None:
        """Record that these recipients have the delivery."""
        with self._lock:
            self._accepted.setdefault(delivery, set()).update(recipients)
            for recipient in recipients:
                self._refused_since.pop(recipient, None)
            if len(self._accepted) > MAX_DELIVERIES:
                self._accepted.popitem(last=False)

    def is_worth_waiting(self, recipient: str, now: float) -> bool:
        """Record that a recipient was refused for now. Return False if it has been for longer than servers greylist."""
        with self._lock:
            since = self._refused_since.setdefault(recipient, now)
            if len(self._refused_since) > MAX_RECIPIENTS:
                self._refused_since.popitem(last=False)
            return now - since < GREYLIST_SECONDS

    def forget(self, delivery: str) -> None:
        """Forget a delivery that is complete."""
        with self._lock:
            self._accepted.pop(delivery, None)
