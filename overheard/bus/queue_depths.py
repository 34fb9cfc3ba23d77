"""Depths and consumers of the queues on RabbitMQ. Reading them declares nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import msgspec
import pika.exceptions

from overheard.bus import amqp
from overheard.bus.public_exchange import INGRESS, REJECTED, UNROUTED
from overheard.stages import STAGES

STEP_TIMEOUT_SECONDS = 5.0  # for each step of connecting: `overheard status` must not hang
ALARM_TIMEOUT_SECONDS = 1.0  # that a publish may stay blocked; a healthy server takes milliseconds


class QueueDepth(msgspec.Struct, frozen=True):
    """Messages ``waiting``, ``delayed`` and ``dead``. ``workers`` is None while the queue does not exist yet."""

    name: str
    waiting: int
    delayed: int
    dead: int
    workers: int | None


class PublicQueueDepths(msgspec.Struct, frozen=True):
    """Messages on the queues of unrouted and rejected public events."""

    unrouted: int
    rejected: int


class QueueInspector:
    """Inspects one RabbitMQ repeatedly, on one connection; reconnects after a lost one."""

    def __init__(self, url: str, *, name: str = "status") -> None:
        self._params = amqp.parameters(url, name=name)
        self._params.socket_timeout = self._params.stack_timeout = STEP_TIMEOUT_SECONDS
        self._params.blocked_connection_timeout = ALARM_TIMEOUT_SECONDS
        self._connection: Any = None
        self._channel: Any = None

    def inspect(self) -> tuple[list[QueueDepth], PublicQueueDepths]:
        """Return the depths of the ingress's and the stages' queues. Raises BusUnavailable."""
        with self._connected():
            queues = [self._depth(name) for name in (INGRESS, *(stage.queue for stage in STAGES.values()))]
            return queues, PublicQueueDepths(*((self._declared(name) or (0, 0))[0] for name in (UNROUTED, REJECTED)))

    def waiting(self, names: Iterable[str]) -> int:
        """Return how many messages wait on these queues, delayed ones included. Raises BusUnavailable."""
        with self._connected():
            queues = [self._depth(name) for name in names]
        return sum(queue.waiting + queue.delayed for queue in queues)

    def takes_messages(self) -> bool:
        """Return False during a memory or disk alarm, when RabbitMQ accepts no messages. Raises BusUnavailable.

        RabbitMQ announces an alarm only to connections that publish. So publish a message to a queue that does not
        exist: it comes back unroutable, or is blocked by the alarm.
        """
        with self._connected():
            channel = self._connection.channel()
            channel.confirm_delivery()
            try:
                channel.basic_publish("", f"overheard.nobody.{uuid.uuid4()}", b"", mandatory=True)
            except pika.exceptions.UnroutableError:
                channel.close()
                return True
            except pika.exceptions.ConnectionBlockedTimeout:
                self.close()
                return False
        return True

    def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            amqp.close(connection)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        if self._connection is not None and not self._alive():
            self.close()
        if self._connection is None:
            self._connection = amqp.connect(self._params)
        try:
            yield
        except amqp.CONNECTION_ERRORS as error:
            self.close()
            raise amqp.unavailable(self._params, error) from None

    def _alive(self) -> bool:
        try:
            # pika sends heartbeats and notices a closed connection only in calls like this.
            self._connection.process_data_events(0)
        except (AssertionError, *amqp.CONNECTION_ERRORS):
            return False
        return bool(self._connection.is_open)

    def _depth(self, name: str) -> QueueDepth:
        declared = self._declared(name)
        delayed, dead = ((self._declared(f"{name}{suffix}") or (0, 0))[0] for suffix in (".DQ", ".XQ"))
        return QueueDepth(name, declared[0] if declared else 0, delayed, dead, declared[1] if declared else None)

    def _declared(self, name: str) -> tuple[int, int] | None:
        """Return a queue's (messages, consumers); None if it does not exist, which closes the channel."""
        if self._channel is None:
            self._channel = self._connection.channel()
        try:
            answer = self._channel.queue_declare(name, passive=True).method
        except amqp.CONNECTION_ERRORS as error:
            if getattr(error, "reply_code", None) == 404:
                self._channel = None
                return None
            raise
        return int(answer.message_count), int(answer.consumer_count)


def inspect(url: str) -> tuple[list[QueueDepth], PublicQueueDepths]:
    """Inspect once, on a connection of its own. Raises BusUnavailable, ConfigError."""
    with closing(QueueInspector(url)) as inspector:
        return inspector.inspect()


def waiting(url: str, names: Iterable[str]) -> int:
    """Return how many messages wait on these queues, delayed ones included. Raises BusUnavailable."""
    with closing(QueueInspector(url, name="backlog")) as inspector:
        return inspector.waiting(names)
