"""Is this process still consuming? A worker that is alive but no longer works is the field's commonest complaint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import dramatiq

from overheard.bus.observation import Observation
from overheard.observability.metrics import ProcessMetrics
from overheard.stages import Stage

CONSUMER_STUCK_SECONDS = 90.0  # seconds: a consumer may be held up by a publish that waits out an alarm (30 s, twice)


class WorkerHealth:
    """Looks at the worker threads and the consumer threads of Dramatiq's workers."""

    def __init__(self, metrics: ProcessMetrics, *, stuck_after: float = CONSUMER_STUCK_SECONDS) -> None:
        self._workers: tuple[dramatiq.Worker, ...] = ()
        self._longest: Callable[[], float] = lambda: 0.0
        self._patience = 0.0
        self._stuck_after = stuck_after
        self._unable: Callable[[], str | None] = lambda: None
        self._alive = {role: metrics.worker_threads_alive.labels(role) for role in ("worker", "consumer")}

    def watch(
        self,
        workers: Iterable[dramatiq.Worker],
        broker: dramatiq.Broker,
        stages: Iterable[Stage],
        unable: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Begin to look at these. A message may take twice its stage's time limit.

        While ``unable`` names a reason, the consumers are not connected on purpose.
        """
        self._unable = unable
        self._workers = tuple(workers)
        self._longest = next(each.longest for each in broker.middleware if isinstance(each, Observation))
        self._patience = 2 * max(stage.time_limit for stage in stages) / 1000

    def problems(self) -> list[str]:
        """One line for each thing that is wrong now: for ``/healthz``."""
        if not self._workers:
            return ["nothing is worked on yet: the process is starting"]
        unable = self._unable()
        found = [*self.dead(), *([unable] if unable else self._consumers())]
        if (longest := self._longest()) > self._patience:
            found.append(f"a worker thread is stuck: {longest:.0f} s with one message")
        return found

    def dead(self) -> list[str]:
        """Threads that have ended on their own: no reconnect brings them back, the process has to be restarted."""
        found = []
        alive = {"worker": 0, "consumer": 0}
        for role, name, thread in self._threads():
            alive[role] += thread.is_alive()
            if not thread.is_alive():
                found.append(f"a {role} thread of {name} is dead")
        for role, count in alive.items():
            self._alive[role].set(count)
        return found

    def _threads(self) -> Iterable[tuple[str, str, Any]]:
        for worker in self._workers:
            queues = ", ".join(sorted(worker.consumer_whitelist or ()))
            yield from (("worker", queues, thread) for thread in worker.workers)
            yield from (("consumer", name, thread) for name, thread in tuple(worker.consumers.items()))

    def _consumers(self) -> Iterable[str]:
        for role, name, thread in self._threads():
            if role != "consumer" or not thread.is_alive():
                continue
            consumer = thread.consumer
            if consumer is None or not consumer.connected:
                yield f"the consumer of {name} is not connected"
            elif (silent := time.monotonic() - consumer.beat) > self._stuck_after:
                yield f"the consumer of {name} is stuck: no sign of life for {silent:.0f} s"
