"""The exchange and queues of public events on RabbitMQ, and the publisher of events (docs/dramatiq.md).

overheard.events (topic) ── known types ──► overheard.ingress
      └─ alternate exchange overheard.unrouted (fanout) ──► overheard.unrouted    mistyped keys
events that the ingress rejects ──► overheard.rejected, with the reason in the headers
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

import pika
import pika.exceptions

from overheard.bus import amqp
from overheard.bus.confirmed_channel import ConfirmedChannel, Publication
from overheard.bus.events import TYPES, encode, parse

EXCHANGE = "overheard.events"
INGRESS = "overheard.ingress"
UNROUTED = "overheard.unrouted"
REJECTED = "overheard.rejected"


class EventPublisher(Protocol):
    """Publishes events, for the tick and ``overheard trigger``."""

    def publish(self, type: str, body: dict[str, Any]) -> str:
        """Publish an event; return its message id. Raises InvalidInput, Unavailable."""


def declare(channel: Any) -> None:
    """Declare exchange and queues. Raises QueueMismatch if one exists with other arguments."""
    try:
        channel.exchange_declare(UNROUTED, "fanout", durable=True)
        channel.exchange_declare(EXCHANGE, "topic", durable=True, arguments={"alternate-exchange": UNROUTED})
        for queue in (INGRESS, UNROUTED, REJECTED):
            channel.queue_declare(queue, durable=True, arguments=amqp.QUORUM)
        channel.queue_bind(UNROUTED, UNROUTED)
        for key in TYPES:
            channel.queue_bind(INGRESS, EXCHANGE, routing_key=key)
    except pika.exceptions.ChannelClosedByBroker as error:
        if error.reply_code != 406:
            raise
        raise amqp.queue_mismatch(error.reply_text) from None


class RabbitEvents:
    """Publishes events, confirmed. Thread-safe; connects at the first use and after a lost connection."""

    def __init__(self, url: str, *, name: str = "events") -> None:
        self._params = amqp.parameters(url, name=name)
        self._lock = threading.Lock()
        self._connection: Any = None
        self._channel: ConfirmedChannel | None = None

    def publish(self, type: str, body: dict[str, Any]) -> str:
        """Return the message id when RabbitMQ has the event on disk. Raises InvalidInput as the ingress would."""
        raw, message_id = encode(type, body)
        self._publish(type, raw, message_id)
        return message_id

    def replay(self, type: str, body: bytes, message_id: str) -> None:
        """Publish a rejected event again, unchanged. Raises InvalidInput if it would be rejected again."""
        parse(type, body)
        self._publish(type, body, message_id)

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def _publish(self, type: str, body: bytes, message_id: str) -> None:
        publication = Publication(EXCHANGE, type, body, persistent(message_id))
        with self._lock:
            if self._channel is not None and self._channel.is_stale(self._params.heartbeat):
                self._disconnect()
            amqp.retry_once(self._params, lambda: self._connected().publish([publication]), self._disconnect)

    def _connected(self) -> ConfirmedChannel:
        if self._channel is None:
            self._connection = amqp.connect(self._params)
            declare(self._connection.channel())
            self._channel = ConfirmedChannel(self._connection)
        return self._channel

    def _disconnect(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            amqp.close(connection)


def persistent(message_id: str | None, headers: dict[str, Any] | None = None) -> Any:
    """Return the properties of a persistent message."""
    return pika.BasicProperties(
        content_type="application/json", delivery_mode=2, message_id=message_id, headers=headers
    )
