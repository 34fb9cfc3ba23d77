"""The stream's producer: what it sends, when its cursor moves, outages, and other producers beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from overheard.db import freshness, leases, source_health, storing, streams
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Gap, Poll, Watch, Workspace
from overheard.errors import Unavailable
from overheard.messages import ItemsFetched, ItemsMatched, MatchedItem, Message, WorkspaceMatch
from overheard.observability.metrics import ProcessMetrics
from overheard.simulators.bluesky import BlueskySimulator, StreamFault
from overheard.sources.bluesky.client import JetstreamServer
from overheard.sources.bluesky.source import BlueskySource
from overheard.workspaces import WatchSpec
from producers import stream
from producers.__main__ import main
from producers.stream import LOOK_SECONDS, RETRY_MIN_SECONDS, TAKEOVER_SECONDS, StreamProducer
from tests.fixtures import Clock, Metric, Sent, World

NEVER = threading.Event()


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def simulator() -> Iterator[BlueskySimulator]:
    with BlueskySimulator(look_back=3600) as made:
        yield made


class Stages:
    """Match and store in one call: all items match. ``lost``: pages that get lost on the bus."""

    def __init__(self, db: Db, clock: Clock) -> None:
        self.db = db
        self.clock = clock
        self.workspace = 0
        self.pages: list[ItemsFetched] = []
        self.lost = 0
        self.failure: Exception | None = None

    def __call__(self, message: Message) -> str:
        assert isinstance(message, ItemsFetched)
        if self.failure is not None:
            raise self.failure
        self.pages.append(message)
        if self.lost:
            self.lost -= 1
            return ""
        match = WorkspaceMatch(self.workspace, (1,))
        items = tuple(MatchedItem(item, (match,)) for item in message.items)
        matched = ItemsMatched(part=message.part, items=items, gone=message.gone, gone_authors=message.gone_authors)
        storing.store(self.db, matched, self.clock())
        return ""

    @property
    def bodies(self) -> list[str]:
        return [item.body for page in self.pages for item in page.items]


@pytest.fixture
def stages(db: Db, clock: Clock) -> Stages:
    return Stages(db, clock)


Make = Callable[[], StreamProducer]


@pytest.fixture
def make(db: Db, clock: Clock, stages: Stages, simulator: BlueskySimulator, metrics: ProcessMetrics) -> Iterator[Make]:
    made: list[StreamProducer] = []

    def producer() -> StreamProducer:
        source = BlueskySource(
            JetstreamServer(simulator.url, "auto", simulator.now),
            metrics,
            clock=simulator.now,
            batch_seconds=0.2,
            quiet_seconds=0.3,
        )
        made.append(StreamProducer(source=source, db=db, send=stages, clock=clock, lease=120.0, metrics=metrics))
        return made[-1]

    yield producer
    for each in made:
        each.disconnect()


@pytest.fixture
def watched(world: World, stages: Stages) -> int:
    stages.workspace = world.workspace(subreddits=(), watch=(WatchSpec("bluesky", ("all",)),))
    return stages.workspace


@pytest.fixture
def producer(make: Make, watched: int) -> StreamProducer:
    return make()


def group() -> Any:
    return FeedGroup.select().where(FeedGroup.source == "bluesky")


def cursor_of(db: Db) -> str | None:
    return group().get(db.peewee).cursor  # type: ignore[no-any-return]


def test_a_page_is_stored_before_the_next_one_is_read(
    producer: StreamProducer, stages: Stages, simulator: BlueskySimulator, db: Db, metric: Metric, clock: Clock
) -> None:
    assert producer.step(NEVER) == 0
    assert (stages.bodies, len(stages.pages)) == ([], 1), "an empty page shows that the stream is read"
    began = clock()
    for text in ("one", "two"):
        simulator.add_post(text)
        assert producer.step(NEVER) == 0
    assert stages.bodies == ["one", "two"]
    assert len(simulator.targets()) == 1, "one connection"
    [target] = stages.pages[-1].part.targets
    assert (cursor_of(db), target.behind, target.gaps) == (target.cursor, False, ())
    assert Feed.select(freshness.fresh_at()).where(Feed.source == "bluesky").scalar(db.peewee) == began
    assert metric("items_read_total", source="bluesky", kind="post") == 2
    assert source_health.state(db, "bluesky").read_at == clock()
    assert Poll.select().where(Poll.finished_at.is_null()).count(db.peewee) == 0


def test_nobody_watches_so_nothing_is_connected(
    make: Make, simulator: BlueskySimulator, stages: Stages, world: World, db: Db, clock: Clock
) -> None:
    idle = make()
    assert idle.step(NEVER) == LOOK_SECONDS
    assert (simulator.targets(), idle.problems()) == ([], [])
    watching = world.workspace(subreddits=(), watch=(WatchSpec("bluesky", ("all",)),))
    assert idle.step(NEVER) == 0
    assert simulator.wait_for_connections(1)
    Workspace.update(active=False).where(Workspace.id == watching).execute(db.peewee)
    assert idle.step(NEVER) == LOOK_SECONDS
    assert simulator.wait_for_connections(0)


def test_what_came_while_nobody_watched_is_not_wanted(
    producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, db: Db, clock: Clock
) -> None:
    producer.step(NEVER)
    producer.disconnect()
    simulator.add_post("unwatched")
    Watch.update(created_at=clock.advance(60.0)).execute(db.peewee)  # removed, and added again
    producer.step(NEVER)
    simulator.add_post("watched again")
    producer.step(NEVER)
    assert stages.bodies == ["watched again"]
    assert Gap.select().count(db.peewee) == 0


def test_a_page_that_is_lost_is_read_again_from_the_stored_cursor(
    producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, db: Db, clock: Clock
) -> None:
    producer.step(NEVER)
    stages.lost = 1
    simulator.add_post("one")
    before = cursor_of(db)
    threading.Timer(0.5, clock.advance, (121.0,)).start()
    producer.step(NEVER)
    assert (stages.bodies, cursor_of(db)) == (["one"], before)
    simulator.add_post("two")
    producer.step(NEVER)
    assert stages.bodies == ["one", "one", "two"]
    assert cursor_of(db) != before


def test_while_the_bus_takes_nothing_the_cursor_stands_and_nothing_is_lost(
    producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, db: Db, clock: Clock
) -> None:
    producer.step(NEVER)
    before = cursor_of(db)
    stages.failure = Unavailable("RabbitMQ accepts no messages")
    simulator.add_post("one")
    for _ in range(3):
        with pytest.raises(Unavailable):
            producer.step(NEVER)
    assert cursor_of(db) == before
    assert group().get(db.peewee).lease_until == 0
    stages.failure = None
    simulator.add_post("two")
    producer.step(NEVER)
    assert stages.bodies == ["one", "two"]


def test_healthz_reports_a_bus_that_stays_away_and_not_a_source(
    producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, clock: Clock, monkeypatch: Any
) -> None:
    monkeypatch.setattr(stream, "SERVERS_RETRY_SECONDS", 0.01)
    stages.failure = Unavailable("RabbitMQ accepts no messages")
    stop = threading.Event()
    problems: list[list[str]] = []

    def watch(message: Message) -> str:
        problems.append(producer.problems())
        clock.advance(4.0)
        if len(problems) == 4:
            stop.set()
        raise Unavailable("RabbitMQ accepts no messages")

    producer.send = watch
    stream.run(producer, stop)
    assert problems[0] == []
    assert problems[-1] == ["the stream of bluesky has failed for 12 s: RabbitMQ accepts no messages"]


def test_a_source_that_fails_is_tried_again_later_each_time(
    producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, db: Db, clock: Clock
) -> None:
    producer.step(NEVER)
    simulator.faults.inject(StreamFault("refuse", 4, status=503))
    producer.disconnect()
    delays = [producer.step(NEVER) for _ in range(4)]
    for count, delay in enumerate(delays):
        assert RETRY_MIN_SECONDS * 2**count / 2 <= delay <= RETRY_MIN_SECONDS * 2**count
    state = source_health.state(db, "bluesky")
    assert (state.reason, state.failing_since) == ("HTTP 503", clock())
    assert (producer.problems(), group().get(db.peewee).poll) == ([], None)
    simulator.add_post("meanwhile")
    clock.advance(1.0)
    assert producer.step(NEVER) == 0
    assert stages.bodies == ["meanwhile"]
    assert source_health.state(db, "bluesky").failing_since is None


def test_a_second_producer_stands_by_until_the_first_has_stopped(
    make: Make, producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, db: Db, clock: Clock
) -> None:
    second = make()
    producer.step(NEVER)
    for number in range(3):
        simulator.add_post(f"text {number}")
        assert second.step(NEVER) == LOOK_SECONDS
        producer.step(NEVER)
    assert len(simulator.targets()) == 1
    clock.advance(TAKEOVER_SECONDS + 1.0)  # the first one hangs
    simulator.add_post("taken over")
    assert second.step(NEVER) == 0
    assert producer.step(NEVER) == LOOK_SECONDS, "and it finds that another one reads now"
    assert simulator.wait_for_connections(1)
    assert stages.bodies == ["text 0", "text 1", "text 2", "taken over"]


def test_a_producer_that_ends_in_order_is_followed_at_once(
    make: Make, producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, db: Db
) -> None:
    producer.step(NEVER)
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    producer.step(stop)
    producer.disconnect()
    simulator.add_post("in between")
    assert make().step(NEVER) == 0
    assert stages.bodies == ["in between"]


def test_a_gap_is_stored_with_the_page_that_follows_it(
    make: Make, producer: StreamProducer, simulator: BlueskySimulator, stages: Stages, db: Db, clock: Clock
) -> None:
    before = simulator.now()
    producer.step(NEVER)
    one = simulator.add_post("one")
    producer.step(NEVER)
    producer.disconnect()
    simulator.advance(7200.0)
    two = simulator.add_post("two")
    producer.step(NEVER)
    [(since, from_at, until, to_at, reason)] = (
        Gap.select(Gap.from_item, Gap.from_at, Gap.to_item, Gap.to_at, Gap.reason).tuples().execute(db.peewee)
    )
    assert (since, until, reason) == (one, two, "outdated")
    assert before < from_at < to_at


@pytest.mark.parametrize("arguments", [["stream"], ["stream", "reddit"], ["tick", "bluesky"]])
def test_the_stream_takes_a_streamed_source_and_other_producers_none(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_a_group_that_another_poll_holds_is_left_alone(
    producer: StreamProducer, simulator: BlueskySimulator, db: Db, clock: Clock, sent: Sent
) -> None:
    found = streams.watched(db, "bluesky", clock())
    assert found is not None
    assert leases.claim(db, found.id, "another", now=clock(), lease=120.0)
    assert producer.step(NEVER) == LOOK_SECONDS
    assert simulator.targets() == []
