"""Public events inside one process."""

from __future__ import annotations

from typing import Any

from overheard.bus.dead_letters import RecordAll
from overheard.bus.event_batches import EventBatchHandler, HandleAll, IncomingEvent
from overheard.bus.events import encode
from overheard.observability.metrics import ProcessMetrics


class MemoryEvents:
    """The same contract as ``public_exchange.RabbitEvents``; the handler runs in the publishing thread."""

    def __init__(self, handle: HandleAll, record: RecordAll, metrics: ProcessMetrics) -> None:
        self._batches = EventBatchHandler(handle, record, metrics)

    def publish(self, type: str, body: dict[str, Any]) -> str:
        """Handle the event; return its message id. Raises InvalidInput, and RetryableError as the handler does."""
        raw, message_id = encode(type, body)
        self._batches.process([IncomingEvent(type, raw, message_id)])
        return message_id

    def close(self) -> None:
        """Do nothing: there is no connection to close."""
