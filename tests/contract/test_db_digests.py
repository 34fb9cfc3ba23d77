"""Digests: once a period, never empty, with true numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from overheard.db import deliveries, delivery_backlog, digest_contents, digests, erasure, schedules, storing
from overheard.db.database import Db
from overheard.db.deliveries import DeliveryContents
from overheard.db.models import Channel, Delivery, Mention, Workspace
from overheard.messages import MatchedItem, WorkspaceMatch
from overheard.notices import PlaceCount, Totals
from overheard.workspaces import ChannelSpec, MuteSpec
from tests.fixtures import Clock, Race, World


@pytest.fixture
def told(world: World, db: Db, clock: Clock) -> Callable[..., None]:
    """Store so many mentions for a workspace, one second apart, from item ``first`` on."""

    def store(workspace_id: int, count: int = 1, first: int = 1, **item: Any) -> None:
        for number in range(first, first + count):
            clock.advance(1)
            message = world.matched((world.item(number, **item), (workspace_id,)), poll=f"{number}")
            storing.store(db, message, clock())

    return store


def claim_contents(db: Db, channel: int, now: float, limit: int = 10) -> list[DeliveryContents]:
    claimed = deliveries.claim(db, channel, now=now, limit=limit, lease=60).deliveries
    found = [deliveries.contents(db, each) for each in claimed]
    assert None not in found
    return found  # type: ignore[return-value]


def totals(contents: DeliveryContents) -> Totals:
    assert contents.notice.totals is not None
    return contents.notice.totals


def test_a_digest_bundles_what_is_held(world: World, db: Db, clock: Clock, told: Callable[..., None]) -> None:
    acme = world.workspace(channels={"daily": "digest", "now": "instant"})
    bolt = world.workspace("bolt", channels={"daily": "digest"})
    told(acme, 3)
    told(bolt, 1, first=10)
    daily = world.channel(acme, "daily")

    assert digests.compose(db, acme, clock(), clock()) == [daily]
    [digest] = claim_contents(db, daily, clock())
    assert digest.notice.type == "digest"
    assert [mention.item for mention in digest.notice.mentions] == ["t3_1", "t3_2", "t3_3"]
    assert len(digest.born) == 3
    assert delivery_backlog.waiting(db, clock(), 60).held == 1, "the other workspace's waits for its own"


def test_a_digest_of_very_many_says_the_newest_and_counts_the_others(
    world: World, db: Db, clock: Clock, told: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_contents, "DIGEST_MAX_MENTIONS", 3)
    acme = world.workspace(channels={"team": "digest"})
    for count, first, shown, omitted in [
        (5, 1, ["t3_3", "t3_4", "t3_5"], 2),
        (3, 6, ["t3_6", "t3_7", "t3_8"], 0),
    ]:
        told(acme, count, first=first)
        digests.compose(db, acme, clock(), clock())
        [digest] = claim_contents(db, world.channel(acme), clock())
        assert [mention.item for mention in digest.notice.mentions] == shown
        assert (digest.notice.omitted, len(digest.born), totals(digest).total) == (omitted, 3, count)
        deliveries.mark_sent(db, digest.notice.id, clock())


def test_a_period_has_one_digest_and_none_is_empty(
    world: World, db: Db, clock: Clock, told: Callable[..., None]
) -> None:
    acme = world.workspace(channels={"daily": "digest"})
    assert digests.compose(db, acme, clock(), clock()) == []
    told(acme, 2)
    end = clock()
    assert len(digests.compose(db, acme, end, clock())) == 1
    assert digests.compose(db, acme, end, clock()) == []
    told(acme, 1, first=5)
    assert digests.compose(db, acme, end, clock()) == [], "later mentions go into the next digest"
    assert digests.compose(db, acme, clock(), clock()) == [world.channel(acme, "daily")]
    periods = Delivery.select().where(Delivery.period_end.is_null(False)).count(db.peewee)
    assert periods == 2


def test_concurrent_composing_bundles_each_mention_once(
    world: World, db: Db, clock: Clock, told: Callable[..., None], race: Race
) -> None:
    """The same period twice, and a period by hand beside the scheduled one: no mention twice, no digest empty."""
    acme = world.workspace(channels={"daily": "digest", "other": "digest"})
    for turn in range(12):
        told(acme, 3, first=10 * turn + 1)
        end = clock()
        race(*[lambda end=end: digests.compose(db, acme, end, clock())] * 2,
             lambda end=end: digests.compose(db, acme, end + 0.5, clock()))  # fmt: skip
        for name in ("daily", "other"):
            composed = claim_contents(db, world.channel(acme, name), clock())
            assert sum(len(digest.notice.mentions) for digest in composed) == 3
            assert all(digest.notice.mentions for digest in composed)
            for digest in composed:
                deliveries.mark_sent(db, digest.notice.id, clock())


def test_mentions_stored_while_a_digest_is_composed_are_in_exactly_one(
    world: World, db: Db, clock: Clock, told: Callable[..., None], race: Race
) -> None:
    acme = world.workspace(channels={"daily": "digest"})
    for turn in range(12):
        told(acme, 1, first=10 * turn + 1)
        message = world.matched((world.item(10 * turn + 5), (acme,)), poll=f"race {turn}")
        race(
            lambda message=message: storing.store(db, message, clock()),
            lambda: digests.compose(db, acme, clock(), clock()),
        )
    digests.compose(db, acme, clock.advance(1), clock())
    bundled = Delivery.select(Delivery.mention).where(Delivery.state == "bundled", Delivery.bundle.is_null(False))
    assert bundled.count(db.peewee) == Mention.select().count(db.peewee) == 24


# -- the period and its numbers

BERLIN = {"timezone": "Europe/Berlin", "digest": "0 9 * * *"}


def at(text: str) -> float:
    """Return a time in Berlin."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()


@pytest.fixture
def mentioned(world: World, db: Db, clock: Clock) -> Callable[..., None]:
    """Store a mention of some queries at a time (in Berlin)."""
    numbers = iter(range(1, 1000))

    def store(workspace_id: int, when: str, *queries: str, **item: Any) -> None:
        number = next(numbers)
        clock.now = at(when)
        ids = tuple(world.query(workspace_id, query) for query in queries or ("brand",))
        entry = MatchedItem(world.item(number, **item), (WorkspaceMatch(workspace_id, ids),))
        message = msgspec.structs.replace(world.matched(poll=f"p{number}"), items=(entry,))
        storing.store(db, message, clock())

    return store


def composed(world: World, db: Db, clock: Clock, workspace_id: int, end: str, name: str = "team") -> Totals:
    """Compose the digest of the period that ends then, and return its numbers; it counts as sent."""
    clock.now = at(end) + 5
    assert world.channel(workspace_id, name) in digests.compose(db, workspace_id, at(end), clock())
    [contents] = claim_contents(db, world.channel(workspace_id, name), clock())
    deliveries.mark_sent(db, contents.notice.id, clock())
    return totals(contents)


def test_a_digest_has_true_numbers_by_query_place_and_day(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-25T12:00")
    acme = world.workspace(
        channels={"team": "digest"},
        queries={"brand": "acme", "jobs": "hiring"},
        subreddits=("python", "rust"),
        **BERLIN,
    )
    mentioned(acme, "11-26T09:00")  # belongs to the period before
    assert composed(world, db, clock, acme, "11-26T09:00").total == 1
    mentioned(acme, "11-26T09:01")
    mentioned(acme, "11-26T23:59", "jobs", "brand")
    mentioned(acme, "11-27T00:00", place="rust")
    mentioned(acme, "11-27T09:00")
    mentioned(acme, "11-27T09:01")  # of the next one
    clock.now = at("11-27T09:00")
    assert composed(world, db, clock, acme, "11-27T09:00") == Totals(
        total=4,
        by_query={"brand": 4, "jobs": 1},
        by_place=(PlaceCount("reddit", "Python", 3), PlaceCount("reddit", "rust", 1)),
        by_day=(("2026-11-26", 2), ("2026-11-27", 2)),
        since="2026-11-26T08:00:00.000Z",
        until="2026-11-27T08:00:00.000Z",
        places_of={
            "brand": (PlaceCount("reddit", "Python", 3), PlaceCount("reddit", "rust", 1)),
            "jobs": (PlaceCount("reddit", "Python", 1),),
        },
    )
    assert composed(world, db, clock, acme, "11-28T09:00").total == 1


@pytest.mark.parametrize(
    ("day", "since", "until", "before"),
    [
        ("03-29", "2026-03-28T08:00:00.000Z", "2026-03-29T07:00:00.000Z", "03-27T09:30"),  # 23 hours
        ("10-25", "2026-10-24T07:00:00.000Z", "2026-10-25T08:00:00.000Z", "10-23T09:30"),  # 25
        ("10-26", "2026-10-25T08:00:00.000Z", "2026-10-26T08:00:00.000Z", "10-24T09:30"),  # 24, after one of 25
    ],
)
def test_a_period_and_the_one_before_are_exact_when_the_clock_changes(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None], day: str, since: str, until: str, before: str
) -> None:
    clock.now = at("01-01T00:00")
    acme = world.workspace(channels={"team": "digest"}, **BERLIN)
    mentioned(acme, before.replace("09:30", "08:30"))
    mentioned(acme, before)
    composed(world, db, clock, acme, f"{day[:3]}{int(day[3:]) - 1}T09:00")
    mentioned(acme, f"{day}T00:30")
    mentioned(acme, f"{day}T03:30")
    found = composed(world, db, clock, acme, f"{day}T09:00")
    assert (found.since, found.until, found.before, found.by_day[1][1]) == (since, until, 1, 2)


def test_the_period_before_is_unknown_to_a_younger_channel(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-03T12:00")
    acme = world.workspace(channels={"team": "digest"}, **{**BERLIN, "digest": "0 9 * * mon"})
    for end, before in [("11-09T09:00", None), ("11-16T09:00", None), ("11-23T09:00", 2)]:
        mentioned(acme, f"{end[:3]}{int(end[3:5]) - 1:02}T12:00")
        mentioned(acme, f"{end[:3]}{int(end[3:5]) - 2:02}T12:00")
        found = composed(world, db, clock, acme, end)
        assert (found.total, found.before, len(found.by_day)) == (2, before, 8)


def test_what_is_not_kept_in_full_is_not_compared(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("01-01T00:00")
    acme = world.workspace(channels={"team": "digest"}, **{**BERLIN, "digest": "0 9 1 * *"})
    for month in (11, 12):
        mentioned(acme, f"{month - 1}-20T09:00")
        found = composed(world, db, clock, acme, f"{month}-01T09:00")
    assert (found.since, found.before) == ("2026-11-01T08:00:00.000Z", None)


def test_after_an_outage_several_periods_are_one(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-20T08:00")
    acme = world.workspace(channels={"team": "digest"}, **BERLIN)
    mentioned(acme, "11-20T08:30")
    Workspace.update(next_digest_at=at("11-21T09:00")).execute(db.peewee)
    mentioned(acme, "11-22T12:00")
    mentioned(acme, "11-24T12:00")
    mentioned(acme, "11-25T12:00")
    clock.now = at("11-25T13:00")
    [due] = schedules.claim_digests(db, clock(), 10, lambda due: at("11-26T09:00"))
    assert due.digest_at == at("11-25T09:00"), "not the first one that was missed"
    found = composed(world, db, clock, acme, "11-25T09:00")
    assert (found.total, found.since) == (3, "2026-11-19T08:00:00.000Z")
    assert [count for _, count in found.by_day] == [0, 1, 0, 1, 0, 1, 0]
    assert world.rows(Workspace, "digest_end") == [(None,)]
    mentioned(acme, "11-26T08:00")
    found = composed(world, db, clock, acme, "11-26T09:00")
    assert (found.total, found.since) == (2, "2026-11-25T08:00:00.000Z")


def test_an_interval_s_missed_periods_are_one_too(world: World, db: Db, clock: Clock) -> None:
    world.workspace(channels={"team": "digest"}, digest="6h")
    Workspace.update(next_digest_at=clock()).execute(db.peewee)
    began = clock()
    [due] = schedules.claim_digests(db, clock.advance(20 * 3600), 10, lambda due: clock() + 6 * 3600)
    assert due.digest_at == began + 18 * 3600
    assert world.rows(Workspace, "digest_end") == [(began + 18 * 3600,)]


def test_what_is_stored_late_goes_into_the_next_digest(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-25T12:00")
    acme = world.workspace(channels={"team": "digest"}, **BERLIN)
    mentioned(acme, "11-26T08:00")
    composed(world, db, clock, acme, "11-26T09:00")
    mentioned(acme, "11-26T08:59")  # its transaction was not committed when the digest was composed
    found = composed(world, db, clock, acme, "11-27T09:00")
    assert (found.total, found.since) == (1, "2026-11-26T08:00:00.000Z"), "the period before is told already"
    assert found.by_day[0][1] == 1


def test_a_channel_of_both_counts_what_was_sent_at_once_and_shows_the_rest(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-25T12:00")
    acme = world.workspace(
        channels={"team": "both", "other": "instant"}, queries={"brand": "acme", "jobs": "hiring"}, **BERLIN
    )
    team = world.channel(acme)
    for minute in range(3):
        mentioned(acme, f"11-26T10:0{minute}", "brand")
    mentioned(acme, "11-26T11:00", "jobs")
    clock.now = at("11-27T09:00")
    assert digests.compose(db, acme, clock(), clock()) == [], "without overflow there is none"
    overflow = Delivery.select(Delivery.id).where(Delivery.channel == team).order_by(Delivery.mention).limit(2)
    Delivery.update(state="held", held_by="limit").where(Delivery.id.in_(overflow)).execute(db.peewee)
    Delivery.update(state="sent").where(Delivery.channel == team, Delivery.state == "pending").execute(db.peewee)
    assert digests.compose(db, acme, clock(), clock()) == [team]
    [contents] = claim_contents(db, team, clock())
    assert [mention.item for mention in contents.notice.mentions] == ["t3_1", "t3_2"], "nothing is told twice"
    found = totals(contents)
    assert (found.total, found.at_once) == (4, 2)
    assert (found.by_query, found.at_once_of) == ({"brand": 3, "jobs": 1}, {"brand": 1, "jobs": 1})


def test_a_channel_counts_its_own_queries_without_what_is_muted(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-25T12:00")
    queries = {"brand": "acme", "jobs": "hiring", "noise": "noise"}
    spec = world.spec(queries=queries, **BERLIN)
    url = "https://example.org/hook"
    channel = ChannelSpec("team", url, "digest", queries=("brand", "jobs"))
    acme = world.save(msgspec.structs.replace(spec, channel=(channel,), mute=(MuteSpec(author="bot"),)))
    mentioned(acme, "11-26T10:00", "brand", "noise")
    mentioned(acme, "11-26T11:00", "noise")
    mentioned(acme, "11-26T12:00", "jobs", author="Bot")
    found = composed(world, db, clock, acme, "11-27T09:00")
    assert (found.total, found.by_query, found.muted) == (1, {"brand": 1}, 1)
    mentioned(acme, "11-27T10:00", "jobs")
    found = composed(world, db, clock, acme, "11-28T09:00")
    assert (found.total, found.before, found.muted) == (1, 1, 0)


def test_what_is_erased_before_a_digest_is_sent_is_not_in_it(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-25T12:00")
    acme = world.workspace(channels={"team": "digest"}, **BERLIN)
    for hour in (10, 11, 12):
        mentioned(acme, f"11-26T{hour}:00")
    clock.now = at("11-27T09:00")
    digests.compose(db, acme, clock(), clock())
    [claimed] = deliveries.claim(db, world.channel(acme), now=clock(), limit=1, lease=60).deliveries
    erasure.erase_keys(db, [("reddit", "t3_2")], clock())
    contents = deliveries.contents(db, claimed)
    assert contents is not None
    assert [mention.item for mention in contents.notice.mentions] == ["t3_1", "t3_3"]
    assert (totals(contents).total, contents.notice.omitted) == (2, 0)


def test_of_very_many_each_query_is_shown_in_turn(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest_contents, "DIGEST_MAX_MENTIONS", 4)
    clock.now = at("11-25T12:00")
    acme = world.workspace(channels={"team": "digest"}, queries={"brand": "acme", "jobs": "hiring"}, **BERLIN)
    mentioned(acme, "11-26T10:00", "jobs")
    for minute in range(6):
        mentioned(acme, f"11-26T11:0{minute}", "brand")
    clock.now = at("11-27T09:00")
    digests.compose(db, acme, clock(), clock())
    [contents] = claim_contents(db, world.channel(acme), clock())
    assert [mention.item for mention in contents.notice.mentions] == ["t3_1", "t3_5", "t3_6", "t3_7"]
    assert contents.notice.omitted == 3


def test_a_digest_held_for_a_disabled_channel_is_not_composed(
    world: World, db: Db, clock: Clock, mentioned: Callable[..., None]
) -> None:
    clock.now = at("11-25T12:00")
    acme = world.workspace(channels={"team": "digest"}, **BERLIN)
    Channel.update(disabled_at=clock()).execute(db.peewee)
    mentioned(acme, "11-26T10:00")
    assert world.rows(Delivery, "held_by") == [("channel disabled",)]
    Channel.update(disabled_at=None).execute(db.peewee)
    assert digests.compose(db, acme, at("11-27T09:00"), clock()) == [], "it goes out when the channel is enabled"
