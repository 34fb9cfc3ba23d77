"""Consume public events: each is handled, or rejected with its reason; none is lost.

1. Pass all events received so far to ``handle``, which sends the stages' messages, confirmed; then acknowledge them.
2. Publish invalid events to ``overheard.rejected``, confirmed, and ``record`` them; only then acknowledge them. The
   queue works while the database is away; the tick moves its events to the table.
3. While a server is away, keep the events unacknowledged on this connection and retry. If the database stays away,
   close the connection: RabbitMQ redelivers them to an ingress that may reach it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from overheard.bus import amqp
from overheard.bus.confirmed_channel import ConfirmedChannel, Publication
from overheard.bus.dead_letters import RecordAll
from overheard.bus.event_batches import STAGE, EventBatchHandler, HandleAll, IncomingEvent, Refused
from overheard.bus.events import unknown_type
from overheard.bus.health import CONSUMER_STUCK_SECONDS
from overheard.bus.public_exchange import INGRESS, REJECTED, UNROUTED, declare, persistent
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics

PREFETCH_EVENTS = 500
STOP_POLL_SECONDS = 0.2  # until a stop is noticed
RELEASE_SECONDS = 0.1  # between two calls of ``release`` while demands are held back
RETRY_PAUSE_SECONDS = (0.2, 5.0)  # the first and the longest, after a passing fault

Problem = Callable[[], str | None]

log = get_logger(__name__)


class IngressConsumer:
    """Consumes the queues of public events. ``run`` is for one thread; ``problems`` may be called from any.

    ``release(last)`` sends the demands that ``handle`` held back and that may go now (all if ``last``), and returns
    True if some are still held back. ``unavailable_reason`` returns what keeps this process from working, if anything
    does.
    """

    def __init__(
        self,
        url: str,
        handle: HandleAll,
        record: RecordAll,
        *,
        metrics: ProcessMetrics,
        name: str = "ingress",
        release: Callable[[bool], bool] = lambda last: False,
        unavailable_reason: Problem = lambda: None,
    ) -> None:
        self._params = amqp.consuming(amqp.parameters(url, name=name))
        self._batches = EventBatchHandler(handle, record, metrics)
        self._release = release
        self._unavailable_reason = unavailable_reason
        self._unacknowledged: list[tuple[int, IncomingEvent]] = []  # with their delivery tags
        self._connected = False
        self._has_held_back = False
        self._fault: str | None = None  # of the last batch
        self._active_at = time.monotonic()
        self._pause = RETRY_PAUSE_SECONDS[0]

    def run(self, stop: threading.Event) -> None:
        """Consume until ``stop`` is set; reconnect after a lost connection. Raises QueueMismatch."""
        while not stop.is_set():
            if self._unavailable_reason():
                stop.wait(RETRY_PAUSE_SECONDS[0])
                continue
            try:
                self._session(stop)
            except amqp.BusUnavailable as error:
                pause = self._next_pause()
                log.warning("waiting for the bus", stage=STAGE, exc_info=error, seconds=round(pause, 1))
                stop.wait(pause)
        try:
            self._release(True)
        except RetryableError as error:
            log.warning("held-back demands left to the sweep", stage=STAGE, exc_info=error)

    def problems(self) -> list[str]:
        """Return one line for each problem, for ``/healthz``."""
        if problem := self._unavailable_reason():
            return [problem]
        if not self._connected:
            return ["the ingress consumer is not connected"]
        if fault := self._fault:
            return [f"events are held back: {fault}"]
        silent = time.monotonic() - self._active_at
        return [f"the ingress consumer is stuck for {silent:.0f} s"] if silent > CONSUMER_STUCK_SECONDS else []

    def _session(self, stop: threading.Event) -> None:
        connection = amqp.connect(self._params)
        try:
            self._unacknowledged.clear()  # RabbitMQ redelivers those of a lost connection
            channel = connection.channel()
            declare(connection.channel())
            rejections = ConfirmedChannel(connection)
            channel.basic_qos(prefetch_count=PREFETCH_EVENTS)
            for queue in (INGRESS, UNROUTED):
                channel.basic_consume(queue, self._receiver(queue))
            probe = amqp.IdleProbe(channel, PREFETCH_EVENTS)
            self._connected = True
            log.info("working", stage=STAGE)
            while not stop.is_set():
                if problem := self._unavailable_reason():
                    log.warning("events returned to the queue", stage=STAGE, reason=problem)
                    return
                self._active_at = time.monotonic()
                self._receive(connection)
                if self._unacknowledged:
                    probe.restart()
                probe.probe_if_idle()
                self._handle_batch(connection, channel, rejections, stop)
        except (*amqp.CONNECTION_ERRORS, AssertionError) as error:
            raise amqp.unavailable(self._params, error) from None
        finally:
            amqp.close(connection)
            self._connected = False

    def _receiver(self, queue: str) -> Callable[..., None]:
        # The callback only collects: work inside it would keep pika from its heartbeats and its other channels.
        def receive(channel: Any, method: Any, properties: Any, body: bytes) -> None:
            refusal = unknown_type(method.routing_key) if queue == UNROUTED else None
            event = IncomingEvent(method.routing_key, body, properties.message_id, refusal)
            self._unacknowledged.append((method.delivery_tag, event))

        return receive

    def _receive(self, connection: Any) -> None:
        """Wait for an event, then collect all that have arrived: a batch costs little more than one event."""
        connection.process_data_events(time_limit=RELEASE_SECONDS if self._has_held_back else STOP_POLL_SECONDS)
        before = 0
        while before < len(self._unacknowledged) < PREFETCH_EVENTS:
            before = len(self._unacknowledged)
            connection.process_data_events(0)

    def _handle_batch(self, connection: Any, channel: Any, rejections: ConfirmedChannel, stop: threading.Event) -> None:
        batch = list(self._unacknowledged)
        try:
            if batch:
                self._batches.process([event for _, event in batch], lambda rejected: _reject(rejections, rejected))
                self._unacknowledged.clear()
                channel.basic_ack(batch[-1][0], multiple=True)
            self._has_held_back = self._release(False)
            self._fault = None
            self._pause = RETRY_PAUSE_SECONDS[0]
        except RetryableError as error:
            # Not requeued: a quorum queue counts redeliveries, and may drop a message that reaches its limit.
            log.warning("events held back", stage=STAGE, events=len(batch), exc_info=error)
            self._fault = str(error)
            pause = self._next_pause()
            self._wait_on(connection, stop, pause if error.delay is None else min(error.delay, RETRY_PAUSE_SECONDS[1]))

    def _next_pause(self) -> float:
        """Return the pause after a fault; it doubles up to the longest, until a batch succeeds."""
        pause, self._pause = self._pause, min(self._pause * 2, RETRY_PAUSE_SECONDS[1])
        return pause

    def _wait_on(self, connection: Any, stop: threading.Event, seconds: float) -> None:
        """Pause on the connection, so that it goes on sending heartbeats."""
        until = time.monotonic() + seconds
        while not stop.is_set() and not self._unavailable_reason() and (left := until - time.monotonic()) > 0:
            connection.sleep(min(left, STOP_POLL_SECONDS))


def _reject(rejections: ConfirmedChannel, rejected: Refused) -> None:
    rejections.publish(
        Publication("", REJECTED, event.body, persistent(event.message_id, _headers(event, reason)))
        for event, reason in rejected
    )


def _headers(event: IncomingEvent, reason: str) -> dict[str, str]:
    origin = INGRESS if event.refusal is None else UNROUTED
    return {"x-reason": reason, "x-routing-key": event.key, "x-origin": origin}
