"""The whole pipeline in one process, on memory:// or RabbitMQ, with the same code as the separate processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from actors.wiring import Wiring, permits, threads
from overheard.bus import worker
from overheard.bus.actor import register
from overheard.bus.broker import open_broker
from overheard.bus.event_consumer import IngressConsumer
from overheard.bus.health import WorkerHealth
from overheard.bus.memory_events import MemoryEvents
from overheard.bus.public_exchange import RabbitEvents
from overheard.bus.sender import Sender
from overheard.db import gap_filling, leases
from overheard.errors import Unavailable
from overheard.process import RunningProcess
from overheard.sources.registry import streamed
from overheard.stages import STAGES, Stage
from producers import stream, tick
from producers.wiring import consumer_of, ingress_of, stream_of, tick_problems, ticker_of


class Pipeline:
    """Tick, ingress, streams and stages in one process. ``events`` publishes to its ingress."""

    def __init__(self, running: RunningProcess, stages: Iterable[Stage] = STAGES.values()) -> None:
        self.running = running
        self.stages = tuple(stages)
        config = running.config
        self.url = config.bus.address
        self.broker = open_broker(
            self.url,
            stages=self.stages,
            metrics=running.metrics,
            record_dead=running.record_dead,
            on_thread_end=running.db.release,
            permits=permits(running),
            name="run",
            clock=running.clock,
        )
        self.sender = Sender(self.broker, self.stages)
        self.wiring = Wiring(running, self.sender)
        self.ingress = ingress_of(running, self.sender)
        self.consumer: IngressConsumer | None = None
        if config.bus.embedded:
            self.events: RabbitEvents | MemoryEvents = MemoryEvents(
                self.ingress.handle, running.record_dead, running.metrics
            )
        else:
            self.events = RabbitEvents(self.url, name="run")
            self.consumer = consumer_of(running, self.ingress, "run")
        self.ticker = ticker_of(running, self.events, self.broker)
        self.streams = [stream_of(running, self.sender, name) for name in streamed()]
        self.health = WorkerHealth(running.metrics)
        self._threads: list[threading.Thread] = []
        self._failed = False

    def problems(self) -> list[str]:
        """Return the problems of all parts, for /healthz."""
        ended = [f"the {thread.name} thread has ended" for thread in self._threads if not thread.is_alive()]
        ingress = self.consumer.problems() if self.consumer is not None else []
        streams = [problem for producer in self.streams for problem in producer.problems()]
        ticking = tick_problems(self.ticker, self.running.clock())
        return [*ended, *ingress, *ticking, *streams, *self.health.problems()]

    def run(self) -> int:
        """Run until the program is stopped (returns 0) or a thread dies (1).

        The stages run in the calling thread, as ``worker.run`` blocks and returns the exit code; tick, ingress and
        streams get threads of their own.
        """
        for stage in self.stages:
            register(self.broker, stage, self.wiring.work(stage))
        self._release_groups()
        with ExitStack() as background:
            background.enter_context(self._in_thread("tick", lambda: tick.run(self.ticker, self.running.stop)))
            if (consumer := self.consumer) is not None:
                background.enter_context(self._in_thread("ingress", lambda: consumer.run(self.running.stop)))
            for producer in self.streams:
                reading = partial(stream.run, producer, self.running.stop)
                background.enter_context(self._in_thread(f"stream {producer.source.name}", reading))
            code = worker.run(
                self.broker,
                self.stages,
                stop=self.running.stop,
                health=self.health,
                threads=threads(self.running.config, self.stages),
                unavailable_reason=self.running.unavailable_reason,
            )
        if code:
            self.running.gave_up("run")
        return 1 if self._failed else code

    def _release_groups(self) -> None:
        """Free what the process that ran before has held: on memory://, its messages have ended with it."""
        if self.running.config.bus.embedded:
            with suppress(Unavailable), self.running.db.session():  # the leases expire anyway
                leases.release_all(self.running.db)
                gap_filling.release_all(self.running.db)

    def close(self) -> None:
        """Close all connections."""
        self.events.close()
        self.wiring.close()
        self.broker.close()
        self.running.db.release()

    @contextmanager
    def _in_thread(self, name: str, work: Callable[[], None]) -> Iterator[None]:
        """Run ``work`` in a thread during the block. If it fails, the process ends, for supervisord to restart it."""

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # noqa: BLE001 (the thread's last chance to report it)
                self.running.gave_up(name, error)
                self._failed = True
                self.running.stop.set()
            finally:
                self.running.db.release()

        thread = threading.Thread(target=guarded, name=name)
        self._threads.append(thread)
        thread.start()
        try:
            yield
        finally:
            self.running.stop.set()
            thread.join()
