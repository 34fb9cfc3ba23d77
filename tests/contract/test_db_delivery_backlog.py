"""The backlog of deliveries, and how much workspaces have of what is limited."""

from __future__ import annotations

from overheard.db import channels, delivery_backlog, storing, workspaces
from overheard.db.database import Db
from overheard.db.delivery_backlog import DeliveryBacklog
from overheard.db.models import Delivery
from tests.fixtures import Clock, World


def test_the_backlog_is_what_is_due_in_healthy_channels(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    for number, whose in enumerate([acme, acme, acme, bolt]):
        storing.store(db, world.matched((world.item(number), (whose,)), poll=f"{number}"), clock())
    began = clock()
    clock.advance(300)
    assert delivery_backlog.backlog(db, clock(), 301) is None
    team = channels.listing(db, "acme")[0].name
    assert delivery_backlog.backlog(db, clock(), 300) == DeliveryBacklog(4, began, "acme", team, 3)
    Delivery.update(due_at=clock() + 60).where(Delivery.channel == world.channel(bolt)).execute(db.peewee)
    assert delivery_backlog.backlog(db, clock(), 300) == DeliveryBacklog(3, began, "acme", team, 3)
    channels.record_failure(db, world.channel(acme), "no answer", clock())
    assert delivery_backlog.backlog(db, clock(), 300) is None, "it waits for its receiver"


def test_workspaces_over_a_limit_are_listed(world: World, db: Db) -> None:
    world.workspace("acme", channels={"a": "instant", "b": "digest"})
    world.workspace("bolt")
    size = workspaces.limited_counts(db, "acme")
    assert size["channels"] == 2
    assert (workspaces.limited_counts(db, "nobody"), workspaces.limited_counts(db, "\x00")) == ({}, {})
    assert workspaces.over_limits(db, size) == []
    assert workspaces.over_limits(db, {**size, "channels": 1}) == [("acme", "channels", 2)]
