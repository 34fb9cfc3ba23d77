"""The consumer of a stage's queue on RabbitMQ."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import (
    RabbitmqBroker,
    _RabbitmqConsumer,  # the class to override for Broker.consumer_class; it has no public name
    _RabbitmqMessage,
)
from dramatiq.common import current_millis, q_name

from overheard.bus import amqp
from overheard.bus.envelope import MAX_DELAY_SECONDS
from overheard.observability.log import get_logger

log = get_logger(__name__)


class QuorumConsumer(_RabbitmqConsumer):
    """A consumer that parks messages addressed to another queue, and settles only messages of its own connection.

    Dramatiq finds the consumer to acknowledge on by the queue that the message names: for a foreign name that is a
    KeyError, which kills the worker thread; after a reconnect it would acknowledge another message, the one that has
    the same delivery tag on the new connection.
    """

    def __init__(self, broker: RabbitmqBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        # Not super().__init__: it would open a connection without our timeouts. So its attributes, logger and
        # known_tags among them, are set here.
        self.active_at = time.monotonic()
        self.broker = broker
        self.queue_name = queue_name
        self.logger = dramatiq.get_logger(__name__, type(self))  # type: ignore[no-untyped-call]
        self.known_tags: set[int] = set()
        self.connection = amqp.connect(amqp.consuming(broker.parameters))
        try:
            self.channel = self.connection.channel()
            self.channel.basic_qos(prefetch_count=prefetch)
            self.iterator = self.channel.consume(queue_name, inactivity_timeout=timeout / 1000)
        except amqp.CONNECTION_ERRORS as error:
            amqp.close(self.connection)
            raise amqp.unavailable(broker.parameters, error) from None
        self._probe = amqp.IdleProbe(self.channel, prefetch)

    @property
    def connected(self) -> bool:
        return bool(self.connection.is_open)

    def __next__(self) -> dramatiq.MessageProxy | None:
        self.active_at = time.monotonic()
        try:
            method, _, body = next(self.iterator)
            if method is None:
                self._probe.probe_if_idle()
                return None
        except (AssertionError, *amqp.CONNECTION_ERRORS) as error:
            if getattr(error, "reply_code", None) == 404:
                self.broker.queues_pending.add(q_name(self.queue_name))  # the queue was deleted: declare it again
            raise amqp.unavailable(self.broker.parameters, error) from None
        self._probe.restart()
        try:
            message = dramatiq.Message.decode(body)
        except dramatiq.DecodeError as error:
            self._park(method.delivery_tag, str(error.error))
            return None
        if message.queue_name != self.queue_name:
            self._park(method.delivery_tag, f"it is addressed to {message.queue_name}")
            return None
        if "eta" in message.options:
            message.options["eta"] = current_millis() + self._delay(message.options["eta"])
        self.known_tags.add(method.delivery_tag)
        proxy: Any = _RabbitmqMessage(method.redelivered, method.delivery_tag, message)  # type: ignore[no-untyped-call]
        proxy.consumer = self
        return proxy  # type: ignore[no-any-return]

    def _delay(self, eta: int) -> int:
        """Return the milliseconds until ``eta``, a time of the broker's clock; Dramatiq waits by the machine's clock.

        At most MAX_DELAY_SECONDS, whatever the clocks: RabbitMQ closes a consumer that holds a message for 30 minutes.
        """
        return min(max(eta - int(self.broker.clock() * 1000), 0), int(MAX_DELAY_SECONDS * 1000))

    def requeue(self, messages: Iterable[Any]) -> None:
        """Discard prefetched messages: RabbitMQ redelivers them once the connection closes."""
        for _ in messages:  # reading the iterable takes them off the worker's queue
            pass

    def _park(self, tag: int, reason: str) -> None:
        log.error("message parked", queue=self.queue_name, reason=reason)
        self._nack(tag)  # type: ignore[no-untyped-call]

    def ack(self, message: Any) -> None:
        self._settle(message, super().ack)

    def nack(self, message: Any) -> None:
        self._settle(message, super().nack)

    def _settle(self, message: Any, settle: Callable[[Any], None]) -> None:
        if message.consumer is self:
            try:
                settle(message)
                return
            except dramatiq.ConnectionClosed:
                pass  # the connection is lost: RabbitMQ redelivers the message
        log.info("message redelivered", queue=self.queue_name, reason="its connection was lost")
