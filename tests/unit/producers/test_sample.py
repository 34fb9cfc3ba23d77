"""The tick's step for the sample of recent items."""

from __future__ import annotations

import msgspec
import pytest

from overheard.config import SampleSettings
from overheard.db import instance, sampling, storing, word_frequencies, workspace_specs
from overheard.db.database import Db
from overheard.db.models import StoredItem
from overheard.messages import SampleDraw
from overheard.observability.metrics import ProcessMetrics
from producers.sample import LEARN_SECONDS, STEP_SECONDS, UNWATCHED_SECONDS, SampleKeeper
from tests.fixtures import Clock, Metric, World

HOUR = 3600.0


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def stored(world: World, db: Db, clock: Clock) -> int:
    """The workspace; ten items of its place are in the sample."""
    acme = world.workspace()
    key = instance.ensure_id(db).encode()
    items = [world.item(number) for number in range(1, 11)]
    message = world.matched(*[(item, ()) for item in items])
    entries = [
        msgspec.structs.replace(entry, sample=SampleDraw(sampling.priority(key, entry.item), 1.0))
        for entry in message.items
    ]
    storing.store(db, msgspec.structs.replace(message, items=tuple(entries)), clock())
    return acme


def test_items_leave_the_sample_after_their_hours(
    world: World, db: Db, clock: Clock, stored: int, metrics: ProcessMetrics, metric: Metric
) -> None:
    keeper = SampleKeeper(db=db, clock=clock, settings=SampleSettings(hours=2), metrics=metrics)
    keeper.step()
    assert metric("sample_items", source="reddit") == 10
    clock.advance(2 * HOUR)
    keeper.step()
    assert world.counts()["SampledItem"] == 10
    clock.advance(STEP_SECONDS)
    keeper.step()
    assert world.counts() | {"SampledItem": 0, "StoredItem": 0} == world.counts()
    assert metric("sample_items", source="reddit") == 0


def test_a_lowered_quota_applies_at_the_next_step(
    world: World, db: Db, clock: Clock, stored: int, metrics: ProcessMetrics, metric: Metric
) -> None:
    clock.advance(HOUR)
    SampleKeeper(db=db, clock=clock, settings=SampleSettings(items_per_source=5), metrics=metrics).step()
    assert world.counts() | {"SampledItem": 4, "StoredItem": 4} == world.counts()
    assert metric("sample_items", source="reddit") == 4


def test_what_nobody_watches_leaves_with_a_later_step(
    world: World, db: Db, clock: Clock, stored: int, metrics: ProcessMetrics
) -> None:
    keeper = SampleKeeper(db=db, clock=clock, settings=SampleSettings(), metrics=metrics)
    keeper.step()
    workspace_specs.remove(db, stored)
    clock.advance(STEP_SECONDS)
    keeper.step()
    assert world.counts()["SampledItem"] == 10
    clock.advance(UNWATCHED_SECONDS)
    keeper.step()
    assert world.counts()["SampledItem"] == 0


def test_a_sample_that_is_turned_off_goes(
    world: World, db: Db, clock: Clock, stored: int, metrics: ProcessMetrics
) -> None:
    SampleKeeper(db=db, clock=clock, settings=SampleSettings(items_per_source=0), metrics=metrics).step()
    assert world.counts() | {"SampledItem": 0, "StoredItem": 0, "SampleSource": 0} == world.counts()


def test_the_frequencies_of_words_are_learned_now_and_then(
    world: World, db: Db, clock: Clock, stored: int, metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = SampleKeeper(db=db, clock=clock, settings=SampleSettings(), metrics=metrics)
    keeper.step()
    assert word_frequencies.load(db) is None, "from so few items nothing is learned"
    monkeypatch.setattr("producers.sample.LEARN_MIN_ITEMS", 10)
    clock.advance(STEP_SECONDS)
    keeper.step()
    assert word_frequencies.load(db) is None, "one author has written all of them"
    StoredItem.update(author=None).execute(db.peewee)
    clock.advance(LEARN_SECONDS - STEP_SECONDS)
    keeper.step()
    assert word_frequencies.load(db) is None
    clock.advance(STEP_SECONDS)
    keeper.step()
    assert "acme" in (word_frequencies.load(db) or {})
