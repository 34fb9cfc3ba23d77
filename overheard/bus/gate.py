"""Keeps a process that cannot work from taking messages: others may reach what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import dramatiq
from dramatiq.common import iter_queue

from overheard.observability.log import get_logger

log = get_logger(__name__)


class ConsumptionGate:
    """Closes when ``unable`` names a problem, and opens when it names none.

    Closed, worker threads begin nothing. Where the bus ``gives_back`` what a lost connection held, the consumers close
    theirs, and what waits here is forgotten: it is delivered anew, perhaps to another machine.
    """

    def __init__(
        self, workers: Iterable[dramatiq.Worker], unable: Callable[[], str | None], *, gives_back: bool
    ) -> None:
        self._workers = tuple(workers)
        self._unable = unable
        self._gives_back = gives_back
        self._closed = False

    def look(self) -> None:
        """Close or open, when it is time."""
        problem = self._unable()
        if problem is not None and not self._closed:
            self._close(problem)
        elif problem is None and self._closed and self._has_given_back():
            self._open()

    def _close(self, problem: str) -> None:
        log.warning("no messages are taken", reason=problem)
        self._closed = True
        for worker in self._workers:
            for thread in worker.workers:
                thread.pause()
            if self._gives_back:
                for consumer in tuple(worker.consumers.values()):
                    consumer.pause()

    def _has_given_back(self) -> bool:
        """Whether every consumer has closed its connection: what it still put here would be forgotten too late."""
        if not self._gives_back:
            return True
        return all(each.paused_event.is_set() for worker in self._workers for each in tuple(worker.consumers.values()))

    def _open(self) -> None:
        log.info("messages are taken again")
        self._closed = False
        for worker in self._workers:
            if self._gives_back:
                for _ in iter_queue(worker.work_queue):  # type: ignore[no-untyped-call]
                    worker.work_queue.task_done()
                for consumer in tuple(worker.consumers.values()):
                    consumer.resume()
            for thread in worker.workers:
                thread.resume()
