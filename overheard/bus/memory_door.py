"""The public door inside one process."""

from __future__ import annotations

from typing import Any

from overheard.bus.dead import Record
from overheard.bus.events import encode
from overheard.bus.refusal import Handle, keep, outcome


class MemoryEvents:
    """The same promises as ``door.Events``; the handler is called at once."""

    def __init__(self, handle: Handle, record: Record) -> None:
        self._handle = handle
        self._record = record

    def publish(self, type: str, body: dict[str, Any]) -> str:
        """Raises InvalidInput like ``Events``, and TryAgain when the handler does."""
        raw, message_id = encode(type, body)
        reason = outcome(self._handle, type, raw, message_id)
        if reason is not None:
            keep(self._record, type, raw, message_id, reason)
        return message_id

    def close(self) -> None:
        """There is nothing to close."""
