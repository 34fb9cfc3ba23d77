"""The tick's rechecks: which items are sent, when, and in how many messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overheard.config import RecheckSettings
from overheard.db import rechecks, storing
from overheard.db.database import Db
from overheard.db.models import StoredItem
from overheard.db.rechecks import RECHECK_LEASE_SECONDS
from overheard.errors import Unavailable
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.registry import SOURCES
from overheard.sources.source_type import SourceType
from producers.rechecks import Rechecks
from tests.fixtures import Clock, Metric, Sent, World

HOUR = 3600.0


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def make(db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics) -> Callable[..., Rechecks]:
    def made(waiting: Callable[[], int] = lambda: 0, **settings: Any) -> Rechecks:
        return Rechecks(
            db=db, sender=sent, waiting=waiting, clock=clock, settings=RecheckSettings(**settings), metrics=metrics
        )

    return made


@pytest.fixture
def stored(world: World, db: Db, clock: Clock) -> Callable[[int], None]:
    acme = world.workspace()

    def store(count: int, first: int = 1) -> None:
        items = [world.item(number) for number in range(first, first + count)]
        storing.store(db, world.matched(*[(item, (acme,)) for item in items], poll=f"p{first}"), clock())

    return store


def test_a_thousand_items_need_ten_requests(
    stored: Callable[[int], None], make: Callable[..., Rechecks], sent: Sent, clock: Clock
) -> None:
    stored(1000)
    step = make()
    clock.advance(12 * HOUR - 1)
    assert step.send_due() == 0
    clock.advance(1)
    assert [step.send_due() for _ in range(4)] == [5, 5, 0, 0]
    assert [len(message.item_ids) for message in sent] == [100] * 10
    assert len({item_id for message in sent for item_id in message.item_ids}) == 1000


def test_requests_are_filled_up_with_the_next_items(
    stored: Callable[[int], None], make: Callable[..., Rechecks], sent: Sent, clock: Clock
) -> None:
    stored(30)
    clock.advance(6 * HOUR)
    stored(250, first=100)
    clock.advance(6 * HOUR)
    assert make().send_due() == 1
    assert len(sent[0].item_ids) == 100


def test_a_lost_message_leaves_its_items_to_a_later_tick(
    stored: Callable[[int], None], make: Callable[..., Rechecks], sent: Sent, clock: Clock
) -> None:
    stored(10)
    clock.advance(12 * HOUR)
    step = make()
    sent.failure = Unavailable("the bus")
    with pytest.raises(Unavailable):
        step.send_due()
    sent.failure = None
    clock.advance(RECHECK_LEASE_SECONDS)
    assert step.send_due() == 0
    clock.advance(1)
    assert step.send_due() == 1


def test_two_ticks_side_by_side_send_each_recheck_once(
    stored: Callable[[int], None], make: Callable[..., Rechecks], sent: Sent, clock: Clock
) -> None:
    stored(300)
    clock.advance(13 * HOUR)
    assert (make(batch=2).send_due(), make(batch=2).send_due(), make(batch=2).send_due()) == (2, 1, 0)
    assert len({item_id for message in sent for item_id in message.item_ids}) == 300


def test_at_most_one_batch_of_rechecks_is_on_the_bus(
    stored: Callable[[int], None], make: Callable[..., Rechecks], clock: Clock
) -> None:
    stored(1000)
    clock.advance(13 * HOUR)
    assert make(waiting=lambda: 5).send_due() == 0
    assert make(waiting=lambda: 3).send_due() == 2


def test_the_bus_is_left_alone_when_nothing_is_due(
    stored: Callable[[int], None], make: Callable[..., Rechecks]
) -> None:
    stored(5)

    def unwanted() -> int:
        raise AssertionError("nobody needs to know")

    assert make(waiting=unwanted).send_due() == 0


def test_a_shorter_time_counts_at_once(
    stored: Callable[[int], None], make: Callable[..., Rechecks], clock: Clock
) -> None:
    stored(5)
    clock.advance(2 * HOUR)
    assert make().send_due() == 0
    assert make(within_hours=3).send_due() == 1


def test_overdue_items_are_counted_once_a_minute(
    stored: Callable[[int], None], make: Callable[..., Rechecks], clock: Clock, db: Db, metric: Metric
) -> None:
    stored(7)
    clock.advance(23 * HOUR)
    stored(5, first=100)
    step = make()
    step.send_due()
    assert metric("recheck_overdue_items") == 0
    clock.advance(HOUR)
    step.send_due()
    assert metric("recheck_overdue_items") == 7, "even while they are claimed"
    rechecks.mark_present(
        db, [item_id for (item_id,) in StoredItem.select(StoredItem.id).tuples().execute(db.peewee)], clock()
    )
    clock.advance(59)
    step.send_due()
    assert metric("recheck_overdue_items") == 7
    clock.advance(1)
    step.send_due()
    assert metric("recheck_overdue_items") == 0


def test_a_source_with_very_many_items_due_takes_no_other_s_turn(
    stored: Callable[[int], None],
    make: Callable[..., Rechecks],
    sent: Sent,
    clock: Clock,
    db: Db,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = [f"other{number}" for number in range(7)]
    for name in others:
        monkeypatch.setitem(
            SOURCES, name, SourceType(name=name, feeds=("items",), factory="", deletions="lookup", lookup_size=1)
        )
    stored(2000)
    for number, name in enumerate(others, start=1):
        StoredItem.update(source=name).where(StoredItem.id == number).execute(db.peewee)
    clock.advance(12 * HOUR)
    step = make()
    for _ in range(4):
        assert step.send_due() <= 5
    assert {message.source for message in sent} == {"reddit", *others}
