"""The worker: consumes the queues of some stages until it is stopped or one of its threads dies.

It replaces Dramatiq's command line, whose metrics and signals do not fit (docs/dramatiq.md): one process per program,
one thread pool per stage (a slow channel does not delay a poll), and no queues but those of the named stages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping

import dramatiq
import dramatiq.worker

from overheard import __version__
from overheard.bus.gate import ConsumptionGate
from overheard.bus.health import WorkerHealth
from overheard.bus.rabbit import QuorumBroker
from overheard.errors import Unavailable
from overheard.observability.log import get_logger
from overheard.stages import Stage

# How exactly delayed messages are released, and how soon threads notice that they must stop.
WORKER_TIMEOUT_MS = 100
RECONNECT_SECONDS = 1.0
CHECK_SECONDS = 1.0
SHUTDOWN_SECONDS = 25.0  # for messages in progress; below supervisord's stopwaitsecs, which ends in SIGKILL

log = get_logger(__name__)


def run(
    broker: dramatiq.Broker,
    stages: Iterable[Stage],
    *,
    stop: threading.Event,
    health: WorkerHealth,
    threads: Mapping[str, int] | None = None,
    shutdown: float = SHUTDOWN_SECONDS,
    unavailable_reason: Callable[[], str | None] = lambda: None,
) -> int:
    """Work until ``stop`` is set (return 0) or a thread has died (return 1). The actors are registered already.

    A lost connection does not end the worker: its consumers reconnect, and ``health`` reports it meanwhile. While
    ``unavailable_reason`` returns one, the process consumes nothing and its messages go back to the bus. Raises
    QueueMismatch if a queue exists with other arguments. The caller closes the broker.
    """
    named = tuple(stages)
    # Dramatiq reads this module variable at each reconnect and offers no argument for it; the default is 3 s.
    dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = RECONNECT_SECONDS
    declare(broker, named)
    broker.emit_after("process_boot")  # TimeLimit starts here
    workers = [
        dramatiq.Worker(
            broker,
            queues={stage.queue},
            worker_threads=(threads or {}).get(stage.name, stage.threads),
            worker_timeout=WORKER_TIMEOUT_MS,
        )
        for stage in named
    ]
    try:
        for worker in workers:
            worker.start()
        health.watch(workers, broker, named, unavailable_reason)
        log.info("working", stages=[stage.name for stage in named], version=__version__)
        return watch(
            health, stop, ConsumptionGate(workers, unavailable_reason, redelivers=isinstance(broker, QuorumBroker))
        )
    finally:
        stop_workers(workers, shutdown)


def declare(broker: dramatiq.Broker, stages: Iterable[Stage]) -> None:
    """Declare the queues now, so that a mismatch, which only an operator can fix, is reported at the start."""
    for stage in stages:
        try:
            broker.declare_queue(stage.queue, ensure=True)  # type: ignore[call-arg]
        except Unavailable as error:
            log.warning("the bus cannot be reached yet", exc_info=error)
            return


def watch(health: WorkerHealth, stop: threading.Event, gate: ConsumptionGate) -> int:
    """Return 0 once ``stop`` is set, 1 once a thread has died."""
    while not stop.wait(CHECK_SECONDS):
        gate.update()
        if dead := health.dead_threads():
            log.critical("threads died", reason="; ".join(dead))
            return 1
    return 0


def stop_workers(workers: list[dramatiq.Worker], seconds: float) -> None:
    """Let messages in progress finish, in all pools at once; RabbitMQ redelivers those that do not."""
    deadline = time.monotonic() + seconds
    for worker in workers:
        for thread in worker.workers:
            thread.stop()
    for worker in workers:
        worker.stop(timeout=max(1, int((deadline - time.monotonic()) * 1000)))
    log.info("stopped")
