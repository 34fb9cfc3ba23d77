"""The bus inside one process (``memory://``): Dramatiq's stub broker, made fit to run for weeks.

The same envelopes as on RabbitMQ. What cannot be decoded or fails for good goes to the dead-letter hook and is not
kept in memory. What is on this bus when the process ends is found again by the tick (I1).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from queue import Empty, Queue
from threading import Semaphore
from typing import Any
from weakref import WeakSet

import dramatiq
from dramatiq.brokers.stub import StubBroker, _StubConsumer
from dramatiq.common import dq_name, q_name

from overheard.bus.dead_letters import DeadLetterRecord, RecordAll, digest
from overheard.bus.envelope import problem
from overheard.bus.queue_depths import PublicQueueDepths, QueueDepth
from overheard.observability.log import get_logger
from overheard.stages import Stage

log = get_logger(__name__)


class MemoryBroker(StubBroker):
    """All stages' queues exist from the start. ``record`` keeps what cannot even be decoded."""

    def __init__(
        self,
        *,
        stages: Iterable[Stage],
        middleware: list[dramatiq.Middleware],
        record: RecordAll,
    ) -> None:
        super().__init__(middleware, fail_fast_default=False)
        self.record = record
        self._consumers: WeakSet[MemoryConsumer] = WeakSet()
        for stage in stages:
            self.declare_queue(stage.queue)

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        super().declare_queue(queue_name)

    def enqueue_all(self, messages: Sequence[dramatiq.Message[Any]], *, delay: int | None = None) -> None:
        """Put them all on their queues."""
        for message in messages:
            self.enqueue(message, delay=delay)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 100) -> dramatiq.Consumer:
        try:
            queue = self.queues[queue_name]
        except KeyError:
            raise dramatiq.QueueNotFound(queue_name) from None  # type: ignore[no-untyped-call]
        consumer = MemoryConsumer(queue, queue_name, prefetch, timeout, self.record)
        self._consumers.add(consumer)
        return consumer

    def unfinished(self, names: Iterable[str]) -> int:
        """How many messages of these queues are not done with, delayed ones included."""
        known = [queue for name in names for queue in (name, dq_name(name)) if queue in self.queues]
        return sum(self.queues[queue].unfinished_tasks for queue in known)

    def look(self) -> tuple[list[QueueDepth], PublicQueueDepths]:
        """The stages' queues. A dead letter is recorded as it dies, and is on none; the door keeps nothing aside."""
        working = Counter(consumer.queue_name for consumer in tuple(self._consumers))
        queues = [
            QueueDepth(name, self.queues[name].qsize(), self.queues[dq_name(name)].unfinished_tasks, 0, working[name])
            for name in tuple(self.queues)
            if name not in self.delay_queues
        ]
        return queues, PublicQueueDepths(unrouted=0, rejected=0)

    def release(self) -> None:
        """There is no connection to close."""


class MemoryConsumer(_StubConsumer):
    """Hands out a queue's messages; parks what is malformed or addressed elsewhere."""

    connected = True

    def __init__(
        self,
        queue: Queue[bytes],
        queue_name: str,
        prefetch: int,
        timeout: int,
        record: RecordAll,
    ) -> None:
        super().__init__(queue, [], prefetch, timeout)  # type: ignore[no-untyped-call]
        self.queue_name = queue_name
        self.record = record
        self.beat = time.monotonic()
        self.prefetch_semaphore: Semaphore

    def nack(self, message: Any) -> None:
        self.ack(message)  # type: ignore[no-untyped-call]  # the dead-letter hook has it

    def __next__(self) -> dramatiq.MessageProxy | None:
        self.beat = time.monotonic()
        if not self.prefetch_semaphore.acquire(timeout=self.timeout / 1000):
            return None
        try:
            body = self.queue.get(timeout=self.timeout / 1000)
        except Empty:
            self.prefetch_semaphore.release()
            return None
        reason = None
        try:
            message = dramatiq.Message.decode(body)
            if message.queue_name == self.queue_name:
                return dramatiq.MessageProxy(message)
        except dramatiq.DecodeError as error:
            reason = str(error.error)
        self._park(body, reason or problem(body, queue=self.queue_name) or "")
        return None

    def _park(self, body: bytes, reason: str) -> None:
        stage = q_name(self.queue_name)
        log.error("message parked", queue=self.queue_name, reason=reason)
        try:
            self.record([DeadLetterRecord(digest(body), stage, self.queue_name, body, reason, "", "nack")])
        except Exception as error:  # whatever the recorder may raise
            log.error("dead letter not recorded", queue=self.queue_name, exc_info=error)
        finally:
            self.queue.task_done()
            self.prefetch_semaphore.release()
