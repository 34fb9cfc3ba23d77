"""The public door inside one process."""

from __future__ import annotations

from typing import Any

from overheard.bus.dead_letters import RecordAll
from overheard.bus.events import encode
from overheard.bus.intake import EventBatch, HandleAll, IncomingEvent
from overheard.observability.metrics import ProcessMetrics


class MemoryEvents:
    """The same promises as ``door.Events``; the handler is called at once."""

    def __init__(self, handle: HandleAll, record: RecordAll, metrics: ProcessMetrics) -> None:
        self._intake = EventBatch(handle, record, metrics)

    def publish(self, type: str, body: dict[str, Any]) -> str:
        """Raises InvalidInput like ``Events``, and RetryableError when the handler does."""
        raw, message_id = encode(type, body)
        self._intake.take([IncomingEvent(type, raw, message_id)])
        return message_id

    def close(self) -> None:
        """There is nothing to close."""
