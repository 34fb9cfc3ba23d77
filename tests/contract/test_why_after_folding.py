"""``why`` and ``retry`` after the claim has folded, held and bundled what waits: the words fit what it did."""

from __future__ import annotations

from typing import Any

from overheard.db import channels, deliveries, storing
from overheard.db.database import Db
from overheard.db.models import Delivery
from overheard.operations import deliveries as operation
from overheard.operations import why
from overheard.workspaces import MuteSpec
from tests.fixtures import Clock, World


def tell(world: World, workspace: int, first: int, count: int, **fields: Any) -> None:
    for number in range(first, first + count):
        item = world.item(number, **{"url": f"https://example.org/{number}", **fields})
        message = world.matched((item, (workspace,)), poll=f"{number}")
        storing.store(world.db, message, world.clock())


def claim(world: World, workspace: int) -> list[str]:
    """Claim and send what may be sent now; the ids of the deliveries."""
    channel = world.channel(workspace)
    claimed = deliveries.claim(world.db, channel, now=world.clock(), limit=50, lease=60).deliveries
    for each in claimed:
        deliveries.mark_sent(world.db, each.id, world.clock())
    return [each.id for each in claimed]


def steps(world: World, item: str) -> list[tuple[str, str]]:
    [way] = why.of_item(world.db, "acme", item, world.clock()).ways
    return [(step.step, step.reason) for step in way.steps if step.step not in ("read", "matched", "stored")]


def test_what_was_folded_into_a_summary(world: World, clock: Clock) -> None:
    acme = world.workspace(pace={})
    tell(world, acme, 1, 30)
    assert len(claim(world, acme)) == 10
    assert claim(world, acme) == []
    [way] = why.of_item(world.db, "acme", "t3_u", clock()).ways
    assert (way.steps[-1].at, way.steps[-1].reason) == (
        clock() + 30,
        "due then, in the channel's next message or summary",
    )
    clock.advance(120)
    [summary] = claim(world, acme)
    assert steps(world, "t3_1")[-1][0] == "sent"
    assert steps(world, "t3_u")[1:] == [
        ("held", "more than the channel wants as messages of their own"),
        ("held", f"put into mentions.summary {summary} with 20 mentions"),
        ("sent", f"the receiver accepted {summary}"),
    ]
    [row] = Delivery.select(Delivery.id).where(Delivery.bundle == summary).limit(1).execute(world.db.peewee)
    assert operation.retry(world.db, row.id, clock()).refused == f"it is part of {summary}, which is sent"


def test_what_quiet_hours_hold(world: World, clock: Clock) -> None:
    acme = world.workspace(pace={}, quiet="08:00-10:30")  # it is nine o'clock
    tell(world, acme, 1, 2)
    assert claim(world, acme) == []
    assert steps(world, "t3_1")[1:] == [("held", "held by quiet hours"), ("held", "due then, with what else waits")]
    [way] = why.of_item(world.db, "acme", "t3_1", clock()).ways
    assert way.steps[-1].at == clock() + 5400


def test_what_links_to_the_same_page(world: World) -> None:
    acme = world.workspace(pace={})
    tell(world, acme, 1, 2, url="https://example.org/a")
    [first] = claim(world, acme)
    assert steps(world, "t3_2")[1:] == [
        ("held", f"told with {first}, whose item links to the same page"),
        ("sent", f"the receiver accepted {first}"),
    ]


def test_what_a_disabled_channel_holds_is_sent_when_it_is_enabled(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(pace={})
    channels.disable(db, world.channel(acme), "gone", clock())
    tell(world, acme, 1, 1)
    enable = "the channel is disabled (gone); `overheard channel enable acme team` sends what waits"
    assert steps(world, "t3_1")[-1] == ("held", enable)
    channels.enable(db, world.channel(acme), clock())
    [key] = claim(world, acme)
    assert steps(world, "t3_1")[1:] == [
        ("held", "held while the channel was disabled"),
        ("sent", f"the receiver accepted {key}"),
    ]


def test_what_is_muted_goes_out_by_a_retry(world: World, db: Db, clock: Clock) -> None:
    mute = MuteSpec(author="someone")
    acme = world.workspace(pace={}, mute=(mute,))
    tell(world, acme, 1, 1)
    assert claim(world, acme) == []
    assert "muted by the rule author someone" in steps(world, "t3_1")[-1][1]
    [key] = (row.id for row in Delivery.select(Delivery.id).execute(db.peewee))
    assert operation.retry(db, key, clock()).row.state == "pending"
    assert claim(world, acme) == [key]
    assert steps(world, "t3_1")[-1] == ("sent", f"the receiver accepted {key}")


def test_what_a_digest_channel_holds_goes_out_by_a_retry(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(pace={}, channels={"team": "digest"}, digest="0 9 * * *")
    tell(world, acme, 1, 1)
    [key] = (row.id for row in Delivery.select(Delivery.id).execute(db.peewee))
    assert operation.retry(db, key, clock()).row.held_by is None
    assert claim(world, acme) == [key]
