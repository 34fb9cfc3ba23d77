"""Dramatiq's RabbitMQ broker with quorum queues, batched publisher confirms and typed errors (docs/dramatiq.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dramatiq
import pika
import pika.exceptions
from dramatiq.brokers.rabbitmq import DEAD_MESSAGE_TTL, RabbitmqBroker
from dramatiq.common import dq_name, q_name, xq_name

from overheard.bus import amqp
from overheard.bus.confirmed_channel import ConfirmedChannel, Publication
from overheard.bus.consumer import QuorumConsumer
from overheard.clock import Clock, system_clock

DELIVERY_LIMIT = 20  # of one message, against one that kills its process each time; RabbitMQ 4's default


class QuorumBroker(RabbitmqBroker):
    """The broker of the RabbitMQ at ``url``. It connects at the first use.

    ``enqueue`` returns when RabbitMQ has the message on disk, or raises BusUnavailable. Each thread has its own
    connection; a short-lived thread calls ``release()`` before it ends. ``clock`` times delayed messages, and must be
    the same for all publishers and consumers: their machines' clocks may differ.
    """

    def __init__(
        self,
        url: str,
        *,
        middleware: list[dramatiq.Middleware],
        name: str = "",
        clock: Clock = system_clock,
    ) -> None:
        params = amqp.parameters(url, name=name)
        super().__init__(url=url, confirm_delivery=True, middleware=middleware)
        self.parameters: Any = params
        self.clock = clock

    @property
    def consumer_class(self) -> type[QuorumConsumer]:
        return QuorumConsumer

    @property
    def connection(self) -> Any:
        """Return the current thread's connection; open it at the first use."""
        connection = self.state.__dict__.get("connection")
        if connection is None:
            connection = self.state.connection = amqp.connect(self.parameters)
            self.connections.add(connection)
        return connection

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Publish and wait for the confirm. ``delay`` is in milliseconds. Raises as ``enqueue_all`` does."""
        return self.enqueue_all([message], delay=delay)[0]

    def enqueue_all(
        self, messages: Sequence[dramatiq.Message[Any]], *, delay: int | None = None
    ) -> list[dramatiq.Message[Any]]:
        """Publish the messages together and wait once for all confirms. ``delay`` is in milliseconds.

        Raises BusUnavailable, QueueMismatch, or InvalidInput for a message that is too large; some of the messages may
        be published then.
        """
        if delay is not None:
            eta = int(self.clock() * 1000) + delay
            messages = [
                message.copy(queue_name=dq_name(message.queue_name), options={"eta": eta}) for message in messages
            ]
        bodies = [message.encode() for message in messages]
        confirmed = self.state.__dict__.get("confirmed")
        if confirmed is not None and confirmed.is_stale(self.parameters.heartbeat):
            self.release()
        amqp.retry_once(self.parameters, lambda: self._publish(messages, bodies, delay), self.release)
        return list(messages)

    def release(self) -> None:
        """Close the connection of the current thread, if it has one."""
        state = self.state.__dict__
        self.channels.discard(state.pop("channel", None))
        state.pop("confirmed", None)
        connection = state.pop("connection", None)
        if connection is not None:
            self.connections.discard(connection)
            amqp.close(connection)

    def close(self) -> None:
        for connection in tuple(self.connections):
            amqp.close(connection)
        self.connections.clear()
        self.channels.clear()

    def _publish(self, messages: Sequence[dramatiq.Message[Any]], bodies: list[bytes], delay: int | None) -> None:
        for message in messages:
            self.declare_queue(message.queue_name, ensure=True)
            self.emit_before("enqueue", message, delay)
        confirmed = self.state.__dict__.get("confirmed")
        if confirmed is None:
            confirmed = self.state.confirmed = ConfirmedChannel(self.connection)
        try:
            confirmed.publish(
                Publication("", message.queue_name, body, _properties(message))
                for message, body in zip(messages, bodies, strict=True)
            )
        except pika.exceptions.UnroutableError:
            # A queue was deleted: declare again.
            self.queues_pending |= {q_name(message.queue_name) for message in messages}
            raise
        for message in messages:
            self.emit_after("enqueue", message, delay)

    def _ensure_queue(self, canonical_queue_name: str) -> None:
        if canonical_queue_name not in self.queues_pending:
            return
        try:
            for declare in (self._declare_queue, self._declare_dq_queue, self._declare_xq_queue):
                declare(canonical_queue_name)
        except amqp.CONNECTION_ERRORS as error:
            self.release()
            if isinstance(error, pika.exceptions.ChannelClosedByBroker) and error.reply_code == 406:
                raise amqp.queue_mismatch(error.reply_text) from None
            raise amqp.unavailable(self.parameters, error) from None
        self.queues_pending.discard(canonical_queue_name)

    def _build_queue_arguments(self, queue_name: str) -> dict[str, Any]:
        return {
            **amqp.QUORUM,
            **super()._build_queue_arguments(queue_name),  # type: ignore[no-untyped-call]
            # A rejected message leaves its queue only when the dead-letter queue has confirmed it; that needs both.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }

    def _declare_queue(self, queue_name: str) -> Any:
        # A limit on the main queue only: each restart of a worker redelivers all messages on the delay queue.
        arguments = {**self._build_queue_arguments(queue_name), "x-delivery-limit": DELIVERY_LIMIT}
        return self.channel.queue_declare(queue=queue_name, durable=True, arguments=arguments)

    def _declare_xq_queue(self, queue_name: str) -> Any:
        arguments = {**amqp.QUORUM, "x-message-ttl": DEAD_MESSAGE_TTL}
        return self.channel.queue_declare(queue=xq_name(queue_name), durable=True, arguments=arguments)


def _properties(message: dramatiq.Message[Any]) -> Any:
    return pika.BasicProperties(
        delivery_mode=2, content_type="application/json", message_id=message.message_id, type=message.actor_name
    )
