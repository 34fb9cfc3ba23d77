"""The protocols by which a handler sends messages to the next stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from overheard.messages import Message


class Send(Protocol):
    """Sends a message to its stage's queue, confirmed, and returns its id. ``delay`` in seconds. Raises Unavailable."""

    def __call__(self, message: Message, *, delay: float | None = None) -> str: ...


class OutgoingMessage(msgspec.Struct, frozen=True):
    """A message to send together with others; ``log_context`` are the log fields that it carries along.

    Without a ``message_id`` it gets a new one.
    """

    message: Message
    message_id: str | None = None
    log_context: Mapping[str, Any] = {}


class SendAll(Protocol):
    """Sends messages together, and waits once for all confirms. Raises Unavailable; any of them may be sent then."""

    def __call__(self, messages: Sequence[OutgoingMessage]) -> None: ...
