"""The protocol by which a handler sends messages to the next stage."""

from __future__ import annotations

from typing import Protocol

from overheard.messages import Message


class Send(Protocol):
    """Sends a message to its stage's queue, confirmed, and returns its id. ``delay`` in seconds. Raises Unavailable."""

    def __call__(self, message: Message, *, delay: float | None = None) -> str: ...
