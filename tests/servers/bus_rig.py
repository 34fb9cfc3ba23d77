"""A bus with workers in threads of the test. Tests can wait for handled messages, dead letters and counts."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import dramatiq
import msgspec
import pika
from dramatiq.middleware import Middleware
from prometheus_client import CollectorRegistry

from overheard.bus import amqp
from overheard.bus.actor import StageWork, register
from overheard.bus.broker import open_broker
from overheard.bus.dead_letters import DeadLetterRecord
from overheard.bus.health import WorkerHealth
from overheard.bus.observation import Observation
from overheard.bus.sender import Sender
from overheard.bus.worker import run
from overheard.observability.metrics import ProcessMetrics
from overheard.permits import Slot, UnlimitedPermit
from overheard.stages import STAGES, Stage
from tests.servers.waiting import wait_for

PATIENCE = 60.0


def quick(name: str, **limits: Any) -> Stage:
    """Return a stage that retries at once."""
    return msgspec.structs.replace(STAGES[name], **{"min_backoff": 10, "max_backoff": 20, **limits})


class Settled(Middleware):
    """Report acknowledged and rejected messages, after all other middleware."""

    def __init__(self, event: threading.Event) -> None:
        self._event = event

    def after_ack(self, broker: dramatiq.Broker, message: Any) -> None:
        self._event.set()

    after_nack = after_ack


class Holding(UnlimitedPermit):
    """A permit that only exposes the slot of its message."""

    def __init__(self, slot: Slot | None) -> None:
        self.held = slot


class Rig:
    """``handler(message, slot)`` handles all stages' messages; without one, they are only recorded in ``handled``.

    ``work`` and ``permits`` are as in production, in place of the rig's own.
    """

    def __init__(
        self, url: str, *stages: Stage, handler: Callable[..., object] | None = None, work: StageWork | None = None,
        permits: Callable[[Any, Any], Any] | None = None,
    ) -> None:  # fmt: skip
        self.stages = stages
        self.metrics = ProcessMetrics(CollectorRegistry())
        self.recorded: queue.Queue[DeadLetterRecord] = queue.Queue()
        self.handled: queue.Queue[Any] = queue.Queue()
        self.idle = threading.Event()
        self.ended: queue.Queue[int] = queue.Queue()  # worker threads, as they end
        self.broker = open_broker(
            url, stages=stages, metrics=self.metrics, record_dead=self._note_dead, name="test",
            on_thread_end=lambda: self.ended.put(threading.get_ident()),
            permits=permits or (lambda need, slot: Holding(slot)),
        )  # fmt: skip
        self.broker.add_middleware(Settled(self.idle), before=Observation)
        self.sender = Sender(self.broker)
        self.health = WorkerHealth(self.metrics)
        self.stop = threading.Event()
        self.problem: str | None = None  # what keeps the process from working
        self.exit_code: int | None = None
        self._handler = handler
        self._thread = threading.Thread(target=self._run)
        for stage in stages:
            register(self.broker, stage, work or StageWork(self._handle))

    def _note_dead(self, recorded: Sequence[DeadLetterRecord]) -> None:
        for dead_letter in recorded:
            self.recorded.put(dead_letter)

    def __enter__(self) -> Rig:
        self._thread.start()
        try:
            wait_for(lambda: self.health._workers and not self.health.problems(), "the consumers", PATIENCE)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.end()

    def end_unstarted(self) -> None:
        """Close a rig whose worker was never run."""
        self.broker.release()
        self.broker.close()

    def end(self) -> int | None:
        self.stop.set()
        self._thread.join(PATIENCE * 2)
        assert not self._thread.is_alive()
        self.broker.release()
        self.broker.close()
        return self.exit_code

    def next(self, seconds: float = PATIENCE) -> Any:
        """Wait for the next handled message, and return it with its slot."""
        return self._taken(self.handled, "handled message", seconds)

    def dead_letter(self, seconds: float = PATIENCE) -> DeadLetterRecord:
        """Wait for the next dead letter, and return it."""
        found: DeadLetterRecord = self._taken(self.recorded, "dead letter", seconds)
        return found

    def _taken(self, arrivals: queue.Queue[Any], what: str, seconds: float) -> Any:
        try:
            return arrivals.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no {what} within {seconds:g} s; unhealthy: {self.health.problems()}") from None

    def count(self, outcome: str, stage: str | None = None) -> float:
        labels = {"stage": stage or self.stages[0].name, "outcome": outcome}
        return self.metrics.registry.get_sample_value("overheard_stage_messages_total", labels) or 0.0

    def counted(self, outcome: str, times: int = 1, stage: str | None = None) -> None:
        wait_for(lambda: self.count(outcome, stage) >= times, f"{times} {outcome}", PATIENCE)

    def _handle(self, message: Any, permit: Any) -> Any:
        outcome = self._handler(message, permit.held) if self._handler is not None else None
        if outcome is None:
            self.handled.put((message, permit.held))
        return outcome

    def _run(self) -> None:
        self.exit_code = run(
            self.broker,
            self.stages,
            stop=self.stop,
            health=self.health,
            shutdown=8,
            unavailable_reason=lambda: self.problem,
        )


def depth(url: str, queue_name: str) -> int:
    """Return how many messages a queue holds, ready or not, as reported by the queue itself."""
    connection = pika.BlockingConnection(amqp.parameters(url))
    try:
        return int(connection.channel().queue_declare(queue_name, passive=True).method.message_count)
    finally:
        connection.close()
