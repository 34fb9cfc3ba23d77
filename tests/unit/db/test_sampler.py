"""Which items match sends on for the sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from actors.match import Matcher
from actors.store import store
from overheard import canary
from overheard.bus.envelope import ENVELOPE_MAX_BYTES
from overheard.chunking import CHUNK_MAX_BYTES
from overheard.db import instance, sampling
from overheard.db.database import Db
from overheard.db.models import SampledItem, SampleSource
from overheard.db.sampler import SHARES_DRAWS, SHARES_SECONDS, Sampler
from overheard.db.sampling import SampleQuota
from overheard.items import Item
from overheard.messages import ItemsFetched, MatchedItem, PollPart, SampleDraw
from overheard.observability.metrics import ProcessMetrics
from overheard.workspaces import WatchSpec
from tests.fixtures import Clock, Metric, Sent, World

DAY = 86400.0


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def match(db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics) -> Callable[..., list[MatchedItem]]:
    """Match items; return what is sent on."""
    matcher = Matcher(db=db, send=sent, metrics=metrics, sampler=Sampler(db, clock, DAY))

    def sent_on(*items: Item) -> list[MatchedItem]:
        matcher.match(ItemsFetched(part=PollPart(poll="p", part=0), items=items))
        return [entry for message in sent.take() for entry in message.items]

    return sent_on


def priority(db: Db, item: Item) -> float:
    return sampling.priority(instance.ensure_id(db).encode(), item)


def test_an_item_is_sent_on_though_it_matches_nothing(world: World, db: Db, match: Callable[..., Any]) -> None:
    acme = world.workspace()
    quiet, hit = world.item(1, title="", body="quiet"), world.item(2)
    first, second = match(quiet, hit)
    assert first == MatchedItem(quiet, (), SampleDraw(priority(db, quiet), 1.0))
    assert [found.workspace_id for found in second.matches] == [acme]
    assert second.sample == SampleDraw(priority(db, hit), 1.0)


def test_only_what_somebody_watches_is_sampled(world: World, match: Callable[..., Any]) -> None:
    world.workspace(watch=(WatchSpec("hackernews", ("all",)),))
    assert match(world.item(1, place="rust"), world.item(2, kind="comment")) == []
    assert len(match(world.item(1, source="hackernews", place="stories"))) == 1


def test_an_old_item_is_not_sampled(world: World, clock: Clock, match: Callable[..., Any]) -> None:
    world.workspace(queries={"x": "zebra"})
    ages = (DAY + 1, DAY, 0, -60)
    items = [world.item(number, created_at=clock() - age) for number, age in enumerate(ages, 1)]
    assert [entry.item.id for entry in match(*items)] == ["t3_2", "t3_3", "t3_4"]


def test_the_canary_is_not_sampled(world: World, db: Db, clock: Clock) -> None:
    sampler = Sampler(db, clock, DAY)
    sampler.refresh()
    assert sampler.draw(world.item(source=canary.SOURCE)) is None
    assert sampler.draw(world.item()) is not None


def test_the_share_is_read_again_after_some_seconds(
    world: World, db: Db, clock: Clock, match: Callable[..., Any]
) -> None:
    world.workspace(queries={"x": "zebra"})
    items = [world.item(number) for number in range(1, 91)]
    assert len(match(*items)) == 90
    SampleSource.insert(source="reddit", share=0.3, since=1.0).execute(db.peewee)
    clock.advance(SHARES_SECONDS - 1)
    assert len(match(*items)) == 90
    clock.advance(1)
    assert match(*items) == [
        MatchedItem(item, (), SampleDraw(priority(db, item), 0.3)) for item in items if priority(db, item) < 0.3
    ]
    SampleSource.update(share=0).execute(db.peewee)
    clock.advance(SHARES_SECONDS)
    assert match(*items) == []


def test_the_share_is_read_again_after_many_draws(world: World, db: Db, match: Callable[..., Any]) -> None:
    """A source that nothing was sampled of yet may be a flood."""
    world.workspace(queries={"x": "zebra"})
    items = [world.item(number) for number in range(1, SHARES_DRAWS)]
    assert len(match(*items)) == SHARES_DRAWS - 1
    SampleSource.insert(source="reddit", share=0, since=1.0).execute(db.peewee)
    assert len(match(world.item(1000))) == 1
    assert match(*items) == []


def test_without_a_sample_only_matches_are_sent_on(world: World, db: Db, sent: Sent, metrics: ProcessMetrics) -> None:
    world.workspace()
    matcher = Matcher(db=db, send=sent, metrics=metrics)
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=0), items=(world.item(), world.item(2, title="", body=""))))
    [message] = sent
    assert message.items == (MatchedItem(world.item(), message.items[0].matches, None),)


def test_large_items_of_the_sample_stay_within_the_bus_s_limit(
    world: World, db: Db, clock: Clock, sent: Sent, metrics: ProcessMetrics
) -> None:
    """An item is sent in one message only, and one with very many matches keeps its draw in each."""
    for number in range(40):
        world.workspace(f"w{number}", queries={"x": "acme"})
    texts = [world.item(number, title="", body="\x01" * (CHUNK_MAX_BYTES // 4)) for number in range(1, 8)]
    hit = world.item(9, title="acme " * 20_000)
    matcher = Matcher(db=db, send=sent, metrics=metrics, sampler=Sampler(db, clock, DAY))
    matcher.match(ItemsFetched(part=PollPart(poll="p", part=0, parts=1), items=(*texts, hit)))
    assert len(sent) > 2
    assert all(len(msgspec.json.encode(message)) < ENVELOPE_MAX_BYTES for message in sent)
    assert all(entry.sample is not None for message in sent for entry in message.items)
    ids = [entry.item.id for message in sent for entry in message.items]
    assert [ids.count(item.id) for item in texts] == [1] * 7


def test_store_keeps_the_sample_within_its_quota_and_counts_it(
    world: World, db: Db, clock: Clock, sent: Sent, metrics: ProcessMetrics, metric: Metric
) -> None:
    world.workspace(queries={"x": "zebra"})
    matcher = Matcher(db=db, send=sent, metrics=metrics, sampler=Sampler(db, clock, DAY))
    quota = SampleQuota(db, 50)
    SampleSource.insert(source="reddit", since=clock() - 3600).execute(db.peewee)
    for number in range(10):
        items = tuple(world.item(100 * number + each) for each in range(1, 101))
        matcher.match(ItemsFetched(part=PollPart(poll=f"p{number}", part=0, parts=1), items=items))
        [message] = sent.take()
        store(message, db=db, send_all=sent.send_all, clock=clock, metrics=metrics, quota=quota)
        assert 30 <= SampledItem.select().count(db.peewee) <= 50
    assert metric("items_sampled_total", source="reddit") >= 100
