"""The age of the oldest work, and the states of channels, as the tick's gauges read them."""

from __future__ import annotations

from overheard.db import (
    channels,
    deliveries,
    delivery_backlog,
    digests,
    feeds,
    refreshes,
    schedules,
    storing,
    workspace_specs,
)
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, Workspace
from overheard.sources.reddit.names import client_key
from tests.fixtures import Clock, World

INTERVAL = 300.0


def claim(db: Db, clock: Clock) -> int:
    return len(schedules.claim_due(db, clock(), 50, lambda due: clock() + INTERVAL))


def oldest_demand(db: Db, now: float) -> float | None:
    found = schedules.longest_waiting(db, now)
    return None if found is None else found.since


def test_a_due_workspace_waits_from_its_due_time_until_fetch_takes_it_up(db: Db, world: World, clock: Clock) -> None:
    acme, began = world.workspace(), clock()
    assert oldest_demand(db, clock()) == began, "no demand was made yet"
    clock.advance(7)
    claim(db, clock)
    assert oldest_demand(db, clock()) == began + 7
    refreshes.mark_served(db, acme, "reddit", clock.advance(1))
    assert oldest_demand(db, clock()) is None
    assert oldest_demand(db, clock.advance(INTERVAL)) == began + 7 + INTERVAL


def test_a_repeated_demand_is_as_old_as_the_first(db: Db, world: World, clock: Clock) -> None:
    acme = world.workspace()
    first = clock()
    claim(db, clock)
    clock.advance(61)
    assert refreshes.claim_lost(db, clock(), 60, 10) == [(acme, "reddit")]
    refreshes.demand(db, [acme], clock.advance(10))
    clock.advance(INTERVAL)
    claim(db, clock)
    schedules.make_due(db, acme, clock())
    assert oldest_demand(db, clock()) == first
    refreshes.mark_served(db, acme, "reddit", clock())
    Workspace.update(next_due_at=clock() + INTERVAL).execute(db.peewee)
    assert oldest_demand(db, clock()) is None
    refreshes.demand(db, [acme], clock.advance(5))
    assert oldest_demand(db, clock()) == clock(), "a demand that was served does not count"


def test_a_demand_made_during_a_reading_stays_open(db: Db, world: World, clock: Clock) -> None:
    acme = world.workspace()
    claim(db, clock)
    began = clock.advance(1)
    later = clock.advance(1)
    refreshes.demand(db, [acme], later)
    refreshes.mark_served(db, acme, "reddit", began)
    assert oldest_demand(db, clock()) == later


def test_a_swept_poll_makes_a_new_demand(db: Db, world: World, clock: Clock) -> None:
    acme = world.workspace()
    claim(db, clock)
    refreshes.mark_served(db, acme, "reddit", clock())
    assert feeds.oldest_poll(db, clock()) is None
    world.claim("p")
    assert feeds.oldest_poll(db, clock()) == clock()
    clock.advance(121)
    feeds.sweep(db, clock())
    assert feeds.oldest_poll(db, clock()) is None
    assert oldest_demand(db, clock()) == clock()


def test_a_paused_workspace_waits_for_nothing(db: Db, world: World, clock: Clock) -> None:
    acme = world.workspace(channels={"daily": "digest"})
    claim(db, clock)
    clock.advance(10**6)
    assert oldest_demand(db, clock()) is not None
    assert schedules.oldest_digest(db, clock()) is not None
    workspace_specs.set_active(db, acme, False)
    assert oldest_demand(db, clock()) is None
    assert schedules.oldest_digest(db, clock()) is None


def test_a_digest_waits_from_the_end_of_its_period_until_it_is_composed(db: Db, world: World, clock: Clock) -> None:
    acme = world.workspace(channels={"daily": "digest"})
    assert schedules.oldest_digest(db, clock()) is None
    end = clock.advance(86_400)
    clock.advance(30)
    assert schedules.oldest_digest(db, clock()) == end
    schedules.claim_digests(db, clock(), 10, lambda due: clock() + 86_400)
    assert schedules.oldest_digest(db, clock()) == end
    digests.compose(db, acme, end, clock())
    assert schedules.oldest_digest(db, clock()) is None


def test_a_delivery_waits_while_it_is_due_and_not_sent(db: Db, world: World, clock: Clock) -> None:
    acme, began = world.workspace(), clock()
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    clock.advance(5)
    assert delivery_backlog.oldest_due(db, clock()) == began
    channel = world.channel(acme)
    (claimed,) = deliveries.claim(db, channel, now=clock(), limit=5, lease=60).deliveries
    assert delivery_backlog.oldest_due(db, clock()) == began, "claimed is not sent"
    deliveries.postpone(db, claimed.id, clock() + 60, clock() + 30, "away")
    assert delivery_backlog.oldest_due(db, clock()) is None, "it waits for its next try"
    assert delivery_backlog.oldest_due(db, clock.advance(31)) == clock() - 1
    Channel.update(disabled_at=clock()).execute(db.peewee)
    assert delivery_backlog.oldest_due(db, clock()) is None
    Channel.update(disabled_at=None).execute(db.peewee)
    channels.record_failure(db, channel, "away", clock())
    assert delivery_backlog.oldest_due(db, clock()) is None, "it waits for its receiver, not for us"
    channels.mark_healthy(db, channel)
    assert delivery_backlog.oldest_due(db, clock()) == clock() - 1
    deliveries.mark_sent(db, claimed.id, clock())
    assert delivery_backlog.oldest_due(db, clock()) is None
    assert Delivery.select().count(db.peewee) == 1


def test_channels_are_ok_failing_or_disabled(db: Db, world: World, clock: Clock) -> None:
    assert channels.states(db) == {"ok": 0, "failing": 0, "disabled": 0}
    acme = world.workspace(channels=dict.fromkeys(("a", "b", "c", "d"), "instant"))
    channels.record_failure(db, world.channel(acme, "b"), "away", clock())
    channels.record_failure(db, world.channel(acme, "c"), "away", clock())
    channels.disable(db, world.channel(acme, "c"), "gone", clock())
    assert channels.states(db) == {"ok": 2, "failing": 1, "disabled": 1}


def test_the_key_of_the_budget_shows_no_credentials() -> None:
    key = client_key("my-app-id")
    assert key.startswith("reddit:")
    assert "my-app-id" not in key
    assert key != client_key("another")
