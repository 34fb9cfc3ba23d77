"""fetch with feeds from a real server: each fails alone, waits alone, and shows no secret."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from actors.fetch.fetcher import Fetcher
from overheard.config import FetchSettings
from overheard.db import feeds, freshness, mentions, source_health, storing
from overheard.db import gaps as stored_gaps
from overheard.db.database import Db
from overheard.db.models import Feed, Incident
from overheard.errors import InvalidInput
from overheard.messages import FetchWorkspace, ItemsFetched, ItemsMatched, MatchedItem, WorkspaceMatch
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import workspaces
from overheard.permits import UnlimitedPermit
from overheard.sources.feeds.names import public_place
from overheard.workspaces import WatchSpec, read, write
from tests.fixtures import Sent, World
from tests.unit.sources.feeds.world import SECRET, FeedReader


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


class FeedStage:
    """fetch, followed directly by store; everything matches."""

    def __init__(self, world: World, reader: FeedReader, sent: Sent, metrics: ProcessMetrics) -> None:
        self.world, self.reader, self.sent, self.db = world, reader, sent, world.db
        self.fetcher = Fetcher(
            db=world.db, sources={"feeds": reader.source}, send=sent, clock=world.clock, rules=FetchSettings(),
            recheck_within=86400.0, metrics=metrics,
        )  # fmt: skip

    def watch(self, *paths: str, slug: str = "acme") -> int:
        places = tuple(map(self.reader.url, paths))
        return self.world.workspace(slug, subreddits=(), channels={}, watch=(WatchSpec("feeds", places),))

    def run(self, workspace_id: int) -> list[FetchWorkspace]:
        """Fetch and store; return the messages that come back."""
        now = self.world.clock()
        message = FetchWorkspace(workspace_id=workspace_id, source="feeds", fresh_since=now, reason="manual")
        return self.handle(workspace_id, message)

    def handle(self, workspace_id: int, message: FetchWorkspace) -> list[FetchWorkspace]:
        self.fetcher.fetch(message, UnlimitedPermit())
        sent = list(self.sent.take())
        for part in sent:
            if isinstance(part, ItemsFetched):
                match = WorkspaceMatch(workspace_id, (self.world.query(workspace_id),), ())
                found = tuple(MatchedItem(item, (match,)) for item in part.items)
                storing.store(self.db, ItemsMatched(part=part.part, items=found), self.world.clock())
        return [each for each in sent if isinstance(each, FetchWorkspace)]

    def failures(self) -> dict[str, tuple[int, float]]:
        rows = Feed.select(Feed.place, Feed.failures, Feed.retry_at).tuples().execute(self.db.peewee)
        now = self.world.clock()
        return {place.partition("/")[2].rpartition("/")[2]: (count, max(at - now, 0.0)) for place, count, at in rows}


@pytest.fixture
def stage(world: World, sent: Sent, metrics: ProcessMetrics) -> Iterator[FeedStage]:
    reader = FeedReader()
    reader.clock = world.clock
    with reader:
        yield FeedStage(world, reader, sent, metrics)


def test_many_dead_feeds_back_off_each_alone_and_the_source_is_well(world: World, stage: FeedStage) -> None:
    for number in range(8):
        stage.reader.feed(f"/{number}")
    acme = stage.watch(*(f"/{number}" for number in range(8)), "/good")
    stage.reader.feed("/good")
    stage.run(acme)
    assert all(count == 0 for count, _ in stage.failures().values())
    for number in range(8):
        stage.reader.simulator.refuse_feed(f"/{number}", 404)
    stage.reader.simulator.add_entry("/good", title="acme")
    world.clock.advance(1000)
    before = len(stage.reader.requests())
    assert stage.run(acme) == [], "nothing has to come back for them"
    assert len(stage.reader.requests()) - before == 9, "one request for each"
    assert stage.failures() == {**{str(number): (1, 1800.0) for number in range(8)}, "good": (0, 900.0)}
    assert source_health.state(stage.db, "feeds").failing_since is None
    assert [row.reason for row in feeds.failing(stage.db, 10)] == ["HTTP 404 (missing)"] * 8
    assert len(list(mentions.listing(stage.db))) == 1


def test_dead_feeds_alone_are_not_an_outage_of_the_source(world: World, stage: FeedStage) -> None:
    acme = stage.watch(*(f"/{number}" for number in range(8)))
    assert stage.run(acme) == []
    assert {count for count, _ in stage.failures().values()} == {1}
    assert source_health.state(stage.db, "feeds").failing_since is None


def test_fifty_feeds_of_one_host_make_progress_beside_another_reading(world: World, stage: FeedStage) -> None:
    paths = [f"/{number}" for number in range(50)]
    for path in paths:
        stage.reader.feed(path)
        stage.reader.simulator.add_entry(path)
    acme, other = stage.watch(*paths[:-1]), stage.watch(paths[-1], slug="other")
    stage.reader.simulator.faults.slow(0.5, path="/49$")

    def read_slowly() -> None:
        with world.db.session():
            stage.fetcher.fetch(
                FetchWorkspace(workspace_id=other, source="feeds", fresh_since=world.clock(), reason="manual"),
                UnlimitedPermit(),
            )

    slow = threading.Thread(target=read_slowly)
    slow.start()
    assert stage.reader.simulator.wait_for_requests(1)
    later = stage.run(acme)
    slow.join()
    assert 1 <= len(later) <= 49
    assert stage.reader.simulator.faults.pending() == 0
    world.clock.advance(2.5)
    for message in later:
        assert stage.handle(acme, message) == []
    read = Feed.select().where(freshness.fresh_at() > 0, Feed.failures == 0).count(stage.db.peewee)
    assert read >= 49


def test_a_secret_of_an_address_is_shown_nowhere(world: World, stage: FeedStage) -> None:
    good, bad = f"/feed?token={SECRET}", f"/private/{SECRET}"
    stage.reader.feed(good, window=1)
    stage.reader.simulator.add_entry(good, title="acme")
    acme = stage.watch(good, bad)
    with capture_logs() as logs:
        stage.run(acme)
        stage.reader.simulator.add_entry(good, title="two")
        stage.reader.simulator.add_entry(good, title="three")
        for _ in range(feeds.ALERT_AFTER_REFUSALS):
            world.clock.advance(100_000)
            stage.run(acme)
    shown: list[Any] = [
        logs,
        [mention for _, mention in mentions.listing(stage.db)],
        feeds.failing(stage.db, 10),
        stored_gaps.listing(stage.db, limit=10),
        workspaces.details(stage.db, "acme").spec,
        write(workspaces.export(stage.db, ["acme"], secrets=False)),
        list(Incident.select().tuples().execute(stage.db.peewee)),
    ]
    for each in shown:
        assert each
        assert SECRET not in repr(each)
        assert "***" in repr(each) or each is logs
    place = stage.reader.url(good)
    assert [row.place for row in stored_gaps.listing(stage.db, place=place, limit=10)] == [public_place(place)]
    [spec] = read(write(workspaces.export(stage.db, ["acme"], secrets=True)), "file")
    assert set(spec.watch[0].places) == {stage.reader.url(good), stage.reader.url(bad)}
    with pytest.raises(InvalidInput, match="export --secrets"):
        read(write(workspaces.export(stage.db, ["acme"], secrets=False)), "file")


def test_a_redirect_keeps_the_place_that_is_watched(world: World, stage: FeedStage) -> None:
    stage.reader.feed("/new")
    stage.reader.simulator.add_entry("/new", title="acme")
    stage.reader.simulator.move_feed("/old", "/new")
    acme = stage.watch("/old")
    stage.run(acme)
    [(_, mention)] = mentions.listing(stage.db)
    assert mention.place == stage.reader.url("/old")
    assert msgspec.json.encode(mention)
