"""The bus inside one process (``memory://``): Dramatiq's stub broker, fit to run for weeks.

It carries the same envelopes as RabbitMQ. A message that cannot be decoded or fails permanently goes to the dead-letter
hook and does not stay in memory. The work of messages lost at the end of the process is found again by the tick (I1).
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

from overheard.bus.dead_letters import DeadLetterRecord, RecordAll, body_hash
from overheard.bus.envelope import problem
from overheard.bus.queue_depths import PublicQueueDepths, QueueDepth
from overheard.observability.log import get_logger
from overheard.stages import Stage

log = get_logger(__name__)


class MemoryBroker(StubBroker):
    """A broker with all stages' queues. ``record`` records messages that cannot be decoded."""

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
        """Enqueue the messages; the counterpart of QuorumBroker's."""
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
        """Return how many messages of these queues are not finished, delayed ones included."""
        queues = [queue for name in names for queue in (name, dq_name(name)) if queue in self.queues]
        return sum(self.queues[queue].unfinished_tasks for queue in queues)

    def inspect(self) -> tuple[list[QueueDepth], PublicQueueDepths]:
        """Return the stages' queue depths. Dead letters and rejected events are recorded at once, not queued."""
        consumers = Counter(consumer.queue_name for consumer in tuple(self._consumers))
        queues = [
            QueueDepth(name, self.queues[name].qsize(), self.queues[dq_name(name)].unfinished_tasks, 0, consumers[name])
            for name in tuple(self.queues)
            if name not in self.delay_queues
        ]
        return queues, PublicQueueDepths(unrouted=0, rejected=0)

    def release(self) -> None:
        """Do nothing: there is no connection to close."""


class MemoryConsumer(_StubConsumer):
    """Consumes a queue; parks messages that are malformed or addressed to another queue."""

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
        self.active_at = time.monotonic()
        self.prefetch_semaphore: Semaphore

    def nack(self, message: Any) -> None:
        self.ack(message)  # type: ignore[no-untyped-call]  # the dead-letter hook has recorded it

    def __next__(self) -> dramatiq.MessageProxy | None:
        self.active_at = time.monotonic()
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
            self.record([DeadLetterRecord(body_hash(body), stage, self.queue_name, body, reason, "", "nack")])
        except Exception as error:  # any error of the recorder
            log.error("dead letter not recorded", queue=self.queue_name, exc_info=error)
        finally:
            self.queue.task_done()
            self.prefetch_semaphore.release()
