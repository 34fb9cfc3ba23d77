"""Deliveries as they are looked at and retried, and mentions by filters, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db import channels, deliveries, delivery_history, mentions, storing
from overheard.db.database import Db
from overheard.db.delivery_history import DeliveryFilter, DeliveryRow
from overheard.db.mention_filter import MentionFilter
from overheard.db.models import Delivery, FailedTry
from overheard.errors import NotFound
from overheard.operations import deliveries as operation
from tests.fixtures import Clock, World


def tell(world: World, number: int, *workspaces: int, **fields: Any) -> None:
    """Store a mention of item ``number``, a second after the last one."""
    message = world.matched((world.item(number, **fields), workspaces), poll=f"{number}")
    storing.store(world.db, message, world.clock.advance(1))


def ids(db: Db, *conditions: Any) -> list[str]:
    rows = Delivery.select(Delivery.id).where(*conditions) if conditions else Delivery.select(Delivery.id)
    return [key for (key,) in rows.order_by(Delivery.created_at, Delivery.id).tuples().execute(db.peewee)]


def listed(db: Db, **which: Any) -> list[DeliveryRow]:
    return list(delivery_history.listing(db, DeliveryFilter(**which)))


def change(db: Db, delivery_id: str, **values: Any) -> None:
    Delivery.update(**values).where(Delivery.id == delivery_id).execute(db.peewee)


@pytest.fixture
def acme(world: World) -> int:
    return world.workspace(channels={"team": "instant", "boss": "digest"})


def test_deliveries_are_listed_newest_first_with_what_comes_next(
    world: World, db: Db, clock: Clock, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overheard.db.delivery_history.PAGE_ROWS", 2)
    for number in (1, 2, 3):
        tell(world, number, acme)
    team = listed(db, channel="team")
    assert [row.mentions for row in team] == [("3",), ("2",), ("1",)]
    newest = team[0]
    assert (newest.workspace, newest.type, newest.state, newest.held_by) == ("acme", "mention.created", "pending", None)
    assert (newest.created_at, newest.next_try_at, newest.sent_at) == (clock(), clock(), None)
    held = listed(db, channel="boss")[0]
    assert (held.state, held.held_by, held.next_try_at) == ("held", "digest", None)
    channels.postpone(db, world.channel(acme), clock() + 50)
    assert listed(db, channel="team")[0].next_try_at == clock() + 50, "a channel that pauses is not tried before"
    assert len(list(delivery_history.listing(db, DeliveryFilter(), limit=5))) == 5
    assert len(listed(db)) == 6


def test_deliveries_are_filtered(world: World, db: Db, clock: Clock, acme: int) -> None:
    bolt = world.workspace("bolt", queries={"brand": "bolt", "other": "nut"})
    tell(world, 1, acme, bolt)
    tell(world, 2, acme)
    assert {row.workspace for row in listed(db, workspace="bolt")} == {"bolt"}
    assert [row.state for row in listed(db, workspace="acme", state="held")] == ["held", "held"]
    assert len(listed(db, since=clock())) == 2
    assert len(listed(db, query="brand")) == 5
    assert listed(db, query="other") == []
    assert listed(db, query="brand", workspace="bolt")[0].mentions == ("2",)


def test_a_digest_names_what_it_contains(world: World, db: Db, clock: Clock, acme: int) -> None:
    for number in (1, 2):
        tell(world, number, acme)
    taken = ids(db, Delivery.state == "held")
    Delivery.insert(
        id="msg_digest", kind="digest", channel=world.channel(acme, "boss"), period_end=clock(), state="pending",
        due_at=clock(), created_at=clock.advance(1),
    ).execute(db.peewee)  # fmt: skip
    Delivery.update(state="bundled", bundle="msg_digest").where(Delivery.id.in_(taken)).execute(db.peewee)
    digest, *others = listed(db, channel="boss")
    assert (digest.type, len(digest.mentions)) == ("digest", 2)
    assert [row.state for row in others] == ["bundled", "bundled"]
    assert [row.type for row in listed(db, query="brand", channel="boss")] == ["digest", *["mention.created"] * 2]
    found = operation.details(db, "msg_digest")
    assert [member.item for member in found.members] == ["t3_1", "t3_2"]
    assert found.bundled_into is None
    part = operation.details(db, taken[0])
    assert part.bundled_into is not None
    assert part.bundled_into.id == "msg_digest"
    deliveries.mark_sent(db, "msg_digest", clock())
    assert operation.retry(db, taken[0], clock()).refused == "it is part of msg_digest, which is sent"
    change(db, "msg_digest", state="failed")
    assert "retry that one" in str(operation.retry(db, taken[0], clock()).refused)
    assert operation.retry(db, "msg_digest", clock()).refused is None


def test_a_delivery_has_its_tries(world: World, db: Db, clock: Clock, acme: int) -> None:
    tell(world, 1, acme)
    [first, *_] = ids(db, Delivery.state == "pending")
    for seconds, error in ((1, "503"), (2, "timeout")):
        FailedTry.insert(delivery=first, at=clock() + seconds, error=error).execute(db.peewee)
    assert [each.error for each in operation.details(db, first).tries] == ["503", "timeout"]
    with pytest.raises(NotFound, match="no delivery 'msg_x'"):
        operation.details(db, "msg_x")


@pytest.mark.parametrize("state", ["failed", "held", "muted"])
def test_what_failed_is_held_or_muted_becomes_pending_now(
    world: World, db: Db, clock: Clock, acme: int, state: str
) -> None:
    tell(world, 1, acme)
    [key] = ids(db, Delivery.state == "pending")
    change(db, key, state=state, held_by="mute: author bot", attempts=12, due_at=clock() - 900)
    assert not deliveries.more_due(db, world.channel(acme), clock())
    later = clock.advance(60)
    retried = operation.retry(db, key, later)
    assert (retried.refused, retried.row.state, retried.row.held_by) == (None, "pending", None)
    assert (retried.row.next_try_at, retried.row.attempts) == (later, 1), "it was tried, so it stays what it was (I4)"
    again = operation.retry(db, key, clock.advance(60))
    assert (again.refused, again.row) == (None, retried.row), "a second retry changes nothing"
    assert deliveries.more_due(db, world.channel(acme), clock())


def test_what_was_sent_is_not_sent_again(world: World, db: Db, clock: Clock, acme: int) -> None:
    tell(world, 1, acme)
    [key] = ids(db, Delivery.state == "pending")
    deliveries.mark_sent(db, key, clock())
    assert "sent already" in str(operation.retry(db, key, clock()).refused)
    assert listed(db, state="sent")[0].sent_at == clock()


def test_what_waits_for_a_later_try_is_due_now_unless_it_is_being_sent(
    world: World, db: Db, clock: Clock, acme: int
) -> None:
    tell(world, 1, acme)
    [key] = ids(db, Delivery.state == "pending")
    change(db, key, due_at=clock() + 3600, attempts=4, error="503")
    assert operation.retry(db, key, clock()).row.next_try_at == clock()
    change(db, key, due_at=clock() + 3600, lease_until=clock() + 60)
    assert operation.retry(db, key, clock()).row.next_try_at == clock() + 3600


def test_nothing_becomes_pending_in_a_disabled_channel(world: World, db: Db, clock: Clock, acme: int) -> None:
    tell(world, 1, acme)
    [key] = ids(db, Delivery.state == "pending")
    channels.disable(db, world.channel(acme), "gone", clock())
    refused = operation.retry(db, key, clock()).refused
    assert refused is not None
    assert "disabled; enable it first" in refused


def test_a_filter_chooses_what_is_retried(world: World, db: Db, clock: Clock, acme: int) -> None:
    for number in (1, 2, 3):
        tell(world, number, acme)
    first, second, third = ids(db, Delivery.state == "pending")
    change(db, first, state="failed")
    change(db, second, state="muted")
    deliveries.mark_sent(db, third, clock())
    retried = list(operation.retry_all(db, DeliveryFilter(channel="team"), clock()))
    assert {each.row.id for each in retried} == {first, second}
    assert {each.row.state for each in retried} == {"pending"}


def test_what_is_held_and_muted_is_counted_by_reason(world: World, db: Db, clock: Clock, acme: int) -> None:
    for number in (1, 2, 3):
        tell(world, number, acme)
    first, second, _ = ids(db, Delivery.state == "pending")
    change(db, first, state="muted", held_by="mute: author bot")
    change(db, second, held_by="quiet hours", due_at=clock() + 900)
    counts = delivery_history.count_reasons(db, DeliveryFilter())
    assert [(each.state, each.held_by, each.count) for each in counts] == [
        ("held", "digest", 3),
        ("muted", "mute: author bot", 1),
        ("pending", "quiet hours", 1),
    ]
    assert delivery_history.count_reasons(db, DeliveryFilter(channel="team", state="held")) == []


# -- mentions


def found(db: Db, **which: Any) -> list[str]:
    return [mention.item for _, mention in mentions.listing(db, MentionFilter(**which), newest_first=False)]


def test_mentions_are_found_by_query_source_and_place(world: World, db: Db) -> None:
    acme = world.workspace(queries={"brand": "acme", "other": "nut"}, subreddits=("python", "rust"))
    tell(world, 1, acme)
    tell(world, 2, acme, place="Rust")
    assert found(db, query="brand") == ["t3_1", "t3_2"]
    assert found(db, query="other") == []
    assert found(db, query="it's \"%_") == []
    assert found(db, source="hackernews") == []
    assert found(db, source="reddit", places=("rust",)) == ["t3_2"]


def test_a_query_is_not_found_by_the_digits_of_another_one(world: World, db: Db) -> None:
    acme = world.workspace(queries={f"q{number}": f"word{number}" for number in range(12)} | {"brand": "acme"})
    tell(world, 1, acme)
    brand = world.query(acme)
    others = [name for number in range(12) if str(world.query(acme, name := f"q{number}")) in str(brand)]
    assert others, "one id is part of the other"
    assert [name for name in others if found(db, query=name)] == []
    assert found(db, query="brand") == ["t3_1"]


@pytest.mark.parametrize(
    ("search", "items"),
    [
        ("WIDGET", ["t3_1"]),
        ("ärger", ["t3_2"]),
        ("ÄRGER", ["t3_2"]),
        ("alice", ["t3_3"]),
        ("100%", ["t3_3"]),
        ("%", ["t3_3"]),
        ("a_b", ["t3_1"]),
        ("_", ["t3_1"]),
        ("back\\slash", ["t3_2"]),
        ("' OR 1=1 --", []),
    ],
)
def test_mentions_are_searched_for_a_text_as_it_is(world: World, db: Db, search: str, items: list[str]) -> None:
    acme = world.workspace()
    tell(world, 1, acme, title="On acme", body="a_b and a Widget", author="bob")
    tell(world, 2, acme, title="Ärger with acme", body="back\\slash axb", author="bob")
    tell(world, 3, acme, title="acme", body="it is 100% fine", author="Alice")
    assert found(db, search=search) == items


def test_mentions_are_found_by_the_state_of_their_deliveries(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    for number in (1, 2, 3, 4):
        tell(world, number, acme)
    tell(world, 5, acme, created_at=clock() - 90_000)
    first, second, third, fourth = ids(db)
    deliveries.mark_sent(db, first, clock())
    change(db, second, state="muted")
    change(db, third, state="bundled", bundle=first)
    change(db, fourth, state="failed")
    assert found(db, state="sent") == ["t3_1", "t3_3"], "what was bundled into a message was sent with it"
    assert found(db, state="muted") == ["t3_2"]
    assert found(db, state="bundled") == ["t3_3"]
    assert found(db, state="failed") == ["t3_4"]
    assert found(db, state="pending") == []
    assert found(db, state="backfilled") == ["t3_5"]
