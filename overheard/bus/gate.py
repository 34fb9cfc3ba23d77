"""Pauses consumption in a process that cannot work, so that its messages go to one that can."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import dramatiq
from dramatiq.common import iter_queue

from overheard.observability.log import get_logger

log = get_logger(__name__)


class ConsumptionGate:
    """Closes while ``unavailable_reason`` returns one.

    While it is closed, worker threads start no message. If the bus ``redelivers`` the messages of a closed connection,
    the consumers close theirs, and the prefetched messages are discarded here: RabbitMQ delivers them again, perhaps to
    another machine. The bus in memory has no other process to deliver to: its messages stay where they are.
    """

    def __init__(
        self, workers: Iterable[dramatiq.Worker], unavailable_reason: Callable[[], str | None], *, redelivers: bool
    ) -> None:
        self._workers = tuple(workers)
        self._unavailable_reason = unavailable_reason
        self._redelivers = redelivers
        self._closed = False

    def update(self) -> None:
        """Close or open according to ``unavailable_reason``."""
        problem = self._unavailable_reason()
        if problem is not None and not self._closed:
            self._close(problem)
        elif problem is None and self._closed and self._consumers_closed():
            self._open()

    def _close(self, problem: str) -> None:
        log.warning("consuming paused", reason=problem)
        self._closed = True
        for worker in self._workers:
            for thread in worker.workers:
                thread.pause()
            if self._redelivers:
                for consumer in tuple(worker.consumers.values()):
                    consumer.pause()

    def _consumers_closed(self) -> bool:
        """Return True if every consumer has closed its connection. Before that, one may still prefetch a message."""
        if not self._redelivers:
            return True
        consumers = [consumer for worker in self._workers for consumer in tuple(worker.consumers.values())]
        return all(consumer.paused_event.is_set() for consumer in consumers)

    def _open(self) -> None:
        log.info("consuming resumed")
        self._closed = False
        for worker in self._workers:
            if self._redelivers:
                for _ in iter_queue(worker.work_queue):  # type: ignore[no-untyped-call]
                    worker.work_queue.task_done()
                for consumer in tuple(worker.consumers.values()):
                    consumer.resume()
            for thread in worker.workers:
                thread.resume()
