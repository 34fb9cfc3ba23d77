"""The queues on RabbitMQ: how much is in them, and whether anybody works on them. Looked at, never made."""

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

STEP_TIMEOUT_SECONDS = 5.0  # seconds for each step of the way there
ALARM_TIMEOUT_SECONDS = 1.0  # seconds after RabbitMQ has said that it takes no messages until we believe it


class QueueDepth(msgspec.Struct, frozen=True):
    """``waiting`` may be worked on now, ``delayed`` later; ``workers`` None: nobody has ever worked on it."""

    name: str
    waiting: int
    delayed: int
    dead: int
    workers: int | None


class PublicQueueDepths(msgspec.Struct, frozen=True):
    """What the public door keeps aside."""

    unrouted: int
    rejected: int


class QueueInspector:
    """Looks at one RabbitMQ again and again, on one connection; a lost one is opened anew by the next look."""

    def __init__(self, url: str, *, name: str = "status") -> None:
        self._params = amqp.parameters(url, name=name)
        self._params.socket_timeout = self._params.stack_timeout = STEP_TIMEOUT_SECONDS
        self._params.blocked_connection_timeout = ALARM_TIMEOUT_SECONDS
        self._connection: Any = None
        self._channel: Any = None

    def look(self) -> tuple[list[QueueDepth], PublicQueueDepths]:
        """Every stage's queue, the ingress first. Raises BusUnavailable."""
        with self._connected():
            queues = [self._queue(name) for name in (INGRESS, *(stage.queue for stage in STAGES.values()))]
            return queues, PublicQueueDepths(*((self._declared(name) or (0, 0))[0] for name in (UNROUTED, REJECTED)))

    def waiting(self, names: Iterable[str]) -> int:
        """How many messages wait on these queues, their delayed ones included. Raises BusUnavailable."""
        with self._connected():
            found = [self._queue(name) for name in names]
        return sum(queue.waiting + queue.delayed for queue in found)

    def takes_messages(self) -> bool:
        """Whether RabbitMQ takes messages now: not during a memory or disk alarm. Raises BusUnavailable.

        It tells only who publishes: a message that nobody gets, on no queue.
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
            self._connection.process_data_events(0)  # it hears of its end, and sends its heartbeats, only here
        except (AssertionError, *amqp.CONNECTION_ERRORS):
            return False
        return bool(self._connection.is_open)

    def _queue(self, name: str) -> QueueDepth:
        found = self._declared(name)
        delayed, dead = ((self._declared(f"{name}{suffix}") or (0, 0))[0] for suffix in (".DQ", ".XQ"))
        return QueueDepth(name, found[0] if found else 0, delayed, dead, found[1] if found else None)

    def _declared(self, name: str) -> tuple[int, int] | None:
        """(messages, consumers) of a queue; None when there is no such queue, which closes the channel."""
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


def look(url: str) -> tuple[list[QueueDepth], PublicQueueDepths]:
    """One look. Raises BusUnavailable, ConfigError."""
    with closing(QueueInspector(url)) as looker:
        return looker.look()


def waiting(url: str, names: Iterable[str]) -> int:
    """How many messages wait on these queues, their delayed ones included. Raises BusUnavailable."""
    with closing(QueueInspector(url, name="backlog")) as looker:
        return looker.waiting(names)
