"""Incidents: recorded by any process, reported once, and none in between is lost."""

from __future__ import annotations

from overheard.db import budgets, channels, dead_letters, feeds, heartbeats, incidents
from overheard.db.database import Db
from overheard.db.incidents import IncidentCount
from overheard.db.models import Budget
from tests.fixtures import Clock, Race, World


def told_of(db: Db) -> list[tuple[str, str, int]]:
    return [(each.kind, each.what, each.count) for each in incidents.unreported(db)]


def dead(db: Db, clock: Clock, name: str, *, origin: str = "nack", stage: str = "fetch") -> None:
    dead_letters.record(
        db, message_id=name, stage=stage, origin=origin, reason="x", traceback=None, body="{}", now=clock()
    )


def test_incidents_of_one_kind_and_place_are_counted(db: Db, clock: Clock) -> None:
    for what in ("fetch", "store", "fetch"):
        incidents.record(db, "dead letter", what, clock.advance(1))
    incidents.record(db, "channel disabled", "a\x00" + "x" * 500, clock())
    assert [(each.kind, each.count, len(each.what)) for each in incidents.unreported(db)] == [
        ("channel disabled", 1, incidents.PLACE_MAX_CHARS), ("dead letter", 2, 5), ("dead letter", 1, 5),
    ]  # fmt: skip
    assert incidents.unreported(db)[1] == IncidentCount("dead letter", "fetch", 2, clock())


def test_incidents_during_a_report_are_reported_next(db: Db, clock: Clock) -> None:
    incidents.record(db, "dead letter", "fetch", clock())
    incidents.record(db, "dead letter", "store", clock())
    seen = incidents.unreported(db)
    incidents.record(db, "dead letter", "fetch", clock.advance(1))
    incidents.mark_reported(db, seen)
    assert told_of(db) == [("dead letter", "fetch", 1)]
    incidents.mark_reported(db, incidents.unreported(db))
    assert told_of(db) == []
    incidents.mark_reported(db, seen)
    assert told_of(db) == [], "reported by two ticks"


def test_concurrent_incidents_are_all_counted(db: Db, clock: Clock, race: Race) -> None:
    race(*[lambda: incidents.record(db, "dead letter", "fetch", clock()) for _ in range(8)])
    assert told_of(db) == [("dead letter", "fetch", 8)]


def test_old_unreported_incidents_are_deleted(db: Db, clock: Clock) -> None:
    incidents.record(db, "dead letter", "fetch", clock())
    incidents.record(db, "dead letter", "store", clock() + 10)
    incidents.delete_before(db, clock() + 5)
    assert told_of(db) == [("dead letter", "store", 1)]


def test_of_concurrent_claims_one_gets_the_slot(db: Db, race: Race) -> None:
    taken = race(*[lambda: budgets.claim_slot(db, "alerts", 300) for _ in range(6)])
    assert taken.count(True) == 1
    assert not budgets.claim_slot(db, "alerts", 300)
    Budget.update(tat=db.now - 1).execute(db.peewee)
    assert budgets.claim_slot(db, "alerts", 300), "its time has come, by the database's clock"
    assert budgets.claim_slot(db, "other", 300)


def test_an_outage_is_recorded_once_by_concurrent_processes(db: Db, race: Race) -> None:
    assert race(*[lambda: heartbeats.record_once(db, "canary late", 100.0) for _ in range(4)]).count(True) == 1
    assert heartbeats.record_once(db, "canary late", 200.0), "the next one"
    assert not heartbeats.record_once(db, "canary late", 150.0)


def test_each_dead_letter_is_one_incident(db: Db, clock: Clock) -> None:
    dead(db, clock, "m1", origin="xq")
    dead(db, clock, "m1", origin="xq")
    assert told_of(db) == [("dead letter", "fetch", 1)], "drained twice"
    dead(db, clock, "m2")
    dead(db, clock, "m2", origin="xq")
    dead(db, clock, "m3", stage="ingress", origin="rejected")
    assert told_of(db) == [("dead letter", "fetch", 2), ("dead letter", "ingress", 1)]


def test_a_channel_that_is_disabled_is_one_incident(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    for _ in range(2):
        channels.disable(db, world.channel(acme), "gone", clock())
    assert told_of(db) == [("channel disabled", "acme/team", 1)]
    channels.enable(db, world.channel(acme), clock())
    channels.disable(db, world.channel(acme), "gone again", clock())
    assert told_of(db) == [("channel disabled", "acme/team", 2)]
    channels.disable(db, 999, "there is none", clock())
    assert told_of(db) == [("channel disabled", "acme/team", 2)]


def test_a_feed_that_is_refused_again_and_again_is_one_incident(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    counts = []
    for _ in range(5):
        (feed,) = feeds.stale_of(db, acme, "reddit", now=clock.advance(1e6), fresh_since=clock())
        feeds.back_off(db, feed, "private", now=clock(), longest=86_400)
        counts.append(len(told_of(db)))
    assert counts == [0, 0, 1, 1, 1]
    assert told_of(db) == [("feed refused", "r/python posts (private)", 1)]
