"""Dramatiq's RabbitMQ broker with our answers to its faults (docs/dramatiq.md).

Quorum queues, publisher confirms, errors with a meaning.
"""

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

DELIVERY_LIMIT = 20  # deliveries of one message: against a message that kills its process each time


class QuorumBroker(RabbitmqBroker):
    """Quorum queues and confirms on the RabbitMQ at ``url``. Opens no connection until it is used.

    ``enqueue`` returns when RabbitMQ has the message on disk; else it raises BusUnavailable. Each thread has its own
    connection: a thread that will not live as long as the process calls ``release()`` when it is done. ``clock`` says
    when a delayed message is due: it has to be the same for all who publish and consume, whatever their machines' are.
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
        """The current thread's connection."""
        found = self.state.__dict__.get("connection")
        if found is None:
            found = self.state.connection = amqp.connect(self.parameters)
            self.connections.add(found)
        return found

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Publish and wait for the confirm. ``delay`` is in milliseconds. Raises as ``enqueue_all`` does."""
        return self.enqueue_all([message], delay=delay)[0]

    def enqueue_all(
        self, messages: Sequence[dramatiq.Message[Any]], *, delay: int | None = None
    ) -> list[dramatiq.Message[Any]]:
        """Publish them together and wait once for all confirms.

        Raises BusUnavailable, QueueMismatch, or InvalidInput for a message that is too large; some may be published
        then.
        """
        if delay is not None:
            eta = int(self.clock() * 1000) + delay
            messages = [each.copy(queue_name=dq_name(each.queue_name), options={"eta": eta}) for each in messages]
        bodies = [each.encode() for each in messages]
        confirmed = self.state.__dict__.get("confirmed")
        if confirmed is not None and confirmed.is_stale(self.parameters.heartbeat):
            self.release()
        amqp.retry_once(self.parameters, lambda: self._publish(messages, bodies, delay), self.release)
        return list(messages)

    def release(self) -> None:
        """Close the connection of the current thread, if it has one."""
        mine = self.state.__dict__
        self.channels.discard(mine.pop("channel", None))
        mine.pop("confirmed", None)
        connection = mine.pop("connection", None)
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
            self.queues_pending |= {q_name(each.queue_name) for each in messages}  # somebody deleted one
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
            # A parked message leaves its queue only when the dead-letter queue has confirmed it.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }

    def _declare_queue(self, queue_name: str) -> Any:
        # On the main queue only: every restart of a worker redelivers what waits on the delay queue.
        arguments = {**self._build_queue_arguments(queue_name), "x-delivery-limit": DELIVERY_LIMIT}
        return self.channel.queue_declare(queue=queue_name, durable=True, arguments=arguments)

    def _declare_xq_queue(self, queue_name: str) -> Any:
        arguments = {**amqp.QUORUM, "x-message-ttl": DEAD_MESSAGE_TTL}
        return self.channel.queue_declare(queue=xq_name(queue_name), durable=True, arguments=arguments)


def _properties(message: dramatiq.Message[Any]) -> Any:
    return pika.BasicProperties(
        delivery_mode=2, content_type="application/json", message_id=message.message_id, type=message.actor_name
    )
