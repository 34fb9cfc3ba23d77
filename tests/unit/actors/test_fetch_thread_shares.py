"""A source holds at most half of fetch's threads, so that no source waits for another (I6)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.fetch import demand_reading
from actors.fetch.fetcher import Fetcher
from overheard.config import FetchSettings
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup
from overheard.errors import FeedRefused
from overheard.messages import FetchWorkspace
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Rejected
from overheard.sources import GroupLimit, Page, ReadRequest
from tests.fixtures import Clock, Sent, World
from tests.servers.bus_rig import Rig, quick

PATIENCE = 60.0


class MemorySource:
    """A source without new items. It hangs while ``gate`` is closed; ``requests`` counts those that began.

    With ``seconds`` each request takes as long; feeds that begin with ``refused`` are on servers that do not answer.
    """

    group_limit = GroupLimit(places=10)

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = threading.Event()
        self.requests = threading.Semaphore(0)
        self.names: list[str] = []
        self.seconds = 0.0
        self.refused: str | None = None
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def read(self, request: ReadRequest, budget: Any) -> Page:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        self.names += request.places
        self.requests.release()
        try:
            return self._read(request.places)
        finally:
            with self._lock:
                self._at_once -= 1

    def probe(self, budget: Any) -> None:
        """Nothing is wrong with the source."""

    def _read(self, places: tuple[str, ...]) -> Page:
        if self.seconds:
            self.gate.set()
            threading.Event().wait(self.seconds)
        assert self.gate.wait(PATIENCE)
        if self.refused is not None and places[0].startswith(self.refused):
            raise FeedRefused("timeout", places, delay=3600.0)
        return Page(items=(), cursor="{}")


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def hanging() -> Iterator[MemorySource]:
    source = MemorySource("reddit")
    yield source
    source.gate.set()


@pytest.fixture
def healthy() -> MemorySource:
    source = MemorySource("memory")
    source.gate.set()
    return source


@pytest.fixture
def fetcher(
    sqlite_db: Db, hanging: MemorySource, healthy: MemorySource, sent: Sent, clock: Clock, metrics: ProcessMetrics
) -> Fetcher:
    sources: dict[str, Any] = {"reddit": hanging, "memory": healthy}
    rules = FetchSettings(threads=4, group_size=1)
    return Fetcher(
        db=sqlite_db, sources=sources, send=sent, clock=clock, rules=rules, recheck_within=86400.0, metrics=metrics
    )


def message(workspace_id: int, source: str, clock: Callable[[], float]) -> FetchWorkspace:
    return FetchWorkspace(workspace_id=workspace_id, source=source, fresh_since=clock(), reason="due")


def belongs(world: World, place: str, source: str) -> None:
    """Move a feed to another source."""
    feed = Feed.select().where(Feed.place == place).get(world.db.peewee)
    Feed.update(source=source).where(Feed.id == feed.id).execute(world.db.peewee)
    FeedGroup.update(source=source).where(FeedGroup.id == feed.group_id).execute(world.db.peewee)


def workspaces(world: World, source: str, count: int) -> list[int]:
    places = [f"{source}{number}" for number in range(count)]
    made = [world.workspace(place, subreddits=[place]) for place in places]
    for place in places:
        belongs(world, place, source)
    return made


def test_a_source_that_hangs_holds_half_of_the_threads_and_the_others_flow(
    world: World, fetcher: Fetcher, hanging: MemorySource, healthy: MemorySource, clock: Clock, sqlite_db: Db
) -> None:
    hung, others = workspaces(world, "reddit", 6), workspaces(world, "memory", 5)

    def handle(what: Any, slot: Any) -> Any:
        with sqlite_db.session():
            return fetcher.fetch(what, None)  # type: ignore[arg-type]

    with Rig("memory://", quick("fetch", threads=4, max_retries=0), handler=handle) as rig:
        for workspace in hung:
            rig.sender.send(message(workspace, "reddit", clock))
        assert hanging.requests.acquire(timeout=PATIENCE)
        assert hanging.requests.acquire(timeout=PATIENCE)
        for workspace in others:
            rig.sender.send(message(workspace, "memory", clock))
        done = {rig.next()[0].workspace_id for _ in others}
        assert done == set(others), "while the messages of the hanging source wait"
        rig.counted("postponed", 4)
        assert len(hanging.names) == 2, "two of four threads"
        hanging.gate.set()
        assert {rig.next()[0].workspace_id for _ in hung} == set(hung)
        assert sorted(hanging.names) == [f"reddit{number}" for number in range(6)]
        assert (rig.count("retried"), rig.count("dead")) == (0, 0)


def test_a_source_with_many_messages_holds_no_other_up(
    world: World, fetcher: Fetcher, hanging: MemorySource, healthy: MemorySource, clock: Clock, sqlite_db: Db
) -> None:
    """The flood is in the queue before the others come, and its source takes a moment for each of its feeds."""
    flood, others = workspaces(world, "reddit", 40), workspaces(world, "memory", 5)
    hanging.seconds = 1.0
    done: list[str] = []

    def handle(what: Any, slot: Any) -> Any:
        with sqlite_db.session():
            outcome = fetcher.fetch(what, None)  # type: ignore[arg-type]
        if outcome is None:
            done.append(what.source)
        return outcome

    with Rig("memory://", quick("fetch", threads=4, max_retries=0), handler=handle) as rig:
        for workspace in flood:
            rig.sender.send(message(workspace, "reddit", clock))
        for workspace in others:
            rig.sender.send(message(workspace, "memory", clock))
        while done.count("memory") < len(others):
            rig.next()
        assert done.count("reddit") <= len(flood) // 2, "they do not wait for the whole flood"
        hanging.seconds = 0.0
        for _ in range(len(flood) + len(others) - len(done)):
            rig.next()
        assert hanging.most_at_once == 2, "two of four threads"
        assert (rig.count("retried"), rig.count("dead")) == (0, 0)


def test_servers_that_hang_leave_others_of_their_source_a_turn(
    world: World, sqlite_db: Db, sent: Sent, metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workspaces watch only servers that hang, and hold all threads of the source, turn by turn."""
    monkeypatch.setattr(demand_reading, "TURN_SECONDS", 1.0)
    source = MemorySource("memory")
    source.gate.set()
    source.refused = "hung"
    source.seconds = 0.7  # longer than a thread waits for a share
    world.clock.now = time.time()
    hung = [world.workspace(f"hung-{slug}", subreddits=[f"hung-{slug}{n}" for n in range(30)]) for slug in "ab"]
    well = world.workspace("well", subreddits=["well"])
    Feed.update(source="memory").execute(sqlite_db.peewee)
    FeedGroup.update(source="memory").execute(sqlite_db.peewee)
    fetcher = Fetcher(
        db=sqlite_db,
        sources={"memory": source},
        send=sent,
        clock=time.time,
        rules=FetchSettings(threads=4, group_size=1),
        recheck_within=86400.0,
        metrics=metrics,
    )

    def handle(what: Any, slot: Any) -> Any:
        with sqlite_db.session():
            return fetcher.fetch(what, None)  # type: ignore[arg-type]

    with Rig("memory://", quick("fetch", threads=4, max_retries=0), handler=handle) as rig:
        for workspace in hung:
            rig.sender.send(message(workspace, "memory", time.time))
        assert source.requests.acquire(timeout=PATIENCE)
        assert source.requests.acquire(timeout=PATIENCE)
        rig.sender.send(message(well, "memory", time.time))
        assert rig.next()[0].workspace_id == well
        assert len(source.names) < 30, f"{len(source.names)} of 60 feeds that hang were read before"


def test_a_message_for_an_unknown_source_is_rejected(fetcher: Fetcher, clock: Clock) -> None:
    assert fetcher.fetch(message(1, "gopher", clock), None) == Rejected(  # type: ignore[arg-type]
        "there is no source gopher"
    )


def test_a_message_reads_only_the_feeds_of_its_source(
    world: World, fetcher: Fetcher, hanging: MemorySource, healthy: MemorySource, clock: Clock
) -> None:
    hanging.gate.set()
    acme = world.workspace(subreddits=["reddit1", "memory1"])
    belongs(world, "memory1", "memory")
    clock.advance(1)
    assert fetcher.fetch(message(acme, "memory", clock), None) is None  # type: ignore[arg-type]
    assert (healthy.names, hanging.names) == (["memory1"], [])
