"""Reading the sample on both databases: what a workspace watches, and what its queries have found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from overheard.db import query_rows, sample, storing, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Feed, SampledItem, SampleSource
from overheard.db.query_rows import QueryHits
from overheard.db.sample import Sampled
from overheard.items import Item
from overheard.workspaces import WatchSpec
from tests.fixtures import Clock, World

HOUR = 3600.0


@pytest.fixture
def add(world: World) -> Callable[..., Item]:
    """Store an item for the sample alone."""

    def store(number: int, share: float = 1.0, **fields: Any) -> Item:
        item = world.item(number, **fields)
        world.sample(item, share=share)
        return item

    return store


def test_a_workspace_reads_what_it_watches_and_nothing_else(world: World, db: Db, add: Callable[..., Item]) -> None:
    acme = world.workspace(
        "acme", subreddits=["python"], kinds=["posts"], watch=(WatchSpec("hackernews", ("all",), ("comments",)),)
    )
    bolt = world.workspace("bolt", subreddits=["rust"], kinds=["posts", "comments"])
    python, _ = add(1), add(2, kind="comment", thread="t3_1")
    rust, remark = add(3, place="rust"), add(4, place="Rust", kind="comment", thread="t3_3")
    add(5, source="hackernews", place="stories")
    reply = add(6, source="hackernews", place="comments", kind="comment", thread="5")
    assert [each.item for each in sample.sampled_items(db, acme)] == [python, reply]
    assert [each.item for each in sample.sampled_items(db, bolt)] == [rust, remark]
    assert [each.item for each in sample.sampled_items(db)] == [python, rust, remark, reply]
    workspace_specs.set_active(db, bolt, False)
    assert [each.item for each in sample.sampled_items(db)] == [python, reply]


def test_items_come_whole_with_their_weights_in_batches(
    world: World, db: Db, clock: Clock, add: Callable[..., Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "ROWS_PER_STATEMENT", 2)
    acme = world.workspace()
    items = [add(number, share=1 / number, texts={"flair": "x"}, lang="de", nsfw=True) for number in range(1, 6)]
    assert list(sample.sampled_items(db, acme)) == [
        Sampled(item, pytest.approx(number)) for number, item in enumerate(items, 1)
    ]
    SampledItem.update(priority=0.9).where(SampledItem.share < 0.3).execute(db.peewee)
    assert len(list(sample.sampled_items(db, acme))) == 3, "what is above its share has left the sample"
    clock.advance(HOUR)
    late = add(9)
    assert [each.item for each in sample.sampled_items(db, acme, since=clock() - 60)] == [late]


def test_a_place_is_covered_since_it_is_sampled_and_watched(
    world: World, db: Db, clock: Clock, add: Callable[..., Item]
) -> None:
    start = clock()
    acme = world.workspace(subreddits=["python"])
    clock.advance(HOUR)
    item = add(1)
    clock.advance(HOUR)
    world.workspace(subreddits=["python", "rust"])
    covered = sample.coverage(db, start - HOUR, acme)
    assert covered.since(item) == start + HOUR, "when sampling began"
    assert covered.since(world.item(2, place="rust")) == start + 2 * HOUR, "when the place was first watched"
    SampleSource.update(since=1.0).execute(db.peewee)
    assert sample.coverage(db, start - HOUR, acme).since(item) == start
    assert sample.coverage(db, start + 60, acme).since(item) == start + 60, "the window begins there"
    Feed.update(created_at=5.0).where(Feed.place == "rust").execute(db.peewee)
    world.workspace("bolt", subreddits=["all"])
    assert sample.coverage(db, 1.0).since(world.item(2, place="rust")) == 5.0


def test_queries_are_read_with_what_they_have_found(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "x": "zebra"})
    bolt = world.workspace("bolt")
    old, young = world.item(1), world.item(2)
    storing.store(db, world.matched((old, (acme,)), poll="old"), clock())
    clock.advance(8 * 24 * HOUR)
    young = msgspec.structs.replace(young, created_at=clock())
    storing.store(db, world.matched((young, (acme, bolt)), poll="young"), clock())
    backfilled = msgspec.structs.replace(world.item(3), created_at=1.0)
    storing.store(db, world.matched((backfilled, (acme,)), poll="back"), clock())
    week = clock() - 7 * 24 * HOUR
    brand, other = world.query(acme), world.query(bolt)
    assert sorted(query_rows.hits_since(db, week)) == [QueryHits((brand,), 1), QueryHits((other,), 1)]
    assert list(query_rows.hits_since(db, 0.0, acme)) == [QueryHits((brand,), 2)]
    assert list(query_rows.newest_hits(db, acme, 0.0)) == [((brand,), young), ((brand,), old)]
    assert [(query.workspace, query.name) for query in query_rows.stored_queries(db)] == [
        ("acme", "brand"), ("acme", "x"), ("bolt", "brand"),
    ]  # fmt: skip
    assert query_rows.watching_since(db).keys() == {acme, bolt}
    assert query_rows.watchers(db, [acme, bolt]) == {("reddit", "post", "python"): {acme, bolt}}
    assert query_rows.watchers(db, [bolt]) == {("reddit", "post", "python"): {bolt}}


def test_hits_are_read_in_batches(world: World, db: Db, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_rows, "MENTIONS_PER_STATEMENT", 2)
    acme = world.workspace()
    items = [world.item(number) for number in range(1, 6)]
    storing.store(db, world.matched(*[(item, (acme,)) for item in items]), clock())
    assert [item for _, item in query_rows.newest_hits(db, acme, 0.0)] == items[::-1]
