"""Takes public events in: each is handled, or refused with its reason; none is lost.

1. Hand the event to ``handle`` (which sends the stage's message, confirmed), then acknowledge.
2. What is invalid goes to ``overheard.rejected``, confirmed, then to ``record``; only then it is acknowledged.
3. While something of ours is away, events wait unacknowledged on this connection and are tried again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from overheard.bus import amqp
from overheard.bus.dead import Record
from overheard.bus.door import INGRESS, REJECTED, UNROUTED, declare, persistent
from overheard.bus.events import unknown_type
from overheard.bus.intake import Handle, Intake, said_of
from overheard.errors import TryAgain
from overheard.log import get_logger
from overheard.metrics import Metrics

PREFETCH = 50
LOOK_UP = 0.2  # seconds until a stop is seen
STUCK_AFTER = 90.0
PAUSES = (0.2, 5.0)  # seconds, first and longest, after a passing fault

log = get_logger(__name__)


class Delivery(msgspec.Struct, frozen=True):
    tag: int
    queue: str
    key: str
    body: bytes
    message_id: str | None


class IngressConsumer:
    """Consumes the door's queues. ``run`` is for one thread; ``problems`` may be asked from any."""

    def __init__(self, url: str, handle: Handle, record: Record, *, metrics: Metrics, name: str = "ingress") -> None:
        self._params = amqp.parameters(url, name=name)
        self._intake = Intake(handle, record, metrics)
        self._waiting: deque[Delivery] = deque()
        self._connected = False
        self._beat = time.monotonic()
        self._pause = PAUSES[0]

    def run(self, stop: threading.Event) -> None:
        """Consume until ``stop`` is set, reconnecting when RabbitMQ was away. Raises QueueMismatch."""
        pause = PAUSES[0]
        while not stop.is_set():
            try:
                self._session(stop)
            except amqp.BusUnavailable as error:
                if self._connected:
                    pause = PAUSES[0]
                self._connected = False
                log.warning("ingress waits for the bus", stage="ingress", exc_info=error, seconds=round(pause, 1))
                stop.wait(pause)
                pause = min(pause * 2, PAUSES[1])

    def problems(self) -> list[str]:
        """For ``/healthz``."""
        if not self._connected:
            return ["the ingress consumer is not connected"]
        silent = time.monotonic() - self._beat
        return [f"the ingress consumer is stuck for {silent:.0f} s"] if silent > STUCK_AFTER else []

    def alive(self) -> bool:
        return not self.problems()

    def _session(self, stop: threading.Event) -> None:
        connection = amqp.connect(self._params)
        try:
            self._waiting.clear()  # they come again
            channel, refusals = connection.channel(), connection.channel()
            declare(refusals)
            refusals.confirm_delivery()
            channel.basic_qos(prefetch_count=PREFETCH)
            for queue in (INGRESS, UNROUTED):
                channel.basic_consume(queue, self._receiver(queue))
            self._connected = True
            log.info("working", stage="ingress")
            while not stop.is_set():
                self._beat = time.monotonic()
                connection.process_data_events(time_limit=LOOK_UP)
                self._work(connection, channel, refusals, stop)
        except amqp.BusUnavailable:
            raise
        except (*amqp.LOST, AssertionError) as error:
            raise amqp.unavailable(self._params, error) from None
        finally:
            amqp.close(connection)
            if stop.is_set():
                self._connected = False

    def _receiver(self, queue: str) -> Callable[..., None]:
        # Callbacks only note: work inside one would keep pika from its heartbeats and from other channels.
        def receive(channel: Any, method: Any, properties: Any, body: bytes) -> None:
            delivery = Delivery(method.delivery_tag, queue, method.routing_key, body, properties.message_id)
            self._waiting.append(delivery)

        return receive

    def _work(self, connection: Any, channel: Any, refusals: Any, stop: threading.Event) -> None:
        while self._waiting and not stop.is_set():
            self._beat = time.monotonic()
            delivery = self._waiting.popleft()
            try:
                self._take(refusals, delivery)
            except TryAgain as error:
                # Not requeued: a quorum queue counts deliveries. Behind the others, so that none blocks all.
                self._waiting.append(delivery)
                log.warning("event waits", **said_of(delivery.key, delivery.body, delivery.message_id), exc_info=error)
                self._rest(connection, stop, error.delay)
                continue
            channel.basic_ack(delivery.tag)
            self._pause = PAUSES[0]

    def _take(self, refusals: Any, delivery: Delivery) -> None:
        """Handle it, or have it refused. Raises TryAgain."""
        self._intake.take(
            delivery.key,
            delivery.body,
            delivery.message_id,
            refuse=unknown_type(delivery.key) if delivery.queue == UNROUTED else None,
            aside=partial(self._reject, refusals, delivery),
        )

    def _rest(self, connection: Any, stop: threading.Event, delay: float | None) -> None:
        """Pause on the connection, which keeps its heartbeats."""
        until = time.monotonic() + (self._pause if delay is None else min(delay, PAUSES[1]))
        self._pause = min(self._pause * 2, PAUSES[1])
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            connection.sleep(min(left, LOOK_UP))

    def _reject(self, channel: Any, delivery: Delivery, reason: str) -> None:
        headers = {"x-reason": reason, "x-routing-key": delivery.key, "x-origin": delivery.queue}
        channel.basic_publish("", REJECTED, delivery.body, persistent(delivery.message_id, headers), mandatory=True)
