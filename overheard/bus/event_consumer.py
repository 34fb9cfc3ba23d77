"""Takes public events in: each is handled, or refused with its reason; none is lost.

1. Hand what has come, all of it at once, to ``handle`` (which sends the stages' messages, confirmed), then acknowledge.
2. What is invalid goes to ``overheard.rejected``, confirmed, then to ``record``; only then it is acknowledged.
3. While something of ours is away, events wait unacknowledged on this connection and are tried again; when it is the
   database, and stays away, they are given back: another machine may reach it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from overheard.bus import amqp
from overheard.bus.confirmed_channel import ConfirmedChannel, Publication
from overheard.bus.dead_letters import RecordAll
from overheard.bus.events import unknown_type
from overheard.bus.intake import STAGE, EventBatch, HandleAll, IncomingEvent, Refused
from overheard.bus.public_exchange import INGRESS, REJECTED, UNROUTED, declare, persistent
from overheard.errors import RetryableError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics

PREFETCH_EVENTS = 500
STOP_POLL_SECONDS = 0.2  # seconds until a stop is seen
RELEASE_SECONDS = 0.1  # between two looks at what ``release`` may send on
CONSUMER_STUCK_SECONDS = 90.0
RETRY_PAUSE_SECONDS = (0.2, 5.0)  # seconds, first and longest, after a passing fault

Problem = Callable[[], str | None]

log = get_logger(__name__)


class IngressConsumer:
    """Consumes the door's queues. ``run`` is for one thread; ``problems`` may be asked from any.

    ``release`` sends on what ``handle`` lets wait, and says whether more waits (given True, for the last time, it sends
    all). ``unable`` says what keeps this process from its work, if anything does.
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
        unable: Problem = lambda: None,
    ) -> None:
        self._params = amqp.consuming(amqp.parameters(url, name=name))
        self._intake = EventBatch(handle, record, metrics)
        self._release = release
        self._unable = unable
        self._waiting: list[tuple[int, IncomingEvent]] = []  # with the tags they came with
        self._connected = False
        self._holding = False
        self._beat = time.monotonic()
        self._pause = RETRY_PAUSE_SECONDS[0]

    def run(self, stop: threading.Event) -> None:
        """Consume until ``stop`` is set, reconnecting when RabbitMQ was away. Raises QueueMismatch."""
        while not stop.is_set():
            if self._unable():
                stop.wait(RETRY_PAUSE_SECONDS[0])
                continue
            try:
                self._session(stop)
            except amqp.BusUnavailable as error:
                pause = self._next_pause()
                log.warning("ingress waits for the bus", stage=STAGE, exc_info=error, seconds=round(pause, 1))
                stop.wait(pause)
        try:
            self._release(True)
        except RetryableError as error:
            log.warning("events wait for the sweep", stage=STAGE, exc_info=error)

    def problems(self) -> list[str]:
        """For ``/healthz``."""
        if problem := self._unable():
            return [problem]
        if not self._connected:
            return ["the ingress consumer is not connected"]
        silent = time.monotonic() - self._beat
        return [f"the ingress consumer is stuck for {silent:.0f} s"] if silent > CONSUMER_STUCK_SECONDS else []

    def _session(self, stop: threading.Event) -> None:
        connection = amqp.connect(self._params)
        try:
            self._waiting.clear()  # they come again
            channel = connection.channel()
            declare(connection.channel())
            refusals = ConfirmedChannel(connection)
            channel.basic_qos(prefetch_count=PREFETCH_EVENTS)
            for queue in (INGRESS, UNROUTED):
                channel.basic_consume(queue, self._receiver(queue))
            asking = amqp.IdleProbe(channel, PREFETCH_EVENTS)
            self._connected = True
            log.info("working", stage=STAGE)
            while not stop.is_set():
                if problem := self._unable():
                    log.warning("events are given back", stage=STAGE, reason=problem)
                    return
                self._beat = time.monotonic()
                self._receive(connection)
                if self._waiting:
                    asking.heard()
                asking.ask()
                self._work(connection, channel, refusals, stop)
        except (*amqp.CONNECTION_ERRORS, AssertionError) as error:
            raise amqp.unavailable(self._params, error) from None
        finally:
            amqp.close(connection)
            self._connected = False

    def _receiver(self, queue: str) -> Callable[..., None]:
        # Callbacks only note: work inside one would keep pika from its heartbeats and from other channels.
        def receive(channel: Any, method: Any, properties: Any, body: bytes) -> None:
            refusal = unknown_type(method.routing_key) if queue == UNROUTED else None
            arrival = IncomingEvent(method.routing_key, body, properties.message_id, refusal)
            self._waiting.append((method.delivery_tag, arrival))

        return receive

    def _receive(self, connection: Any) -> None:
        """Wait for events, and then take what else has come: what is handled together costs little more than one."""
        connection.process_data_events(time_limit=RELEASE_SECONDS if self._holding else STOP_POLL_SECONDS)
        before = 0
        while before < len(self._waiting) < PREFETCH_EVENTS:
            before = len(self._waiting)
            connection.process_data_events(0)

    def _work(self, connection: Any, channel: Any, refusals: ConfirmedChannel, stop: threading.Event) -> None:
        batch = list(self._waiting)
        try:
            if batch:
                self._intake.take([arrival for _, arrival in batch], lambda out: _reject(refusals, out))
                self._waiting.clear()
                channel.basic_ack(batch[-1][0], multiple=True)
            self._holding = self._release(False)
            self._pause = RETRY_PAUSE_SECONDS[0]
        except RetryableError as error:
            # Not requeued: a quorum queue counts deliveries.
            log.warning("events wait", stage=STAGE, events=len(batch), exc_info=error)
            pause = self._next_pause()
            self._rest(connection, stop, pause if error.delay is None else min(error.delay, RETRY_PAUSE_SECONDS[1]))

    def _next_pause(self) -> float:
        """Return how long to wait after a fault: twice as long each time, until something has worked again."""
        pause, self._pause = self._pause, min(self._pause * 2, RETRY_PAUSE_SECONDS[1])
        return pause

    def _rest(self, connection: Any, stop: threading.Event, seconds: float) -> None:
        """Pause on the connection, which keeps its heartbeats."""
        until = time.monotonic() + seconds
        while not stop.is_set() and not self._unable() and (left := until - time.monotonic()) > 0:
            connection.sleep(min(left, STOP_POLL_SECONDS))


def _reject(refusals: ConfirmedChannel, out: Refused) -> None:
    refusals.publish(
        Publication("", REJECTED, arrival.body, persistent(arrival.message_id, _headers(arrival, reason)))
        for arrival, reason in out
    )


def _headers(arrival: IncomingEvent, reason: str) -> dict[str, str]:
    origin = INGRESS if arrival.refusal is None else UNROUTED
    return {"x-reason": reason, "x-routing-key": arrival.key, "x-origin": origin}
