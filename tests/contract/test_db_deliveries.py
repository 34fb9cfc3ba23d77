"""The outbox and its channels: claimed by lease, sent, marked (I4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overheard import routing
from overheard.db import channels, deliveries, delivery_backlog, digests, storing
from overheard.db.database import Db, open_database
from overheard.db.deliveries import DeliveryContents
from overheard.db.models import Channel, Delivery, StoredItem
from tests.fixtures import Clock, World


@pytest.fixture
def told(world: World, db: Db, clock: Clock) -> Callable[..., None]:
    """Store so many mentions for a workspace, one second apart, from item ``first`` on."""

    def store(workspace_id: int, count: int = 1, first: int = 1) -> None:
        for number in range(first, first + count):
            clock.advance(1)
            storing.store(db, world.matched((world.item(number), (workspace_id,)), poll=f"{number}"), clock())

    return store


def claim(db: Db, channel: int, now: float, limit: int = 10, lease: float = 60) -> list[str]:
    return [each.id for each in deliveries.claim(db, channel, now=now, limit=limit, lease=lease).deliveries]


def claim_contents(db: Db, channel: int, now: float, limit: int = 10) -> list[DeliveryContents]:
    claimed = deliveries.claim(db, channel, now=now, limit=limit, lease=60).deliveries
    found = [deliveries.contents(db, each) for each in claimed]
    assert None not in found
    return found  # type: ignore[return-value]


def states(db: Db) -> list[str]:
    rows = Delivery.select(Delivery.state).order_by(Delivery.created_at, Delivery.mention)
    return [state for (state,) in rows.tuples().execute(db.peewee)]


def test_a_claim_has_the_oldest_first_with_their_contents(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 3)
    claimed = deliveries.claim(db, world.channel(acme), now=clock(), limit=2, lease=60).deliveries
    assert [each.attempts for each in claimed] == [1, 1]
    first, second = (deliveries.contents(db, each) for each in claimed)
    assert [each.notice.mentions[0].item for each in (first, second)] == ["t3_1", "t3_2"], "oldest first"
    assert (first.notice.type, first.notice.workspace) == ("mention.created", "acme")
    assert first.born == (world.item(1, created_at=clock() - 2).created_at,)
    mention = first.notice.mentions[0]
    assert (mention.queries, mention.highlights) == (("brand",), (("title", 3, 7),))
    assert mention.created_at == "2026-11-23T09:00:01.000Z"


def test_the_least_tried_come_first_and_the_most_tried_gets_a_place(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 7)
    channel = world.channel(acme)
    ids = [row.id for row in Delivery.select(Delivery.id).order_by(Delivery.created_at).execute(db.peewee)]
    for delivery_id, attempts, due_in in [(ids[0], 9, -50), (ids[1], 3, -90), (ids[2], 9, -10), (ids[3], 20, 10)]:
        Delivery.update(attempts=attempts, due_at=clock() + due_in).where(Delivery.id == delivery_id).execute(db.peewee)

    def turn(limit: int) -> list[str]:
        now, lease = clock(), 60.0
        claimed = claim(db, channel, now, limit=limit, lease=lease)
        Delivery.update(lease_until=0, attempts=Delivery.attempts - 1).where(Delivery.id.in_(claimed)).execute(
            db.peewee
        )
        return claimed

    assert turn(3) == [ids[4], ids[5], ids[0]], "of those tried most, the one that has been due longest"
    assert turn(1)[0] in ids[4:], "a claim of one has no place for the most tried"
    assert turn(9) == [*ids[4:], ids[1], ids[0], ids[2]], "and what is due later comes later"


def test_a_channel_has_one_claim_at_a_time(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    told(acme, 3)
    told(bolt, 1, first=10)
    channel = world.channel(acme)
    one = claim(db, channel, clock(), limit=1)
    assert len(one) == 1
    assert claim(db, channel, clock()) == []
    assert len(claim(db, world.channel(bolt), clock())) == 1, "other channels are not blocked"
    assert deliveries.more_due(db, channel, clock())
    deliveries.mark_sent(db, one[0], clock())
    assert len(claim(db, channel, clock())) == 2
    assert not deliveries.more_due(db, channel, clock())


def test_a_deferred_channel_has_no_claim_until_then(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 3)
    channel, now = world.channel(acme), clock()
    channels.postpone(db, channel, now + 100)
    assert claim(db, channel, now + 99) == []
    assert list(delivery_backlog.waiting_channels(db, now + 159, 60, 10)) == [], "the postponement counts as waiting"
    assert list(delivery_backlog.waiting_channels(db, now + 160, 60, 10)) == [channel]
    assert len(claim(db, channel, now + 100)) == 3


def test_mentions_stored_for_a_deferred_channel_wait_for_its_prompt(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    off, soon = world.channel(acme), world.channel(bolt)
    channels.postpone(db, off, clock() + 60)
    channels.postpone(db, soon, clock() + routing.STORE_MAX_SECONDS)
    stored = storing.store(db, world.matched((world.item(), (acme, bolt))), clock())
    assert stored.channels == {soon: "bolt"}, "otherwise it might be stored right after that prompt"
    assert len(claim(db, off, clock() + 60)) == 1


def test_a_channel_that_fails_is_probed_with_one_delivery_at_a_time(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 3)
    channel = world.channel(acme)
    assert channels.record_failure(db, channel, "it does not answer", clock()) == (clock(), 1)
    assert channels.record_failure(db, channel, "it does not answer", clock() + 5) == (clock(), 2)
    assert channels.record_failure(db, channel, "it does not like it", clock() + 5, fault=False) == (clock(), 2)
    [probe] = claim(db, channel, clock())
    assert claim(db, channel, clock()) == []
    deliveries.mark_sent(db, probe, clock())
    channels.mark_healthy(db, channel)
    assert len(claim(db, channel, clock())) == 2


@pytest.mark.parametrize("anew", [True, False])
def test_a_channel_that_is_saved_again_is_tried_at_once(world: World, db: Db, clock: Clock, anew: bool) -> None:
    acme = world.workspace()
    channel = world.channel(acme)
    channels.record_failure(db, channel, "it does not answer", clock())
    channels.postpone(db, channel, clock() + 3600)
    if anew:
        world.workspace()
    else:
        channels.enable(db, channel, clock())
    assert world.rows(Channel, "failures", "not_before", "failing_since", "reason") == [(0, 0, None, None)]


def test_a_channel_that_cannot_be_tried_now_is_deferred_once(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    channel, now = world.channel(acme), clock() + 1
    assert not deliveries.postpone_channel(db, channel, now=now, until=now + 5), "nothing is due"
    told(acme, 2)
    assert deliveries.postpone_channel(db, channel, now=now, until=now + 5)
    assert not deliveries.postpone_channel(db, channel, now=now, until=now + 7), "it is postponed already"
    [_] = claim(db, channel, now + 5, limit=1)
    assert not deliveries.postpone_channel(db, channel, now=now + 5, until=now + 9), "a claim holds it"
    assert world.rows(Channel, "not_before", "failures") == [(now + 5, 0)]


def test_a_frozen_claim_with_its_lock_blocks_no_other(
    world: World, db: Db, clock: Clock, told: Callable[..., None], request: pytest.FixtureRequest
) -> None:
    """Its machine froze between lock and commit, which PostgreSQL does not notice for minutes."""
    if db.sqlite:
        return  # SQLite's lock is the operating system's, and ends with the process
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    told(acme, 2)
    told(bolt, 1, first=10)
    frozen = open_database(request.getfixturevalue("db_url"))
    try:
        with frozen.session(), frozen.transaction():
            row = Channel.select().where(Channel.id == world.channel(acme)).for_update("FOR NO KEY UPDATE")
            list(row.tuples().execute(frozen.peewee))
            db.peewee.execute_sql("SET lock_timeout = '2s'")
            assert claim(db, world.channel(acme), clock()) == [], "another claim has the lock"
            assert len(claim(db, world.channel(bolt), clock())) == 1
    finally:
        frozen.release()
    assert len(claim(db, world.channel(acme), clock())) == 2


def test_what_is_stored_during_an_empty_claim_is_claimed_by_it(
    world: World, db: Db, clock: Clock, told: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second claim has skipped the locked row, so the first one looks again."""
    acme = world.workspace()
    find = deliveries._claim

    def store_meanwhile(*args: Any, **options: Any) -> Any:
        found = find(*args, **options)
        monkeypatch.setattr(deliveries, "_claim", find)
        told(acme, 1)
        return found

    monkeypatch.setattr(deliveries, "_claim", store_meanwhile)
    assert len(claim(db, world.channel(acme), clock() + 5)) == 1


def test_a_claim_that_ran_out_is_taken_over_with_the_same_id(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme)
    before = claim(db, world.channel(acme), clock())
    assert claim(db, world.channel(acme), clock() + 60) == []
    [after] = deliveries.claim(db, world.channel(acme), now=clock() + 61, limit=5, lease=60).deliveries
    assert [after.id] == before
    assert after.attempts == 2


def test_only_the_holder_extends_a_claim(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme = world.workspace()
    told(acme, 2)
    channel = world.channel(acme)
    ids = claim(db, channel, clock(), lease=60)
    until = clock() + 60
    assert deliveries.extend(db, ids, until, until + 30)
    assert claim(db, channel, until + 30) == []
    assert not deliveries.extend(db, ids, until, until + 900), "another claim, or a later one of this process"
    deliveries.mark_sent(db, ids[0], clock())
    assert deliveries.extend(db, ids, until + 30, until + 40)
    assert claim(db, channel, until + 41) == ids[1:]


def test_a_claim_is_resumed_by_its_end_time(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    told(acme, 3)
    told(bolt, 1, first=10)
    channel, held = world.channel(acme), clock() + 60
    ids = claim(db, channel, clock(), limit=2)
    claim(db, world.channel(bolt), clock())
    now = clock.advance(60)
    again = deliveries.resume(db, channel, held, now=now, lease=60)
    assert [(each.id, each.attempts) for each in again] == [(each, 1) for each in ids], (
        "in the same order, the same try"
    )
    assert deliveries.resume(db, channel, held, now=now, lease=60) == [], "the claim has a new end now"
    clock.advance(61)
    assert deliveries.resume(db, channel, now + 60, now=clock(), lease=60) == [], "it ran out"
    assert len(claim(db, channel, clock())) == 3


def test_sent_is_final(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme = world.workspace()
    told(acme)
    [one] = claim(db, world.channel(acme), clock())
    held_until = clock() + 60
    deliveries.mark_sent(db, one, clock())
    # a worker whose lease ran out comes late
    for late in (held_until, 0.0):
        deliveries.postpone(db, one, late, clock(), "slow")
        deliveries.mark_failed(db, one, late, "slow")
        deliveries.release(db, [one], late, clock())
    row = world.row(Delivery, one)
    assert (row.state, row.sent_at, row.error, row.attempts) == ("sent", clock(), None, 1)
    assert claim(db, world.channel(acme), clock() + 10**6) == []
    assert delivery_backlog.pending(db) == 0


def test_a_rescheduled_delivery_is_not_claimed_before_its_time(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme)
    [one] = claim(db, world.channel(acme), clock())
    deliveries.postpone(db, one, clock() + 60, clock() + 30, "no\x00 \ud800 answer")
    assert world.row(Delivery, one).error == "no� � answer"
    assert claim(db, world.channel(acme), clock() + 29) == []
    assert claim(db, world.channel(acme), clock() + 30) == [one]


def test_releasing_a_delivery_does_not_count_as_a_try(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 2)
    assert delivery_backlog.has_untried(db, acme, clock())
    claimed = claim(db, world.channel(acme), clock())
    assert not delivery_backlog.has_untried(db, acme, clock())
    deliveries.release(db, claimed, clock() + 60, clock() + 7)
    assert delivery_backlog.has_untried(db, acme, clock())
    assert claim(db, world.channel(acme), clock() + 6) == []
    again = deliveries.claim(db, world.channel(acme), now=clock() + 7, limit=5, lease=60).deliveries
    assert [each.attempts for each in again] == [1, 1]


def test_deliveries_that_a_failing_channel_holds_back_are_not_waited_for(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 2)
    assert delivery_backlog.has_untried(db, acme, clock())
    channels.record_failure(db, world.channel(acme), "it did not answer", clock())
    assert not delivery_backlog.has_untried(db, acme, clock())
    channels.mark_healthy(db, world.channel(acme))
    assert delivery_backlog.has_untried(db, acme, clock())
    deliveries.release(db, [], clock() + 60, clock())


def test_an_expired_claim_changes_nothing_of_the_new_one(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    """Otherwise a third worker would claim, and send, what the second one is sending."""
    acme = world.workspace()
    told(acme, 3)
    channel, late = world.channel(acme), clock() + 60
    one, two, three = claim(db, channel, clock())
    clock.advance(61)
    assert len(claim(db, channel, clock())) == 3
    deliveries.postpone(db, one, late, clock(), "slow")
    deliveries.mark_failed(db, two, late, "slow")
    deliveries.release(db, [three], late, clock())
    assert claim(db, channel, clock()) == []
    assert world.rows(Delivery, "state", "attempts", "lease_until", "error") == [("pending", 2, clock() + 60, None)] * 3
    deliveries.mark_sent(db, one, clock())
    assert world.row(Delivery, one).state == "sent", "a sent message stays sent"


def test_failed_is_not_tried_again(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme = world.workspace()
    told(acme)
    [one] = claim(db, world.channel(acme), clock())
    deliveries.mark_failed(db, one, clock() + 60, "it said \x00")
    assert world.row(Delivery, one).error == "it said �"
    assert claim(db, world.channel(acme), clock() + 10**6) == []


def test_overdue_deliveries_are_found(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme, bolt, gone = (world.workspace(slug) for slug in ("acme", "bolt", "gone"))
    for number, workspace in enumerate((acme, bolt, gone)):
        told(workspace, 1, first=10 * number + 1)
    channels.disable(db, world.channel(gone), "410", clock())
    told(gone, 1, first=50)
    now = clock.advance(60)
    assert list(delivery_backlog.waiting_channels(db, now, 62.5, 10)) == [world.channel(acme)]
    both = sorted([world.channel(acme), world.channel(bolt)])
    assert list(delivery_backlog.waiting_channels(db, now, 60, 10)) == both
    assert len(delivery_backlog.waiting_channels(db, now, 60, 1)) == 1
    claim(db, world.channel(acme), now)
    assert list(delivery_backlog.waiting_channels(db, now, 60, 10)) == [world.channel(bolt)]
    assert list(delivery_backlog.waiting_channels(db, now + 61, 60, 10)) == both, "its claim ran out"


def test_a_slow_channel_is_not_stuck(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    storing.store(db, world.matched(*((world.item(number), (acme,)) for number in (1, 2, 3))), clock())
    channel, began = world.channel(acme), clock()
    assert delivery_backlog.waiting(db, clock.advance(59), 60).overdue_since is None
    assert delivery_backlog.waiting(db, clock.advance(1), 60) == delivery_backlog.DeliveryQueue(3, 0, began)
    (claimed,) = deliveries.claim(db, channel, now=clock(), limit=1, lease=10).deliveries
    assert delivery_backlog.waiting(db, clock(), 60).overdue_since is None, "a claim holds it"
    deliveries.mark_sent(db, claimed.id, clock())
    assert delivery_backlog.waiting(db, clock.advance(59), 60).overdue_since is None, "one was just sent"
    assert delivery_backlog.waiting(db, clock.advance(1), 60) == delivery_backlog.DeliveryQueue(2, 0, began)


def fail(db: Db, channel: int, clock: Clock, delay: float = 5) -> None:
    """A batch of the channel as notify processes it, ended by its first failure."""
    first, *rest = deliveries.claim(db, channel, now=clock(), limit=10, lease=30).deliveries
    held_until = clock() + 30
    channels.record_failure(db, channel, "it does not answer", clock())
    channels.postpone(db, channel, clock() + delay)
    deliveries.postpone(db, first.id, held_until, clock() + delay, "it does not answer")
    deliveries.release(db, [delivery.id for delivery in rest], held_until, clock())


def test_deliveries_of_a_failing_channel_are_not_overdue(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 15)
    channel = world.channel(acme)
    clock.advance(3600)
    for _ in range(3):
        fail(db, channel, clock)
        clock.advance(25)
        assert delivery_backlog.waiting(db, clock(), 60) == delivery_backlog.DeliveryQueue(15, 0, None)


def test_a_failing_channel_that_is_not_tried_is_overdue(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 15)
    channel, eleventh = world.channel(acme), clock() - 4
    fail(db, channel, clock, delay=300)
    clock.advance(300 + delivery_backlog.FORGOTTEN_AFTER_SECONDS - 1)
    assert delivery_backlog.waiting(db, clock(), 60).overdue_since is None
    assert delivery_backlog.waiting(db, clock.advance(1), 60).overdue_since == eleventh
    claim(db, channel, clock())
    assert delivery_backlog.waiting(db, clock(), 60).overdue_since is None, "a claim holds it"


def test_failing_channels_do_not_hide_an_overdue_one(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    many = delivery_backlog.MAX_STUCK_CHANNELS + 5
    dead = world.workspace("dead", channels={f"c{number}": "instant" for number in range(many)})
    bolt = world.workspace("bolt")
    told(dead, 2)
    Channel.update(failing_since=clock()).where(Channel.workspace == dead).execute(db.peewee)
    told(bolt, 1, first=50)
    began = clock()
    clock.advance(60)
    assert delivery_backlog.waiting(db, clock(), 60) == delivery_backlog.DeliveryQueue(2 * many + 1, 0, began)
    assert delivery_backlog.oldest_due(db, clock()) == began


def test_a_delivery_of_an_erased_item_is_empty(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme = world.workspace(channels={"team": "digest"})
    told(acme)
    digests.compose(db, acme, clock(), clock())
    StoredItem.delete().execute(db.peewee)
    [one] = claim_contents(db, world.channel(acme), clock())
    assert one.notice.mentions == ()


def test_a_delivery_erased_after_its_claim_has_no_contents(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace()
    told(acme, 2)
    one, two = deliveries.claim(db, world.channel(acme), now=clock(), limit=5, lease=60).deliveries
    StoredItem.delete().where(StoredItem.ref == "t3_1").execute(db.peewee)
    assert deliveries.contents(db, one) is None
    assert deliveries.contents(db, two) is not None


# -- channels


def test_what_waits_for_a_disabled_channel_is_held_until_it_is_saved_again(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    modes: Any = {"now": "instant", "daily": "digest", "well": "instant"}
    acme = world.workspace(channels=modes)
    told(acme, 2)
    [first] = claim(db, world.channel(acme, "now"), clock(), limit=1)
    deliveries.mark_sent(db, first, clock())
    for name in ("now", "daily"):
        channels.disable(db, world.channel(acme, name), "gone\x00", clock())
    told(acme, 1, first=3)

    def held(name: str) -> list[Any]:
        rows = world.rows(Delivery, "channel", "state", "held_by", "error")
        return sorted(tuple(rest) for channel, *rest in rows if channel == world.channel(acme, name))

    disabled = ("held", "channel disabled", None)
    assert held("now") == [disabled, disabled, ("sent", None, None)]
    assert held("daily") == [disabled, ("held", "digest", None), ("held", "digest", None)]
    assert held("well") == [("pending", None, None)] * 3
    row = channels.get(db, world.channel(acme, "now"))
    assert row is not None
    assert (row.disabled_at, row.reason) == (clock() - 1, "gone�")
    assert claim(db, world.channel(acme, "now"), clock()) == []
    assert digests.compose(db, acme, clock(), clock()) == []

    world.workspace(channels=modes)
    row = channels.get(db, world.channel(acme, "now"))
    assert row is not None
    assert (row.disabled_at, row.reason) == (None, None), "saving it again enables it"
    assert held("now") == [("pending", "channel disabled", None)] * 2 + [("sent", None, None)]
    assert held("daily") == [("held", "digest", None)] * 3
    assert len(claim(db, world.channel(acme, "now"), clock())) == 2
    assert digests.compose(db, acme, clock(), clock()) == [world.channel(acme, "daily")]


def test_a_channel_fails_since_its_first_failure(world: World, db: Db, clock: Clock) -> None:
    channel = world.channel(world.workspace())
    began = clock()
    assert channels.record_failure(db, channel, "500", began) == (began, 1)
    assert channels.record_failure(db, channel, "a\x00\ud800", clock.advance(100)) == (began, 2)
    row = channels.get(db, channel)
    assert row is not None
    assert (row.failing_since, row.reason) == (began, "a��")
    channels.mark_healthy(db, channel)
    assert channels.record_failure(db, channel, "500", clock()) == (clock(), 1)
    assert channels.record_failure(db, 99_999, "gone meanwhile", 5.0) == (5.0, 1)


def test_channels_are_listed_by_workspace(world: World, db: Db) -> None:
    world.workspace("bolt")
    acme = world.workspace("acme", channels={"b": "digest", "a": "instant"})
    assert [(row.workspace, row.name, row.mode) for row in channels.listing(db)] == [
        ("acme", "a", "instant"), ("acme", "b", "digest"), ("bolt", "team", "instant"),
    ]  # fmt: skip
    assert [row.name for row in channels.listing(db, "bolt")] == ["team"]
    assert channels.get(db, 99_999) is None
    Channel.delete().execute(db.peewee)
    assert channels.get(db, acme) is None
