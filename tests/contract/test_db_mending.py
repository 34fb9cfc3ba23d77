"""What a clock that was ahead has written is taken back, and nothing that a right one has."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db import deliveries, feeds, mending, rechecks, storing, workspaces
from overheard.db.budgets import HORIZON
from overheard.db.connect import Db
from overheard.db.mending import AHEAD, LEFT_ALONE, Longest
from overheard.db.models import Channel, Delivery, Feed, FeedGroup, Item, Workspace

LONGEST = Longest(fetch=120, notify=60, refused=86_400)
DAY = 86_400.0


@pytest.fixture
def acme(world: Any, db: Db, clock: Any) -> int:
    """A workspace with an item, a mention, and a delivery that was never tried."""
    acme = int(world.workspace())
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    return acme


# How far off each may be by right.
FARTHEST = [
    (Feed, {"fresh_at": 0.0}),
    (FeedGroup, {"lease_until": HORIZON + 120}),
    (Feed, {"retry_at": 0.0, "failures": 0}),
    (Feed, {"retry_at": 86_400.0, "failures": 3}),
    (Workspace, {"served_at": 0.0}),
    (Workspace, {"demanded_at": HORIZON}),
    (Workspace, {"digest_asked_at": 0.0, "digest_end": 1.0}),
    (Delivery, {"due_at": HORIZON, "attempts": 0}),
    (Delivery, {"due_at": LEFT_ALONE, "attempts": 1}),
    (Delivery, {"lease_until": HORIZON + 60}),
    (Channel, {"not_before": LEFT_ALONE}),
    (Item, {"checked_at": 0.0}),
]


@pytest.mark.parametrize(("table", "values"), FARTHEST, ids=lambda each: str(each))
def test_each_time_is_taken_back_when_it_is_farther_off_than_by_right(
    world: Any, db: Db, clock: Any, acme: int, table: Any, values: dict[str, Any]
) -> None:
    (column, distance), *others = values.items()
    farthest = clock() + AHEAD + distance
    table.update({column: farthest, **dict(others)}).execute(db.peewee)
    assert mending.mend(db, clock(), LONGEST) == 0
    table.update({column: farthest + 1}).execute(db.peewee)
    assert mending.mend(db, clock(), LONGEST) == 1
    assert world.rows(table, column) == [(clock(),)]
    assert mending.mend(db, clock(), LONGEST) == 0


def test_a_feed_that_seemed_fresh_and_taken_can_be_read(db: Db, clock: Any, acme: int) -> None:
    ahead = clock() + 30 * DAY
    Feed.update(fresh_at=ahead).execute(db.peewee)
    FeedGroup.update(lease_until=ahead, poll="p").execute(db.peewee)
    assert feeds.stale_of(db, acme, now=clock(), fresh_since=clock()) == []
    mending.mend(db, clock(), LONGEST)
    assert feeds.sweep(db, clock.advance(1)) == [acme]
    assert feeds.stale_of(db, acme, now=clock(), fresh_since=clock())


@pytest.mark.parametrize("served_before", [-DAY, 3600.0 - 7])
def test_a_demand_that_nobody_served_stays_one(db: Db, clock: Any, acme: int, served_before: float) -> None:
    workspaces.served(db, acme, clock() + served_before)
    workspaces.demand(db, acme, clock() + 3600)
    mending.mend(db, clock(), LONGEST)
    assert workspaces.oldest_demand(db, clock()) == clock()
    assert workspaces.unserved(db, clock.advance(60), 60, 10) == [acme]
    workspaces.served(db, acme, clock())
    assert workspaces.unserved(db, clock.advance(60), 60, 10) == []


def test_a_demand_that_was_served_stays_served(world: Any, db: Db, clock: Any, acme: int) -> None:
    workspaces.demand(db, acme, clock() + 3600)
    workspaces.served(db, acme, clock() + 3600)
    mending.mend(db, clock(), LONGEST)
    assert workspaces.unserved(db, clock.advance(60), 60, 10) == []
    workspaces.demand(db, acme, clock())
    assert workspaces.unserved(db, clock.advance(60), 60, 10) == [acme]


def test_one_claim_of_the_future_does_not_block_its_channel(world: Any, db: Db, clock: Any, acme: int) -> None:
    channel = world.channel(acme)
    storing.store(db, world.matched((world.item(2), (acme,)), poll="2"), clock())
    deliveries.claim(db, channel, now=clock() + 3600, limit=1, lease=60)
    assert deliveries.claim(db, channel, now=clock(), limit=10, lease=60) == []
    mending.mend(db, clock(), LONGEST)
    assert len(deliveries.claim(db, channel, now=clock.advance(1), limit=10, lease=60)) == 2


def test_what_is_sent_is_left_as_it_is(world: Any, db: Db, clock: Any, acme: int) -> None:
    Delivery.update(state=deliveries.SENT, due_at=clock() + 30 * DAY).execute(db.peewee)
    assert mending.mend(db, clock(), LONGEST) == 0
    mending.went_back(db, clock(), DAY)
    assert world.rows(Delivery, "due_at") == [(clock() + 30 * DAY,)]


@pytest.mark.parametrize(("put_off", "due"), [(-5, -5), (5, 0), (3599, 0), (3605, 5), (7200, 3600)])
def test_what_may_be_far_off_comes_nearer_by_as_much_as_the_clock_went_back(
    world: Any, db: Db, clock: Any, acme: int, put_off: float, due: float
) -> None:
    Delivery.update(due_at=clock() + put_off, attempts=1).execute(db.peewee)
    Channel.update(not_before=clock() + put_off).execute(db.peewee)
    rechecks.claim(db, "reddit", size=100, before=clock(), now=clock() + put_off - rechecks.LEASE, requests=1)
    mending.went_back(db, clock(), 3600)
    assert world.rows(Delivery, "due_at") == world.rows(Item, "lease_until") == [(clock() + due,)]
    assert world.rows(Channel, "not_before") == [(clock() + due,)]
