"""A source holds at most half of fetch's threads, so that no source waits for another (I6)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from actors.fetch.fetcher import Fetcher
from overheard.config import FetchSettings
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup
from overheard.messages import FetchWorkspace
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Rejected
from overheard.sources import GroupLimit, Page, ReadRequest
from tests.fixtures import Clock, Sent, World
from tests.servers.bus_rig import Rig, quick

PATIENCE = 20.0


class MemorySource:
    """A source without new items. It hangs while ``gate`` is closed; ``requests`` counts those that began."""

    group_limit = GroupLimit(places=10)

    def __init__(self, name: str) -> None:
        self.name = name
        self.gate = threading.Event()
        self.requests = threading.Semaphore(0)
        self.names: list[str] = []

    def read(self, request: ReadRequest, budget: Any) -> Page:
        self.names += request.places
        self.requests.release()
        assert self.gate.wait(PATIENCE)
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


def message(workspace_id: int, source: str, clock: Clock) -> FetchWorkspace:
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
