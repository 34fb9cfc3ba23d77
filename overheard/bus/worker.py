"""The worker's main: consumes some stages' queues until it is told to stop or one of its threads dies.

Instead of Dramatiq's command line, whose metrics and signals are not fit (docs/dramatiq.md): one process a program,
one pool of threads a stage (a slow channel does not keep a poll waiting), no stage's queue but those named.
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

WORKER_TIMEOUT_MS = (
    100  # milliseconds: how finely delayed messages are released, and how soon threads see that they must stop
)
RECONNECT_SECONDS = 1.0  # seconds
CHECK_SECONDS = 1.0
SHUTDOWN_SECONDS = 25.0  # seconds for what is in progress; supervisord's stopwaitsecs is longer

log = get_logger(__name__)


def run(
    broker: dramatiq.Broker,
    stages: Iterable[Stage],
    *,
    stop: threading.Event,
    health: WorkerHealth,
    threads: Mapping[str, int] | None = None,
    shutdown: float = SHUTDOWN_SECONDS,
    unable: Callable[[], str | None] = lambda: None,
) -> int:
    """Work until ``stop`` is set (0) or a thread has died (1). The handlers are registered already.

    Lost connections are no reason to end: consumers reconnect, ``health`` tells of it meanwhile. While ``unable`` names
    what keeps the process from its work, it takes no message and gives back what it holds. Raises QueueMismatch when a
    queue exists with other arguments. The caller closes the broker.
    """
    named = tuple(stages)
    # Read at each use by Dramatiq's consumers, which offer no argument for it; the default is 3 s.
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
        health.watch(workers, broker, named, unable)
        log.info("working", stages=[stage.name for stage in named], version=__version__)
        return watch(health, stop, ConsumptionGate(workers, unable, gives_back=isinstance(broker, QuorumBroker)))
    finally:
        stop_workers(workers, shutdown)


def declare(broker: dramatiq.Broker, stages: Iterable[Stage]) -> None:
    """Make the queues now, so that what only an operator can put right is known at the start."""
    for stage in stages:
        try:
            broker.declare_queue(stage.queue, ensure=True)  # type: ignore[call-arg]
        except Unavailable as error:
            log.warning("the bus cannot be reached yet", exc_info=error)
            return


def watch(health: WorkerHealth, stop: threading.Event, gate: ConsumptionGate) -> int:
    """Wait for the end: 0 when told to stop, 1 when a thread has died."""
    while not stop.wait(CHECK_SECONDS):
        gate.look()
        if dead := health.dead():
            log.critical("threads died", reason="; ".join(dead))
            return 1
    return 0


def stop_workers(workers: list[dramatiq.Worker], seconds: float) -> None:
    """Let what is in progress finish, all pools at once; what does not is delivered again elsewhere."""
    deadline = time.monotonic() + seconds
    for worker in workers:
        for thread in worker.workers:
            thread.stop()
    for worker in workers:
        worker.stop(timeout=max(1, int((deadline - time.monotonic()) * 1000)))
    log.info("stopped")
