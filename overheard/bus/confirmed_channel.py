"""Publishing many messages at once, and waiting once until RabbitMQ has them all on disk.

pika's blocking channel waits for each message's confirm before it publishes the next: a round trip and a write to the
disk for each. Here they are all under way together, and RabbitMQ confirms many in one answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import pika.exceptions
import pika.spec

MAX_UNCONFIRMED_MESSAGES = 500  # messages under way


class Publication(NamedTuple):
    """What ``basic_publish`` takes."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Any


class ConfirmedChannel:
    """A channel of ``connection`` for publishing, and nothing else."""

    def __init__(self, connection: Any) -> None:
        self._channel = connection.channel()
        self._used_at = time.monotonic()
        self._sent = 0
        self._unconfirmed: set[int] = set()
        self._refused = False
        self._returned: list[Any] = []
        ready: list[Any] = []
        # The blocking channel waits for each confirm itself, or has none; the one beneath it tells of them.
        beneath = self._channel._impl
        beneath.add_on_return_callback(self._on_return)
        beneath.confirm_delivery(self._on_confirm, callback=ready.append)
        self._channel._flush_output(lambda: bool(ready))

    def is_stale(self, heartbeat: int) -> bool:
        """Whether the connection was idle for longer than a ``heartbeat``, in seconds (0: there are none).

        Between two publishes nobody sends heartbeats, so RabbitMQ has closed it, or soon will. A new connection costs
        milliseconds, finding out later a failed publish.
        """
        return 0 < heartbeat < time.monotonic() - self._used_at

    def publish(self, publications: Iterable[Publication]) -> None:
        """Return when RabbitMQ has them all. Raises what is in ``amqp.LOST``: then it has some of them at most.

        UnroutableError: no queue takes one of them. NackError: RabbitMQ cannot keep one now.
        """
        rest = list(publications)
        while rest:
            some, rest = rest[:MAX_UNCONFIRMED_MESSAGES], rest[MAX_UNCONFIRMED_MESSAGES:]
            for each in some:
                self._sent += 1
                self._unconfirmed.add(self._sent)
                self._channel.basic_publish(*each, mandatory=True)
            self._await()
        self._used_at = time.monotonic()

    def _await(self) -> None:
        self._channel._flush_output(lambda: not self._unconfirmed)
        returned, self._returned = self._returned, []
        refused, self._refused = self._refused, False
        if returned:
            raise pika.exceptions.UnroutableError(returned)
        if refused:
            raise pika.exceptions.NackError([])

    def _on_confirm(self, frame: Any) -> None:
        method = frame.method
        tag = method.delivery_tag
        if method.multiple:
            self._unconfirmed = {each for each in self._unconfirmed if each > tag}
        else:
            self._unconfirmed.discard(tag)
        self._refused |= isinstance(method, pika.spec.Basic.Nack)

    def _on_return(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._returned.append(method)
