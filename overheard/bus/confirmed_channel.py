"""Publish many messages and wait once, until RabbitMQ has them all on disk.

pika's blocking channel waits for each message's confirm before it publishes the next: a round trip and a disk write
each. Here many are unconfirmed at a time, and RabbitMQ confirms them in batches.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import pika.exceptions
import pika.spec

MAX_UNCONFIRMED_MESSAGES = 500  # chosen, not measured: bounds what a lost connection leaves in doubt


class Publication(NamedTuple):
    """The arguments of ``basic_publish``."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Any


class ConfirmedChannel:
    """A channel of ``connection`` that only publishes."""

    def __init__(self, connection: Any) -> None:
        self._channel = connection.channel()
        self._used_at = time.monotonic()
        self._sent = 0
        self._unconfirmed: set[int] = set()
        self._refused = False
        self._returned: list[Any] = []
        ready: list[Any] = []
        # The blocking channel would wait for each confirm; the asynchronous one beneath it reports them by callback.
        channel = self._channel._impl
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=ready.append)
        self._channel._flush_output(lambda: bool(ready))

    def is_stale(self, heartbeat: int) -> bool:
        """Return True if the connection was idle for longer than ``heartbeat`` seconds (0: heartbeats are off).

        No heartbeats are sent between two publishes, so RabbitMQ has closed the connection, or soon will. A new one
        costs milliseconds; finding out by publishing costs a failed publish.
        """
        return 0 < heartbeat < time.monotonic() - self._used_at

    def publish(self, publications: Iterable[Publication]) -> None:
        """Publish and return when all are confirmed.

        Raises ``amqp.CONNECTION_ERRORS``, UnroutableError (a queue does not exist) or NackError (RabbitMQ could not
        store a message); any part of the messages may be published then.
        """
        rest = list(publications)
        while rest:
            batch, rest = rest[:MAX_UNCONFIRMED_MESSAGES], rest[MAX_UNCONFIRMED_MESSAGES:]
            for publication in batch:
                self._sent += 1
                self._unconfirmed.add(self._sent)
                self._channel.basic_publish(*publication, mandatory=True)
            self._await_confirms()
        self._used_at = time.monotonic()

    def _await_confirms(self) -> None:
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
            self._unconfirmed = {sent for sent in self._unconfirmed if sent > tag}
        else:
            self._unconfirmed.discard(tag)
        self._refused |= isinstance(method, pika.spec.Basic.Nack)

    def _on_return(self, channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._returned.append(method)
