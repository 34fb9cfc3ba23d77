"""What a handler is given to hand on the next message with."""

from __future__ import annotations

from typing import Protocol

from overheard.messages import Message


class Send(Protocol):
    """Puts a message on its stage's queue, confirmed. ``delay`` in seconds. Raises Unavailable."""

    def __call__(self, message: Message, *, delay: float | None = None) -> str: ...
