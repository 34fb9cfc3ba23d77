"""store: after the transaction its channels get a message each, and new mentions are counted."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from actors.store import store
from overheard.db import delivery_backlog
from overheard.db.database import Db
from overheard.errors import Unavailable
from overheard.messages import NotifyChannel
from overheard.observability.log import bound
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import OutgoingMessage
from tests.fixtures import Clock, Metric, Sent, World


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


def test_each_channel_gets_one_message(
    world: World, db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics, metric: Metric
) -> None:
    acme = world.workspace(channels={"a": "instant", "b": "instant", "daily": "digest"})
    message = world.matched(*[(world.item(number), (acme,)) for number in range(5)])
    clock.advance(30)
    for _ in range(2):
        store(message, db=db, send_all=sent.send_all, clock=clock, metrics=metrics)

    assert sent == [NotifyChannel(channel_id=world.channel(acme, name)) for name in ("a", "b")]
    assert metric("mentions_stored_total") == 5
    assert metric("item_to_stored_seconds_count") == 5
    assert metric("item_to_stored_seconds_sum") == 150


def test_each_channel_s_message_carries_its_workspace(
    world: World, db: Db, clock: Clock, metrics: ProcessMetrics
) -> None:
    acme, other = world.workspace(), world.workspace("other")
    together: list[Sequence[OutgoingMessage]] = []
    with bound(run="r1", workspace="whose poll it was"):
        store(
            world.matched((world.item(), (acme, other))), db=db, send_all=together.append, clock=clock, metrics=metrics
        )
    [messages] = together
    assert [each.message.channel_id for each in messages] == [world.channel(acme), world.channel(other)]
    assert [each.log_context for each in messages] == [{"run": "r1", "workspace": name} for name in ("acme", "other")]


def test_an_item_from_the_future_has_no_negative_age(
    world: World, db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics, metric: Metric
) -> None:
    message = world.matched((world.item(created_at=clock() + 100), (world.workspace(),)))
    store(message, db=db, send_all=sent.send_all, clock=clock, metrics=metrics)
    assert metric("item_to_stored_seconds_sum") == 0


def test_items_older_than_the_watch_do_not_count_in_the_latency(
    world: World, db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics, metric: Metric
) -> None:
    acme = world.workspace()
    old, new = world.item(1, created_at=clock() - 86_400), world.item(2)
    store(world.matched((old, (acme,)), (new, (acme,))), db=db, send_all=sent.send_all, clock=clock, metrics=metrics)
    assert metric("mentions_stored_total") == 2
    assert metric("item_to_stored_seconds_count") == 1


def test_if_the_bus_fails_after_the_commit_the_sweep_finds_the_channel(
    world: World, db: Db, sent: Sent, clock: Clock, metrics: ProcessMetrics
) -> None:
    acme = world.workspace()
    sent.failure = Unavailable("the bus")
    with pytest.raises(Unavailable):
        store(world.matched((world.item(), (acme,))), db=db, send_all=sent.send_all, clock=clock, metrics=metrics)
    assert world.counts()["Mention"] == 1
    assert list(delivery_backlog.waiting_channels(db, clock() + 60, 60, 10)) == [world.channel(acme)]
