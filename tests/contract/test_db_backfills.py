"""Backfilling: a source's past becomes mentions that are not sent, and an interrupted one resumes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from actors.match import Matcher
from overheard.db import backfills, storing
from overheard.db.backfills import LATE_ITEMS_SECONDS, BackfillSearch
from overheard.db.database import Db
from overheard.db.models import Backfill, Delivery, Feed, FeedGroup, Mention
from overheard.db.retention import DAY_SECONDS, RetentionAges
from overheard.errors import BudgetExhausted, Conflict, FeedRefused, LoginRefused, NotFound, RetryableError
from overheard.items import Item
from overheard.messages import ItemsFetched, ItemsMatched
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import backfill
from overheard.operations.backfill import (
    MAX_TRIES,
    TRUNCATED,
    Backfiller,
    BackfillPlan,
    SearchableSource,
)
from overheard.permits import UnlimitedPermit
from overheard.sources import RequestTokens, SearchPage, SearchRequest
from overheard.workspaces import QuerySpec, WatchSpec
from tests.fixtures import Clock, Sent, World

FOREVER = RetentionAges(0, 0, 0)
PAGE = 2


class Archive:
    """A source with a search: pages of PAGE items, newest first. ``failures`` are raised first."""

    name = "reddit"

    def __init__(self, items: list[Item]) -> None:
        self.items = sorted(items, key=lambda item: -item.created_at)
        self.requests: list[SearchRequest] = []
        self.failures: list[Exception] = []
        self.truncated = False

    def search(self, request: SearchRequest, budget: RequestTokens) -> SearchPage:
        budget.acquire()
        if self.failures:
            raise self.failures.pop(0)
        self.requests.append(request)
        start = int(request.position or 0)
        rest = self.items[start + PAGE :]
        return SearchPage(
            tuple(self.items[start : start + PAGE]), str(start + PAGE) if rest else None, truncated=self.truncated
        )


class Stop(threading.Event):
    """Waits at once, and remembers for how long it was to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0.0)
        return self.is_set()


class Desk:
    """Backfills in a test's world."""

    def __init__(self, world: World, db: Db, clock: Clock, metrics: ProcessMetrics) -> None:
        self.world, self.db, self.clock = world, db, clock
        self.metrics = metrics
        self.archive = Archive([])
        self.others: dict[str, Archive] = {}
        self.stop = Stop()
        self.reports: list[tuple[BackfillSearch, str]] = []

    def publish(self, *ages: float, **fields: Any) -> None:
        """Fill the archive with items of these ages in seconds; the first is number 1."""
        now = self.clock()
        items = [self.world.item(number, created_at=now - age, **fields) for number, age in enumerate(ages, start=1)]
        self.archive = Archive(items)

    def plan(self, days: float = 7, query: str | None = None, ages: RetentionAges = FOREVER) -> BackfillPlan:
        since = self.clock() - days * DAY_SECONDS
        return backfill.plan(self.db, "acme", ["reddit"], since=since, now=self.clock(), query=query, ages=ages)

    def run(self, plan: BackfillPlan | None = None, after_report: Callable[[], None] = lambda: None) -> bool:
        def report(search: BackfillSearch, note: str) -> None:
            self.reports.append((search, note))
            after_report()

        archives = {"reddit": self.archive, **self.others}
        sources = {name: SearchableSource(archive, UnlimitedPermit()) for name, archive in archives.items()}
        filler = Backfiller(
            db=self.db, sources=sources, match=self._match, clock=self.clock, ages=FOREVER, stop=self.stop
        )
        return filler.run(plan or self.plan(), report)

    def _match(self, message: ItemsFetched) -> list[ItemsMatched]:
        sent = Sent()
        Matcher(db=self.db, send=sent, metrics=self.metrics).match(message)
        return list(sent)

    def found(self) -> list[str]:
        from overheard.db.models import StoredItem

        rows = Mention.select(StoredItem.ref).join(StoredItem).order_by(StoredItem.created_at)
        return [ref for (ref,) in rows.tuples().execute(self.db.peewee)]


@pytest.fixture
def desk(world: World, db: Db, clock: Clock, metrics: ProcessMetrics) -> Desk:
    return Desk(world, db, clock, metrics)


def test_everything_since_then_is_stored_and_nothing_is_sent(desk: Desk, world: World, db: Db) -> None:
    world.workspace(channels={"now": "instant", "daily": "digest"})
    desk.publish(60, 3600, 86_400, 3 * 86_400, 6.9 * 86_400, 8 * 86_400)
    groups = world.rows(FeedGroup)
    assert desk.run()
    assert desk.found() == ["t3_5", "t3_4", "t3_3", "t3_2", "t3_1"]
    assert {backfilled for (backfilled,) in world.rows(Mention, "backfilled")} == {True}
    assert world.counts() | {"Delivery": 0, "Backfill": 0} == world.counts()
    assert world.rows(FeedGroup) == groups, "cursors stay"
    assert desk.reports[-1][0].items == 5
    assert desk.reports[-1][0].fraction == 1.0


def test_even_what_would_be_news_is_not_sent(desk: Desk, world: World, db: Db, clock: Clock) -> None:
    """A query that was added later: its workspace has read these items long ago, and matched them by other queries."""
    world.workspace()
    clock.advance(2 * DAY_SECONDS)
    Feed.update(fresh_at=clock()).execute(db.peewee)
    desk.publish(3600, DAY_SECONDS)
    assert desk.run()
    assert desk.found() == ["t3_2", "t3_1"]
    assert Delivery.select().count(db.peewee) == 0


def test_what_reading_may_still_find_is_left_to_it(desk: Desk, world: World, db: Db, clock: Clock) -> None:
    """It is sent then. Stored here first, it would not be."""
    began, acme = clock(), world.workspace()
    assert [search.until for search in desk.plan().searches] == [began], "nothing is read yet: until it was watched"
    backfills.clear(db, acme)
    clock.advance(DAY_SECONDS)
    Feed.update(fresh_at=clock()).execute(db.peewee)
    assert [search.until for search in desk.plan().searches] == [clock() - LATE_ITEMS_SECONDS]
    backfills.clear(db, acme)
    desk.publish(LATE_ITEMS_SECONDS - 1, LATE_ITEMS_SECONDS + 1)
    assert desk.run()
    assert desk.found() == ["t3_2"]


def test_an_interrupted_one_resumes_where_it_stopped(desk: Desk, world: World, clock: Clock) -> None:
    world.workspace()
    desk.publish(*range(100, 1100, 100))
    first = desk.plan()
    assert not first.resumed
    assert not desk.run(first, after_report=lambda: desk.stop.set() if len(desk.reports) == 2 else None)
    assert [request.position for request in desk.archive.requests] == [None, "2"]
    assert len(desk.found()) == 4

    desk.stop, desk.archive.requests = Stop(), []
    clock.advance(3600)
    again = desk.plan()
    assert again.resumed
    assert again.searches[0].since == first.searches[0].since
    assert desk.run(again)
    assert [request.position for request in desk.archive.requests] == ["4", "6", "8"]
    assert len(desk.found()) == 10
    assert not desk.plan().resumed, "it was done"


@pytest.mark.parametrize(("days", "query"), [(30, None), (7, "brand")])
def test_another_backfill_begins_anew(desk: Desk, world: World, days: float, query: str | None) -> None:
    world.workspace(queries={"brand": "acme", "other": "number"})
    desk.publish(*range(100, 1100, 100))
    desk.run(after_report=desk.stop.set)
    assert not desk.plan(days, query).resumed
    assert [search.position for search in desk.plan(days, query).searches] == [None]


def test_a_finished_place_is_not_searched_again(desk: Desk, world: World) -> None:
    world.workspace(subreddits=["python", "rust"])
    desk.publish(100, 200)
    desk.run(after_report=desk.stop.set)
    desk.stop = Stop()
    plan = desk.plan()
    assert [search.finished_at is not None for search in plan.searches] == [True, False]
    assert desk.run(plan)
    assert [request.places for request in desk.archive.requests] == [("python",), ("rust",)]


def test_the_request_names_kinds_and_words(desk: Desk, world: World) -> None:
    world.workspace(kinds=["posts", "comments"], queries={"a": "acme OR bolt", "b": '"zebra db"'})
    desk.publish(100)
    desk.run()
    [request] = desk.archive.requests
    assert request.kinds == ("post", "comment")
    assert request.words == ("acme", "bolt", "zebra")


def test_one_query_s_items_keep_the_names_of_all_that_match(desk: Desk, world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "number": "2"})
    other = world.workspace("other")
    desk.publish(100, 200, 300)
    assert desk.run(desk.plan(query="number"))
    assert desk.found() == ["t3_2"]
    ids = sorted([world.query(acme, "brand"), world.query(acme, "number")])
    assert world.rows(Mention, "workspace_id", "query_ids") == [(acme, f"[{ids[0]},{ids[1]}]")]
    assert other not in [workspace for (workspace,) in world.rows(Mention, "workspace_id")]


def test_what_is_stored_already_stays_as_it_is(desk: Desk, world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    storing.store(db, world.matched((world.item(1), (acme,))), clock())
    before = world.rows(Mention), world.rows(Delivery)
    desk.publish(0, 100)
    desk.archive.items[0] = world.item(1, created_at=clock() - 50)
    assert desk.run()
    assert desk.reports[-1][0].mentions == 1
    assert [world.rows(Mention)[0]] == before[0]
    assert world.rows(Delivery) == before[1]


def test_what_retention_would_delete_is_not_searched(desk: Desk, world: World, clock: Clock) -> None:
    world.workspace()
    [search] = desk.plan(365, ages=RetentionAges(90, 30, 90)).searches
    assert search.since == clock() - 90 * DAY_SECONDS


def test_a_passing_fault_is_tried_again(desk: Desk, world: World) -> None:
    world.workspace()
    desk.publish(100)
    desk.archive.failures = [RetryableError("HTTP 503"), RetryableError("HTTP 429", delay=7)]
    assert desk.run()
    assert desk.stop.waited == [2.0, 7.0]
    assert [note for _, note in desk.reports] == ["HTTP 503; next try in 2 s", "HTTP 429; next try in 7 s", ""]
    assert desk.found() == ["t3_1"]


def test_a_lasting_fault_interrupts_it_and_stops_no_other_source(desk: Desk, world: World, db: Db) -> None:
    world.workspace(subreddits=["python", "rust"], watch=(WatchSpec("replay", ("all",)),))
    desk.publish(100)
    desk.archive.failures = [RetryableError("HTTP 503")] * MAX_TRIES
    desk.others["replay"] = other = Archive([])
    plan = backfill.plan(db, "acme", ["reddit", "replay"], since=0.0, now=desk.clock(), query=None, ages=FOREVER)
    assert not desk.run(plan)
    assert [note for _, note in desk.reports if "does not" in note] == ["reddit does not answer: HTTP 503"]
    assert len(desk.archive.requests) == 0, "rust is not tried either"
    assert len(other.requests) == 1
    assert desk.plan().resumed


def test_a_refused_login_interrupts_it_at_once(desk: Desk, world: World) -> None:
    world.workspace()
    desk.publish(100)
    desk.archive.failures = [LoginRefused("Reddit refuses the login", delay=3600.0)]
    assert not desk.run()
    assert desk.stop.waited == []
    assert [note for _, note in desk.reports] == ["reddit does not answer: Reddit refuses the login"]


def test_without_a_spare_token_it_waits(desk: Desk, world: World) -> None:
    world.workspace()
    desk.publish(100)
    desk.archive.failures = [BudgetExhausted("reddit:x", delay=2.0, slot=None)] * (MAX_TRIES + 1)
    assert desk.run(), "however long that takes"
    assert desk.stop.waited == [2.0] * (MAX_TRIES + 1)


def test_a_refused_place_does_not_stop_the_others(desk: Desk, world: World) -> None:
    world.workspace(subreddits=["private", "python"])
    desk.publish(100)
    desk.archive.failures = [FeedRefused("private", ("private",))]
    assert desk.run()
    assert desk.found() == ["t3_1"]
    assert [(search.place, note) for search, note in desk.reports] == [
        ("private", "it cannot be searched: private: private"),
        ("python", ""),
    ]


def test_a_search_that_does_not_show_everything_says_so(desk: Desk, world: World) -> None:
    world.workspace()
    desk.publish(100)
    desk.archive.truncated = True
    desk.run()
    assert [note for _, note in desk.reports] == [TRUNCATED]


def test_of_two_at_once_one_ends(desk: Desk, world: World, db: Db) -> None:
    world.workspace()
    desk.publish(100, 200, 300)
    plan = desk.plan()
    backfills.advance(db, plan.workspace_id, plan.searches[0], replace(plan.searches[0], position="2", items=2))
    with pytest.raises(Conflict, match="another backfill of acme is running"):
        desk.run(plan)
    assert world.rows(Backfill, "position") == [("2",)]


def test_what_cannot_be_planned_is_refused(desk: Desk, world: World, db: Db) -> None:
    with pytest.raises(NotFound, match="no workspace 'acme'"):
        desk.plan()
    acme = world.workspace(queries={"brand": "acme", "jobs": "hiring"})
    with pytest.raises(NotFound, match="no query 'nope'; it has: brand, jobs"):
        desk.plan(query="nope")
    with pytest.raises(NotFound, match=r"no query 'a.udcff'; it has: brand, jobs"):
        desk.plan(query="a\udcff")
    assert backfill.plan(db, "acme", [], since=0.0, now=0.0, query=None, ages=FOREVER).unsearchable == ("reddit",)
    from overheard.db import workspace_specs

    workspace_specs.set_active(db, acme, False)
    with pytest.raises(Conflict, match="paused"):
        desk.plan()


def test_only_what_a_query_is_limited_to_is_searched_and_found(desk: Desk, world: World, db: Db) -> None:
    limited = {"r": QuerySpec("r", "acme", places=("rust",)), "brand": "acme"}
    world.workspace(subreddits=["python", "rust", "go"], queries=limited)
    assert [search.place for search in desk.plan(query="r").searches] == ["rust"]
    assert [search.place for search in desk.plan().searches] == ["go", "python", "rust"]
    world.workspace(subreddits=["python", "rust"], queries={"r": limited["r"]})
    desk.publish(100, 200)
    desk.run()
    assert world.counts()["Mention"] == 0, "what is found is in r/python"


def test_a_workspace_that_is_removed_takes_its_backfill_with_it(desk: Desk, world: World, db: Db) -> None:
    from overheard.db import workspace_specs

    acme = world.workspace()
    desk.plan()
    workspace_specs.remove(db, acme)
    assert world.counts()["Backfill"] == 0
