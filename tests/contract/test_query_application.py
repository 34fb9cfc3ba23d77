"""A query is run over what is stored: it finds what it would have found, and nothing is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from actors.match import Matcher
from overheard.db import erasure, stored_items, storing, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Mention, Query, StoredItem
from overheard.db.retention import DAY_SECONDS, RetentionAges
from overheard.errors import Conflict, NotFound
from overheard.items import Item
from overheard.messages import ItemsFetched, ItemsMatched, MatchedItem, SampleDraw
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import query_application
from overheard.operations.query_application import QueryApplication
from overheard.operations.quiet_store import QuietStore
from overheard.workspaces import QuerySpec, WatchSpec
from tests.fixtures import Clock, Sent, World

FOREVER = RetentionAges(0, 0, 0)
NEW = {"brand": "acme", "new": "number"}


class Desk:
    """Applies queries in a test's world."""

    def __init__(self, world: World, db: Db, clock: Clock, metrics: ProcessMetrics) -> None:
        self.world, self.db, self.clock, self.metrics = world, db, clock, metrics
        self.stop = threading.Event()

    def store(self, *items: Item, workspace: int) -> None:
        storing.store(self.db, self.world.matched(*[(item, (workspace,)) for item in items]), self.clock())

    def apply(self, name: str = "new", days: float = 7, after_page: Callable[[], None] = lambda: None) -> Any:
        def match(message: ItemsFetched) -> list[ItemsMatched]:
            sent = Sent()
            Matcher(db=self.db, send=sent, metrics=self.metrics).match(message)
            after_page()
            return list(sent)

        quiet = QuietStore(self.db, match, self.clock, FOREVER)
        return query_application.apply(quiet, "acme", name, self.clock() - days * DAY_SECONDS, self.stop)


@pytest.fixture
def desk(world: World, db: Db, clock: Clock, metrics: ProcessMetrics) -> Desk:
    return Desk(world, db, clock, metrics)


def test_what_another_workspace_had_found_becomes_a_mention_that_is_not_sent(
    desk: Desk, world: World, db: Db, clock: Clock
) -> None:
    other = world.workspace("other", channels={})
    acme = world.workspace(queries={"new": "number"})
    desk.store(*[world.item(number, created_at=clock() - 60) for number in range(3)], workspace=other)
    desk.store(world.item(9, title="quiet", body="", created_at=clock() - 60), workspace=other)
    applied = desk.apply()
    assert applied == QueryApplication(acme, world.query(acme, "new"), 4, 3, 3, 0, finished=True)
    rows = world.rows(Mention, "workspace_id", "backfilled")
    assert [backfilled for workspace, backfilled in rows if workspace == acme] == [True] * 3
    assert world.counts()["Delivery"] == 0
    again = desk.apply()
    assert (again.found, again.mentions, again.named) == (3, 0, 0)
    assert world.rows(Mention, "workspace_id", "backfilled") == rows


def test_a_mention_of_another_query_names_the_new_one_too(desk: Desk, world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    desk.store(world.item(1, title="On acme number", body=""), workspace=acme)
    deliveries = world.counts()["Delivery"]
    world.workspace(queries=NEW)
    applied = desk.apply()
    assert (applied.items, applied.found, applied.mentions, applied.named) == (1, 1, 0, 1)
    brand, new = world.query(acme), world.query(acme, "new")
    [(query_ids, why, backfilled)] = world.rows(Mention, "query_ids", "why", "backfilled")
    assert query_ids == f"[{brand},{new}]"
    assert why == f'[[{brand},"acme","title",3,7],[{new},"number","title",8,14]]'
    assert (backfilled, world.counts()["Delivery"]) == (False, deliveries), "it was sent as what it was"
    assert desk.apply().named == 0


def test_only_watched_places_and_the_query_s_own_limits_count(desk: Desk, world: World, clock: Clock) -> None:
    everywhere = {"subreddits": ["python", "rust", "go"], "kinds": ["posts", "comments"]}
    other = world.workspace("other", channels={}, **everywhere)
    acme = world.workspace(subreddits=["python", "rust"], queries={"new": QuerySpec("new", "number", places=("rust",))})
    desk.store(
        world.item(1), world.item(2, place="Rust"), world.item(3, place="go"),
        world.item(4, kind="comment", place="rust"), workspace=other,
    )  # fmt: skip
    applied = desk.apply()
    assert (applied.items, applied.found, applied.mentions) == (2, 1, 1)
    found = Mention.select(StoredItem.ref).join(StoredItem).where(Mention.workspace == acme)
    assert list(found.tuples().execute(world.db.peewee)) == [("t3_2",)]


def test_only_what_was_published_since_counts(desk: Desk, world: World, clock: Clock) -> None:
    other = world.workspace("other", channels={})
    world.workspace(queries=NEW)
    ages = [1, 6, 8]
    items = [world.item(days, created_at=clock() - days * DAY_SECONDS) for days in ages]
    desk.store(*items, workspace=other)
    assert desk.apply(days=7).items == 2
    assert desk.apply(days=9).items == 3


def test_it_goes_page_by_page_and_can_be_interrupted_and_repeated(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_items, "PAGE_ITEMS", 2)
    other = world.workspace("other", channels={})
    world.workspace(queries={"new": "number"})
    desk.store(*[world.item(number) for number in range(7)], workspace=other)
    applied = desk.apply(after_page=desk.stop.set)
    assert (applied.items, applied.mentions, applied.finished) == (2, 2, False)
    desk.stop.clear()
    pages: list[int] = []
    applied = desk.apply(after_page=lambda: pages.append(1))
    assert (applied.items, applied.mentions, applied.finished, len(pages)) == (7, 5, True, 4)


def test_what_only_the_sample_had_becomes_a_mention_and_is_rechecked(
    desk: Desk, world: World, db: Db, clock: Clock
) -> None:
    world.workspace(queries={"new": "number"})
    sampled = MatchedItem(world.item(1), (), SampleDraw(0.1, 1.0))
    storing.store(db, msgspec.structs.replace(world.matched(), items=(sampled,)), clock())
    assert world.rows(StoredItem, "checked_at")[0][0] > clock()
    applied = desk.apply()
    assert (applied.items, applied.found, applied.mentions) == (1, 1, 1)
    assert world.rows(StoredItem, "checked_at") == [(clock(),)]


def test_what_is_erased_meanwhile_is_not_stored_again(desk: Desk, world: World, db: Db, clock: Clock) -> None:
    other = world.workspace("other", channels={})
    world.workspace(queries={"new": "number"})
    desk.store(world.item(1), world.item(2), workspace=other)
    [(first,), _] = world.rows(StoredItem, "id")
    applied = desk.apply(after_page=lambda: erasure.erase_items(db, [first], clock()) and None)  # type: ignore[func-returns-value]
    assert applied.mentions == 1
    assert world.rows(StoredItem, "ref") == [("t3_2",)]


def test_a_stored_item_is_what_its_source_returned(desk: Desk, world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item = world.item(
        1, url="https://example.org/", texts={"flair": "Help"}, lang="de", nsfw=True, lookup="x", author=None,
        edited_at=clock(), thread="t3_1",
    )  # fmt: skip
    desk.store(item, workspace=acme)
    [page] = stored_items.pages(db, [("reddit", "post", "python")], 0.0)
    assert page == (item,)
    assert msgspec.json.decode(msgspec.json.encode(page[0]), type=Item) == item


def test_all_of_a_source_is_a_watched_place(desk: Desk, world: World) -> None:
    other = world.workspace("other", channels={})
    world.workspace(subreddits=["all"], watch=(WatchSpec("replay", ("all",)),), queries={"new": "number"})
    desk.store(world.item(1), workspace=other)
    assert desk.apply().mentions == 1


def test_what_cannot_be_applied_is_refused(desk: Desk, world: World, db: Db) -> None:
    with pytest.raises(NotFound, match="no workspace 'acme'"):
        desk.apply()
    acme = world.workspace()
    with pytest.raises(NotFound, match="no query 'new'; it has: brand"):
        desk.apply()
    with pytest.raises(NotFound, match=r"no query 'a.udcff'; it has: brand"):
        desk.apply("a\udcff")
    Query.update(removed_at=1.0).execute(db.peewee)
    with pytest.raises(NotFound, match="no query 'brand'"):
        desk.apply("brand")
    workspace_specs.set_active(db, acme, False)
    with pytest.raises(Conflict, match="paused"):
        desk.apply("brand")
