"""How long healthy channels wait for their notifications beside channels that hang.

Run: python -m tests.benchmarks.bench_channels [SECONDS [TIMEOUT]]

Every second each workspace has a mention, for all its channels. Receivers are real: the healthy ones answer after 50
ms. The others do so, too, for three seconds; then they take the connection and the request, and say nothing. The notify
stage is the real one, once in this process on memory:// and SQLite, once as a process of its own on RabbitMQ and
PostgreSQL; so is the tick.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Protocol

from prometheus_client import CollectorRegistry

from actors.store import store
from actors.wiring import Wiring, permits
from overheard import schedule
from overheard.bus import worker
from overheard.bus.actor import register
from overheard.bus.broker import open_broker
from overheard.bus.event_batches import OK
from overheard.bus.health import WorkerHealth
from overheard.bus.memory_events import MemoryEvents
from overheard.bus.sender import Sender
from overheard.channels.signing import new_secret
from overheard.config import Config, DatabaseSettings, NotifySettings
from overheard.db import migrate, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Query
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from overheard.observability import log
from overheard.observability.metrics import ProcessMetrics
from overheard.process import RunningProcess
from overheard.sending import SendAll
from overheard.stages import STAGES
from overheard.workspaces import ChannelSpec, QuerySpec, WorkspaceSpec
from producers import tick
from producers.wiring import ticker_of
from tests.benchmarks.bench_pipeline import farm, servers
from tests.benchmarks.figures import Figure, print_table
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.sink import Answer, HttpSink, Request
from tests.servers.waiting import wait_for

SECONDS, TIMEOUT = 12.0, 5.0
WELL_SECONDS = 3  # before that: nothing is measured while processes and their knowledge of receivers warm up
HEALTHY, RECEIVERS = 40, 10  # workspaces, and the hosts on which their receivers are
ANSWER_SECONDS = 0.05
# What hangs: how many workspaces, channels of each, and hosts.
WORLDS = {
    "100 that hang, of one workspace": (1, 100, 1),
    "16 that hang, of one workspace": (1, 16, 1),
    "16 that hang, of 16 workspaces on one host": (16, 1, 1),
    "16 that hang, of 16 workspaces on 16 hosts": (16, 1, 16),
}
Worlds = dict[str, tuple[int, int, int]]
# A bus and a database with the stage at work on them: what mentions are stored in, and prompts sent with, meanwhile.
World = Callable[["Town"], AbstractContextManager[tuple[Db, SendAll]]]


class Settles(Protocol):
    """What a world is made for: it saves its workspaces before the stage works."""

    def settle(self, db: Db) -> None:
        """Start the receivers and save the workspaces."""


class Town:
    """The receivers, the workspaces that send to them, and how long what the healthy ones get was under way."""

    def __init__(self, hanging: int, channels: int, hosts: int) -> None:
        self.waits: list[float] = []
        self.asked = 0  # requests to those that hang
        self._hang = threading.Event()
        self._hanging, self._channels, self._hosts = hanging, channels, hosts
        self._told: dict[str, float] = {}
        self._matches: tuple[WorkspaceMatch, ...] = ()
        self._open = ExitStack()

    def __enter__(self) -> Town:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def settle(self, db: Db) -> None:
        """Start the receivers and save the workspaces."""
        healthy = [self._receiver(self._takes) for _ in range(RECEIVERS)]
        silent = [self._receiver(self._hangs) for _ in range(self._hosts)]
        urls = {f"healthy{number}": [healthy[number % RECEIVERS]] for number in range(HEALTHY)}
        urls |= {f"hangs{number}": [silent[number % self._hosts]] * self._channels for number in range(self._hanging)}
        self._matches = tuple(_workspace(db, slug, receivers) for slug, receivers in urls.items())

    def _receiver(self, always: Callable[[Request], Answer]) -> str:
        sink = HttpSink()
        sink.always = always
        return self._open.enter_context(sink).url

    def _takes(self, request: Request) -> Answer:
        if self._hang.is_set():
            self.waits.append(time.time() - self._told[request.json["data"]["item"]])
        threading.Event().wait(ANSWER_SECONDS)
        return Answer()

    def _hangs(self, request: Request) -> Answer:
        if not self._hang.is_set():
            return self._takes(request)
        self.asked += 1
        return Answer(fault="hang")

    def live(self, db: Db, send_all: SendAll, metrics: ProcessMetrics, seconds: float) -> None:
        """An item a second, which all want to hear of."""
        pause, began = threading.Event(), time.monotonic()
        for number in range(WELL_SECONDS + int(seconds)):
            if number == WELL_SECONDS:
                self._hang.set()
            name = f"t3_{number + 1}"
            item = Item(
                source="reddit", id=name, kind="post", place="python", author="a", title="x", permalink="/",
                created_at=time.time(),
            )  # fmt: skip
            self._told[name] = time.time()
            matched = ItemsMatched(part=PollPart(poll=name, part=0, parts=1), items=(MatchedItem(item, self._matches),))
            with db.session():
                store(matched, db=db, send_all=send_all, clock=time.time, metrics=metrics)
            pause.wait(max(0.0, began + number + 1 - time.monotonic()))
        wait_for(lambda: len(self.waits) >= int(seconds) * HEALTHY, "all arrive", 120)


def _workspace(db: Db, slug: str, urls: list[str]) -> WorkspaceMatch:
    channels = tuple(
        ChannelSpec(f"c{n}", f"{url}/{n}", "instant", new_secret(), max_per_hour=0) for n, url in enumerate(urls)
    )
    spec = WorkspaceSpec(slug=slug, subreddits=("all",), every="1d", query=(QuerySpec("q", "x"),), channel=channels)
    now = time.time()
    with db.session():
        workspace_specs.save(
            db,
            spec,
            now,
            following=lambda text, zone: schedule.next_due(text, zone, now),
            secret=lambda channel: channel.secret,
        )
        query = Query.select().order_by(Query.id.desc()).first(db.peewee)
    return WorkspaceMatch(query.workspace_id, (query.id,))


@contextmanager
def in_one_process(timeout: float, town: Settles, *, per_minute: float = 6000) -> Iterator[tuple[Db, SendAll]]:
    """The notify stage and the tick in threads of this process."""
    with tempfile.TemporaryDirectory() as folder:
        settings = NotifySettings(allow_private=True, timeout=timeout, lease=timeout + 20, per_minute=int(per_minute))
        config = Config(notify=settings, database=DatabaseSettings(url=f"sqlite:///{folder}/bench.db"))  # type: ignore[arg-type]
        running = RunningProcess(config)
        migrate.migrate(running.db)
        town.settle(running.db)
        broker = open_broker(
            config.bus.address,
            stages=STAGES.values(),
            metrics=running.metrics,
            record_dead=running.record_dead,
            on_thread_end=running.db.release,
            permits=permits(running),
        )
        wiring, stages = Wiring(running, Sender(broker)), [STAGES["notify"]]
        register(broker, stages[0], wiring.work(stages[0]))
        events = MemoryEvents(lambda arrivals: [OK] * len(arrivals), running.record_dead, running.metrics)
        ticker = ticker_of(running, events, broker)

        def ticking() -> None:
            tick.run(ticker, running.stop)
            running.db.release()

        working = partial(worker.run, broker, stages, stop=running.stop, health=WorkerHealth(running.metrics))
        threads = [threading.Thread(target=ticking), threading.Thread(target=working)]
        for thread in threads:
            thread.start()
        try:
            yield running.db, Sender(broker).send_all
        finally:
            running.stop.set()
            for thread in threads:
                thread.join()
            wiring.close()
            broker.close()
            running.db.release()


@contextmanager
def on_servers(
    rabbit: RabbitServer,
    postgres: PostgresServer,
    timeout: float,
    town: Settles,
    *,
    per_minute: float = 6000,
    started: Callable[[int], object] = lambda pid: None,
) -> Iterator[tuple[Db, SendAll]]:
    """The notify stage and the tick as processes of their own; ``started`` gets the id of the stage's process."""
    settings = {
        "NOTIFY__TIMEOUT": f"{timeout:g}",
        "NOTIFY__LEASE": f"{timeout + 20:g}",
        "NOTIFY__PER_MINUTE": f"{per_minute:.0f}",
        "TICK__SWEEP_AFTER": "60",
        "TICK__INTERVAL": "5",
    }
    with farm(rabbit, postgres, f"channels{time.monotonic_ns()}", **settings) as it:
        town.settle(it.db)
        it.producer("tick")
        it.actors("notify")
        it.wait(lambda: "working" in it.log("notify"))
        started(it.processes["notify"].pid)
        metrics = ProcessMetrics(CollectorRegistry())
        broker = open_broker(it.bus, stages=STAGES.values(), metrics=metrics, record_dead=lambda letters: None)
        try:
            yield it.db, Sender(broker).send_all
        finally:
            broker.close()


def run(seconds: float = SECONDS, timeout: float = TIMEOUT, *, with_servers: bool = True) -> Iterator[Figure]:
    """Each of what hangs, beside what does not; on servers, which take longer to start, only the most of it."""
    log.configure("ERROR", style="text")
    yield from _compared("memory, SQLite", partial(in_one_process, timeout), seconds, WORLDS)
    most = dict(list(WORLDS.items())[:1])
    if with_servers:
        with servers() as (rabbit, postgres):
            yield from _compared("RabbitMQ, PostgreSQL", partial(on_servers, rabbit, postgres, timeout), seconds, most)


def _compared(where: str, world: World, seconds: float, worlds: Worlds) -> Iterator[Figure]:
    p50, p99, _ = _measured(world, seconds, (0, 0, 0))
    name = f"{where}: healthy channels"
    yield Figure(f"{name}, p50", p50, "s")
    yield Figure(f"{name}, p99", p99, "s")
    for what, hangs in worlds.items():
        half, most, asked = _measured(world, seconds, hangs)
        budget = 2 * p99 if hangs[0] == 1 else None
        yield Figure(f"{name} beside {what}, p50", half, "s")
        yield Figure(f"{name} beside {what}, p99", most, "s", budget, higher_is_better=False)
        yield Figure("… and requests to those", asked, "")


def _measured(world: World, seconds: float, hangs: tuple[int, int, int]) -> tuple[float, float, int]:
    with Town(*hangs) as town, world(town) as (db, send_all):
        town.live(db, send_all, ProcessMetrics(CollectorRegistry()), seconds)
        waits = sorted(town.waits)
        return waits[len(waits) // 2], waits[int(len(waits) * 0.99)], town.asked


if __name__ == "__main__":
    print_table(run(*map(float, sys.argv[1:])), "Healthy channels beside channels that hang")
