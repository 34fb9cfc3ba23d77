"""Detect a process that is alive but no longer consumes, the most common failure of task queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import dramatiq

from overheard.bus.observation import Observation
from overheard.observability.metrics import ProcessMetrics
from overheard.stages import Stage

CONSUMER_STUCK_SECONDS = 90.0  # above two publishes that wait out an alarm (30 s each)


class WorkerHealth:
    """Checks the worker threads and consumer threads of Dramatiq's workers."""

    def __init__(self, metrics: ProcessMetrics, *, stuck_after: float = CONSUMER_STUCK_SECONDS) -> None:
        self._workers: tuple[dramatiq.Worker, ...] = ()
        self._longest_in_progress: Callable[[], float] = lambda: 0.0
        self._max_message_seconds = 0.0
        self._stuck_after = stuck_after
        self._unavailable_reason: Callable[[], str | None] = lambda: None
        self._alive = {role: metrics.worker_threads_alive.labels(role) for role in ("worker", "consumer")}

    def watch(
        self,
        workers: Iterable[dramatiq.Worker],
        broker: dramatiq.Broker,
        stages: Iterable[Stage],
        unavailable_reason: Callable[[], str | None] = lambda: None,
    ) -> None:
        """Start to check these workers.

        A message counts as stuck after twice its stage's time limit, which strikes only between two Python
        instructions. While ``unavailable_reason`` returns one, the consumers are disconnected on purpose.
        """
        self._unavailable_reason = unavailable_reason
        self._workers = tuple(workers)
        observation = next(each for each in broker.middleware if isinstance(each, Observation))
        self._longest_in_progress = observation.longest_in_progress
        self._max_message_seconds = 2 * max(stage.time_limit for stage in stages) / 1000

    def problems(self) -> list[str]:
        """Return one line for each problem, for ``/healthz``."""
        if not self._workers:
            return ["no worker runs yet: the process is starting"]
        unavailable_reason = self._unavailable_reason()
        problems = [*self.dead_threads(), *([unavailable_reason] if unavailable_reason else self._consumer_problems())]
        if (longest := self._longest_in_progress()) > self._max_message_seconds:
            problems.append(f"a worker thread is stuck: {longest:.0f} s with one message")
        return problems

    def dead_threads(self) -> list[str]:
        """Return one line for each thread that has died: only a restart of the process replaces it."""
        problems = []
        alive = {"worker": 0, "consumer": 0}
        for role, name, thread in self._threads():
            alive[role] += thread.is_alive()
            if not thread.is_alive():
                problems.append(f"a {role} thread of {name} is dead")
        for role, count in alive.items():
            self._alive[role].set(count)
        return problems

    def _threads(self) -> Iterable[tuple[str, str, Any]]:
        for worker in self._workers:
            queues = ", ".join(sorted(worker.consumer_whitelist or ()))
            yield from (("worker", queues, thread) for thread in worker.workers)
            yield from (("consumer", name, thread) for name, thread in tuple(worker.consumers.items()))

    def _consumer_problems(self) -> Iterable[str]:
        for role, name, thread in self._threads():
            if role != "consumer" or not thread.is_alive():
                continue
            consumer = thread.consumer
            if consumer is None or not consumer.connected:
                yield f"the consumer of {name} is not connected"
            elif (silent := time.monotonic() - consumer.active_at) > self._stuck_after:
                yield f"the consumer of {name} is stuck: no sign of life for {silent:.0f} s"
