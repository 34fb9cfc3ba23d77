"""Work is claimed by conditional UPDATE: of all concurrent claims exactly one succeeds; expired leases are swept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from overheard.db import (
    cursors,
    deliveries,
    digests,
    feeds,
    groups,
    leases,
    reading,
    refreshes,
    regrouping,
    schedules,
    workspace_specs,
    workspaces,
)
from overheard.db.database import Db
from overheard.db.groups import FeedRow
from overheard.db.models import Delivery, Feed, FeedGroup, Poll, Workspace
from overheard.errors import NotFound
from overheard.items import FeedKind
from overheard.messages import PollTarget
from overheard.reading.packing import BY_NUMBER_BIN
from overheard.reading.rates import FeedRate, updated
from tests.fixtures import Clock, Race, World

ROUNDS = 12


def row_of(feed: Any) -> FeedRow:
    return FeedRow(*(getattr(feed, name) for name in FeedRow.__struct_fields__))


def all_groups(db: Db) -> list[int]:
    return [group for (group,) in FeedGroup.select(FeedGroup.id).order_by(FeedGroup.id).tuples().execute(db.peewee)]


def claim_all(db: Db, poll: str, now: float, ids: Sequence[int] | None = None) -> list[int]:
    """Return the groups that the poll has claimed."""
    wanted = all_groups(db) if ids is None else ids
    return [group for group in wanted if leases.claim(db, group, poll, now=now, lease=120)]


# -- workspaces


def test_a_due_workspace_is_claimed_once(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    world.workspace("later")
    Workspace.update(next_due_at=clock() + 1).where(Workspace.slug == "later").execute(db.peewee)

    requested_at = clock()
    assert schedules.is_due(db, acme, requested_at)
    [due] = schedules.claim_due(db, clock(), 10, lambda due: clock() + 300)
    assert not schedules.is_due(db, due.id, requested_at)
    assert (due.id, due.slug, due.every, due.timezone) == (acme, "acme", "5m", "UTC")
    assert schedules.claim_due(db, clock(), 10, lambda due: clock() + 300) == []
    [again] = schedules.claim_due(db, clock.advance(300), 1, lambda due: clock() + 300)
    assert again.slug == "later", "the longest overdue comes first"


def test_several_ticks_at_once_claim_each_workspace_once(world: World, db: Db, clock: Clock, race: Race) -> None:
    for number in range(8):
        world.workspace(f"w{number}", channels={})
    for _ in range(ROUNDS):
        clock.advance(300)
        now = clock()

        def claim(now: float = now) -> list[int]:
            return [due.id for due in schedules.claim_due(db, now, 6, lambda due: now + 300)]

        def claim_digests(now: float = now) -> list[int]:
            return [due.id for due in schedules.claim_digests(db, now + 90_000, 6, lambda due: now + 90_001)]

        one, two, three, four = race(claim, claim, claim_digests, claim_digests)
        assert len(one + two) == len(set(one + two)) >= 6
        assert len(three + four) == len(set(three + four)) >= 6


@pytest.mark.parametrize("claim", [schedules.claim_due, schedules.claim_digests])
def test_what_another_tick_claims_between_look_and_claim_is_left_to_it(
    world: World, db: Db, clock: Clock, claim: Any
) -> None:
    world.workspace()
    now = clock.advance(10**6)
    others: list[Any] = []

    def following(due: Any) -> float:
        if not others:
            others.extend(claim(db, now, 10, lambda due: now + 300))
        return now + 300

    assert claim(db, now, 10, following) == []
    assert len(others) == 1


def test_a_paused_workspace_is_never_due(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    workspace_specs.set_active(db, acme, False)
    refreshes.demand(db, [acme], clock())
    assert schedules.claim_due(db, clock(), 10, lambda due: clock()) == []
    assert schedules.claim_digests(db, clock() + 10**6, 10, lambda due: clock()) == []
    assert refreshes.claim_lost(db, clock() + 10**6, 0, 10) == []


def test_a_lost_demand_is_claimed_again_after_each_interval(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    schedules.claim_due(db, clock(), 10, lambda due: clock() + 10**6)

    assert refreshes.claim_lost(db, clock.advance(59), 60, 10) == []
    assert refreshes.claim_lost(db, clock.advance(1), 60, 10) == [(acme, "reddit")]
    assert refreshes.claim_lost(db, clock(), 60, 10) == [], "the claim has renewed the demand"
    assert refreshes.claim_lost(db, clock.advance(60), 60, 10) == [(acme, "reddit")]

    refreshes.mark_served(db, acme, "reddit", clock() - 1)
    assert refreshes.claim_lost(db, clock.advance(60), 60, 10) == [(acme, "reddit")], (
        "a run that began before does not count"
    )
    refreshes.mark_served(db, acme, "reddit", clock())
    assert refreshes.claim_lost(db, clock.advance(600), 60, 10) == []
    refreshes.mark_served(db, acme, "reddit", clock() - 500)
    assert refreshes.claim_lost(db, clock(), 60, 10) == [], "an earlier run takes nothing back"


def test_of_two_sweeps_one_finds_the_demand(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme = world.workspace()
    refreshes.demand(db, [acme], clock())
    for _ in range(ROUNDS):
        now = clock.advance(60)
        found = race(*[lambda now=now: refreshes.claim_lost(db, now, 60, 10)] * 3)
        assert sorted(found) == [[], [], [(acme, "reddit")]]


def test_a_digest_whose_event_was_lost_is_requested_again(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme = world.workspace(channels={"daily": "digest"})
    end = clock.advance(86_400)
    [due] = schedules.claim_digests(db, clock(), 10, lambda due: clock() + 86_400)
    assert due.digest_at == end

    assert schedules.claim_lost_digests(db, clock.advance(59), 60, 10) == []
    now = clock.advance(1)
    assert sorted(race(*[lambda: schedules.claim_lost_digests(db, now, 60, 10)] * 2)) == [[], [(acme, end)]]
    digests.compose(db, acme, end - 1, clock())
    assert schedules.claim_lost_digests(db, clock.advance(60), 60, 10) == [(acme, end)], (
        "another period's does not count"
    )
    digests.compose(db, acme, end, clock())
    assert schedules.claim_lost_digests(db, clock.advance(600), 60, 10) == []


def test_make_due_makes_feeds_stale(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    world.workspace("bolt", subreddits=["rust"])
    Feed.update(fresh_at=clock()).execute(db.peewee)
    Workspace.update(next_due_at=clock() + 300).execute(db.peewee)
    schedules.make_due(db, acme, clock())
    assert [due.id for due in schedules.claim_due(db, clock(), 10, lambda due: clock() + 1)] == [acme]
    assert (world.fresh_at("python"), world.fresh_at("rust")) == (0, clock())


@pytest.mark.parametrize("name", ["nobody", "a\x00b", "a\ud800b", "Acme", 99_999, 10**30, 0, -1])
def test_an_unknown_workspace_is_not_found(world: World, db: Db, name: str | int) -> None:
    acme = world.workspace()
    assert workspaces.by_name(db, "acme").id == workspaces.by_name(db, acme).id == acme
    with pytest.raises(NotFound, match="there are: acme"):
        workspaces.by_name(db, name)


def test_of_unknown_workspaces_the_one_that_is_meant_is_guessed_and_the_others_are_not_all_named(
    world: World, db: Db
) -> None:
    for slug in ("bolt", "acme-shop", "cork", "dust", "echo", "flux"):
        world.workspace(slug)
    with pytest.raises(NotFound, match=r"there are: bolt, .*, echo and more; did you mean acme-shop\?"):
        workspaces.by_name(db, "acmeshop")


def test_the_first_user_is_told_how_to_begin(db: Db) -> None:
    with pytest.raises(NotFound, match="overheard workspace add"):
        workspaces.by_name(db, "acme")


# -- feeds


def test_of_several_polls_each_group_belongs_to_one(world: World, db: Db, clock: Clock, race: Race) -> None:
    world.workspace(subreddits=[f"sub{number}" for number in range(10)])
    ids = all_groups(db)
    for turn in range(ROUNDS):
        now = clock.advance(121)
        first, second, third = race(
            partial(claim_all, db, f"a{turn}", now, ids[:7]),
            partial(claim_all, db, f"b{turn}", now, ids[3:][::-1]),
            partial(claim_all, db, f"c{turn}", now, ids[2:8]),
        )
        won = [*first, *second, *third]
        assert len(won) == len(set(won))
        assert set(won) == set(ids)
        holders = dict(FeedGroup.select(FeedGroup.id, FeedGroup.poll).tuples().execute(db.peewee))
        assert all(holders[group] == f"a{turn}" for group in first)
        assert Poll.select().where(Poll.id.endswith(str(turn))).count(db.peewee) >= sum(map(bool, (first, second)))


def test_polls_that_join_each_other_s_groups_neither_wait_nor_lose_a_feed(
    world: World, db: Db, clock: Clock, race: Race
) -> None:
    world.workspace(subreddits=[f"sub{number}" for number in range(10)])

    def take(number: int) -> int:
        poll, ids = f"p{number}", all_groups(db)
        mine = leases.claim(db, ids[number % len(ids)], poll, now=clock(), lease=120)
        if mine is None:
            return 0
        others = groups.load(db, [group for group in ids if group != mine.id])
        return len(
            regrouping.join(db, mine, others, poll, now=clock(), lease=120, cursor=lambda older, newer: older).feeds
        )

    counts = race(*[partial(take, number) for number in (0, 4, 9)])
    assert sum(counts) == 10
    assert Feed.select().where(Feed.group.is_null()).count(db.peewee) == 0
    assert len(all_groups(db)) == sum(map(bool, counts))


def test_a_feed_without_active_workspaces_leaves_the_group(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["python"])
    paused = world.workspace("paused", subreddits=["rust", "go"])
    one = all_groups(db)[0]
    Feed.update(group=one).execute(db.peewee)
    FeedGroup.update(cursor="x", began_at=5.0).where(FeedGroup.id == one).execute(db.peewee)
    workspace_specs.set_active(db, paused, False)
    taken = leases.claim(db, one, "p", now=clock(), lease=120)
    assert taken is not None
    assert taken.places == ("python",)
    left = world.group("rust")
    assert left.id == world.group("go").id != one
    assert (left.cursor, left.began_at, left.lease_until) == ("x", 5.0, 0)
    workspace_specs.set_active(db, paused, True)
    again = leases.claim(db, left.id, "q", now=clock(), lease=120)
    assert again is not None
    assert sorted(again.places) == ["go", "rust"]


def test_groups_without_feeds_are_deleted(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["a", "b"])
    groups.make(db, "reddit", "posts", 2, clock())
    assert groups.delete_empty(db, clock() + 3600) == 0, "its feed may be about to be made"
    assert groups.delete_empty(db, clock() + 3601) == 2
    assert len(all_groups(db)) == 2


def test_without_a_claimed_group_there_is_no_poll(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    claim_all(db, "a", clock())
    assert claim_all(db, "b", clock() + 120) == []
    assert claim_all(db, "c", clock(), [10**9]) == []
    assert world.rows(Poll, "id") == [("a",)]


def test_an_expired_lease_is_swept_and_a_reading_demanded(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme = world.workspace(subreddits=["python", "rust"])
    paused = world.workspace("paused", subreddits=["linux"])
    workspace_specs.set_active(db, paused, False)
    for turn in range(ROUNDS):
        claim_all(db, f"p{turn}", clock())
        refreshes.mark_served(db, acme, "reddit", clock())
        assert feeds.sweep(db, clock.advance(120)) == []
        now = clock.advance(1)
        assert sorted(race(*[lambda now=now: feeds.sweep(db, now)] * 2)) == [[], [(acme, "reddit")]]
        assert FeedGroup.select().where(FeedGroup.poll.is_null(False)).count(db.peewee) == 0
        # if the sweep's event is lost, the demand is still there
        assert refreshes.claim_lost(db, clock() + 60, 60, 10) == [(acme, "reddit")]


def test_a_released_group_can_be_claimed_and_is_swept(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=["acme"])
    bolt = world.workspace("bolt", subreddits=["bolt"])
    claim_all(db, "p", clock())
    for each in (acme, bolt):
        refreshes.mark_served(db, each, "reddit", clock())
    leases.release(db, "p")
    assert world.rows(Poll, "id") == []
    assert len(claim_all(db, "q", clock(), all_groups(db)[:1])) == 1
    assert feeds.sweep(db, clock()) == [(bolt, "reddit")]
    assert feeds.sweep(db, clock()) == []


def test_a_postponed_poll_keeps_its_feeds(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    claim_all(db, "p", clock())
    begins = clock() + 200
    leases.postpone(db, "p", "later", until=begins, lease=120)
    leases.postpone(db, "p", "never", until=begins, lease=120)
    assert leases.of_poll(db, 1, "p") is leases.of_poll(db, 1, "never") is None
    assert feeds.oldest_poll(db, clock()) is None
    assert not feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=clock()), (
        "the postponed poll will meet the demand"
    )
    clock.advance(200)
    assert leases.of_poll(db, 1, "later") == groups.load(db, [1])[0]
    assert feeds.oldest_poll(db, clock()) == begins
    assert feeds.sweep(db, clock.advance(120)) == []
    assert feeds.sweep(db, clock.advance(1)) == [(acme, "reddit")]


def test_an_extended_lease_is_not_swept(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    claim_all(db, "p", clock())
    leases.extend(db, "p", clock() + 500)
    assert feeds.sweep(db, clock() + 499) == []
    assert leases.of_poll(db, 1, "p") is not None
    assert leases.of_poll(db, 1, "other") is leases.of_poll(db, 2, "p") is None


def test_a_refused_feed_waits_longer_each_time(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    waits = []
    for _ in range(8):
        waits.append(feeds.back_off(db, row_of(world.feed()), "private", now=clock(), longest=86_400) - clock())
        assert feeds.stale_of(db, 1, "reddit", now=clock() + waits[-1] - 1, fresh_since=clock()) == []
        assert feeds.stale_of(db, 1, "reddit", now=clock() + waits[-1], fresh_since=clock()) != []
    assert waits == [1800, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400]
    Feed.update(failures=10_000).execute(db.peewee)
    assert feeds.back_off(db, row_of(world.feed()), "x", now=0.0, longest=86_400) == 86_400
    assert feeds.states(db) == {"ok": 0, "failing": 1, "new": 0}


def test_stale_feeds_are_those_that_may_be_read_now(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=["fresh", "stale", "taken", "resting"], kinds=["posts", "comments"])
    world.workspace("other", subreddits=["elsewhere"])
    now = clock()
    change = Feed.update(fresh_at=now - 60).where(Feed.place == "fresh")
    change.execute(db.peewee)
    taken = Feed.select(Feed.group).where(Feed.place == "taken")
    FeedGroup.update(lease_until=now).where(FeedGroup.id.in_(taken)).execute(db.peewee)
    Feed.update(retry_at=now + 1).where(Feed.place == "resting").execute(db.peewee)

    found = feeds.stale_of(db, acme, "reddit", now=now, fresh_since=now - 60)
    assert [(feed.kind, feed.place) for feed in found] == [("comments", "stale"), ("posts", "stale")]


def test_feeds_that_were_never_read_join_a_first_reading(world: World, db: Db, clock: Clock) -> None:
    world.workspace("acme", subreddits=["new", "failing", "read"])
    world.workspace("bolt", subreddits=["other"])
    asleep = world.workspace("asleep", subreddits=["asleep"])
    workspace_specs.set_active(db, asleep, False)
    FeedGroup.update(cursor="x").where(FeedGroup.id == world.group("read").id).execute(db.peewee)
    Feed.update(failures=1).where(Feed.place == "failing").execute(db.peewee)

    def joining(kind: FeedKind = "posts", room: int = 10) -> list[str]:
        group = groups.Group(0, "reddit", kind, None, 0.0, 0.0, None)
        return [name for other in feeds.never_read(db, group, now=clock(), room=room) for name in other.places]

    assert joining() == ["new", "other"]
    assert joining(kind="comments") == []
    Feed.update(bin=1).where(Feed.place == "other").execute(db.peewee)
    mine = groups.load(db, [world.group("new").id])[0]
    mine = msgspec.structs.replace(mine, feeds=(msgspec.structs.replace(mine.feeds[0], bin=1),))
    assert [other.places for other in feeds.never_read(db, mine, now=clock(), room=1)] == [("other",)]
    leases.claim(db, world.group("other").id, "p", now=clock(), lease=120)
    assert joining() == ["new"]


def test_groups_of_one_bin_join_one_that_was_read_before_them(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["a", "b", "c"])
    Feed.update(bin=7).where(Feed.place != "c").execute(db.peewee)
    first, second, _ = all_groups(db)
    FeedGroup.update(cursor="x", began_at=5.0).execute(db.peewee)

    def joining(read_since: float, kind: FeedKind = "posts") -> list[int]:
        return reading.groups_of_bin(db, 7, "reddit", kind, besides=first, read_since=read_since, now=clock())

    assert joining(5.0) == [second]
    assert joining(5.1) == [], "it was read before the other's first page had arrived"
    assert joining(5.0, "comments") == []
    leases.claim(db, second, "p", now=clock(), lease=120)
    assert joining(5.0) == []


def test_groups_with_feeds_of_several_bins_are_divided(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["a", "b", "c", "d"])
    one = all_groups(db)[0]
    Feed.update(group=one).where(Feed.place != "d").execute(db.peewee)
    FeedGroup.update(cursor="x", began_at=5.0, read_at=6.0).where(FeedGroup.id == one).execute(db.peewee)
    reading.set_bins(db, {world.feed(place).id: number for place, number in (("a", 1), ("b", 2), ("c", 2), ("d", 1))})
    leases.claim(db, one, "p", now=clock(), lease=120)
    regrouping.separate(db, "reddit", clock())
    assert world.group("a").id == world.group("b").id, "a poll holds it"
    leases.release(db, "p")
    regrouping.separate(db, "reddit", clock())
    apart = world.group("b")
    assert world.group("a").id == one != apart.id == world.group("c").id
    assert (apart.cursor, apart.began_at, apart.read_at, apart.poll, apart.lease_until) == ("x", 5.0, 6.0, None, 0)
    assert world.group("a").poll is None


def test_a_reading_of_a_group_is_asked_for_once(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["a"])
    assert reading.free_groups(db, "reddit", clock()) == [], "it was never read: its workspace demands that"
    FeedGroup.update(cursor="x", began_at=5.0).execute(db.peewee)
    (free,) = reading.free_groups(db, "reddit", clock())
    assert (free.began_at, free.asked_at) == (5.0, 0.0)
    assert reading.ask(db, free, clock())
    assert not reading.ask(db, free, clock() + 1), "another process has asked"
    leases.claim(db, free.id, "p", now=clock(), lease=120)
    assert reading.free_groups(db, "reddit", clock()) == []


def test_a_demand_waits_for_a_reading_that_began_after_it(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    demanded_at = clock()
    assert feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=demanded_at)
    claim_all(db, "p", clock())
    assert not feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=demanded_at)
    assert feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=demanded_at + 1), "it began before"
    assert feeds.has_stale(db, acme, "reddit", now=clock() + 121, fresh_since=demanded_at), "no poll reads it any more"
    leases.release(db, "p")
    feeds.back_off(db, row_of(world.feed()), "private", now=clock(), longest=86_400)
    assert not feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=demanded_at), "it is refused"


def test_feeds_are_counted_by_state(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=["a", "b"])
    assert feeds.oldest_fresh(db, clock()) is None
    assert feeds.has_unread(db, acme, clock())
    Feed.update(fresh_at=clock()).where(Feed.place == "a").execute(db.peewee)
    FeedGroup.update(cursor="x").where(FeedGroup.id == world.group("a").id).execute(db.peewee)
    Feed.update(retry_at=clock() + 5, failures=1).where(Feed.place == "b").execute(db.peewee)
    Feed.insert(source="reddit", kind="posts", place="unwatched", created_at=0.0, fresh_at=1.0).execute(db.peewee)
    assert feeds.states(db) == {"ok": 1, "failing": 1, "new": 0}
    assert feeds.oldest_fresh(db, clock()) == clock()
    assert not feeds.has_unread(db, acme, clock()), "a refused feed is not waited for"


# -- deliveries


def test_of_several_claimers_one_gets_the_channel(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    mine, other = world.channel(acme), world.channel(bolt)
    for number in range(6):
        for channel in (mine, other):
            Delivery.insert(
                id=f"{channel}-{number}", channel=channel, period_end=number, state="pending",
                due_at=clock(), created_at=clock(),
            ).execute(db.peewee)  # fmt: skip

    def claim(channel: int, now: float) -> list[str]:
        claimed = deliveries.claim(db, channel, now=now, limit=4, lease=60).deliveries
        return sorted(delivery.id for delivery in claimed)

    for _ in range(ROUNDS):
        now = clock.advance(61)
        one, two, three, elsewhere = race(
            *[lambda now=now: claim(mine, now)] * 3, lambda now=now: claim(other, now)
        )  # fmt: skip
        assert sorted(map(len, (one, two, three))) == [0, 0, 4]
        assert len(elsewhere) == 4


def test_an_unreadable_schedule_is_reported_with_its_reason(world: World, db: Db) -> None:
    acme, bolt, _ = (world.workspace(slug) for slug in ("acme", "bolt", "clio"))
    assert schedules.unreadable_schedules(db) == []
    Workspace.update(every="0 22-4 * * *").where(Workspace.id.in_([acme, bolt])).execute(db.peewee)
    Workspace.update(digest="0 0 ? * *").where(Workspace.id == bolt).execute(db.peewee)
    found = schedules.unreadable_schedules(db)
    assert [(each.workspace, each.key) for each in found] == [("acme", "every"), ("bolt", "every"), ("bolt", "digest")]
    assert "'0 22-4 * * *' is not a cron expression that is ever due: bad hour" in found[0].reason


def test_one_group_is_chosen_to_read_by_numbers_and_takes_in_the_others(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["a", "b", "c"])
    first, second, third = all_groups(db)
    FeedGroup.update(cursor="x", began_at=5.0).where(FeedGroup.id != third).execute(db.peewee)
    FeedGroup.update(began_at=9.0, room=3).where(FeedGroup.id == second).execute(db.peewee)
    regrouping.choose_by_number(db, "reddit", "posts")
    assert not FeedGroup.select().where(FeedGroup.by_number).exists(db.peewee), "no feed is of that bin"
    reading.set_bins(db, {world.feed(place).id: BY_NUMBER_BIN for place in "abc"})
    regrouping.choose_by_number(db, "reddit", "comments")
    regrouping.choose_by_number(db, "reddit", "posts")
    regrouping.choose_by_number(db, "reddit", "posts")
    chosen = [group.id for group in groups.load(db, [first, second, third]) if group.by_number]
    assert chosen == [second], "it was read last"
    assert world.group("b").room is None
    reading.set_bins(db, {world.feed("b").id: 7})
    assert not groups.load(db, [second])[0].by_number
    regrouping.separate(db, "reddit", clock())
    regrouping.choose_by_number(db, "reddit", "posts")
    assert [group.id for group in groups.load(db, [first, second, third]) if group.by_number] == [first]


def test_what_has_everything_of_a_source_is_chosen_already(world: World, db: Db) -> None:
    world.workspace(subreddits=["all"])
    world.workspace("bolt", subreddits=["a"])
    FeedGroup.update(cursor="x").execute(db.peewee)
    reading.set_bins(db, {world.feed(place).id: BY_NUMBER_BIN for place in ("all", "a")})
    regrouping.choose_by_number(db, "reddit", "posts")
    assert [group.by_number for group in groups.load(db, [world.group("all").id, world.group("a").id])] == [True, False]


@pytest.mark.parametrize("seconds", [60.0, 5000.0, 0.0, -3.0])
def test_rates_of_quiet_feeds_fall_as_those_of_others_do(world: World, db: Db, clock: Clock, seconds: float) -> None:
    before = [FeedRate(None, 0.0), FeedRate(0.5, 100.0), FeedRate(0.25, 2000.0), FeedRate(0.1, 50.0)]
    places = ["new", "young", "old", "busy"]
    world.workspace(subreddits=places)
    for place, rate in zip(places, before, strict=True):
        values = {"rate": rate.rate, "rate_seconds": rate.seconds, "rated_at": clock()}
        Feed.update(values).where(Feed.place == place).execute(db.peewee)
    group = world.group("new").id
    Feed.update(group=group).execute(db.peewee)
    FeedGroup.update(fresh_at=clock()).execute(db.peewee)
    ids = tuple(world.feed(place).id for place in places)
    after = before
    # The rate of a quiet feed stays as it was stored: the second reading has to take the first one into account.
    for poll, new, passed in (("p", (0, 0, 0, 3), seconds), ("q", (0, 1, 0, 0), 700.0)):
        with db.transaction():
            at = clock.advance(max(passed, 0.0))
            cursors.advance(db, poll, at, [PollTarget(group, ids, "x", at, new=new, seconds=passed)], at)
        after = [updated(rate, count, passed) for rate, count in zip(after, new, strict=True)]
        assert [world.rate(place) for place in places] == [pytest.approx(rate.rate, rel=0.02) for rate in after]


def test_a_reading_changes_the_rows_of_its_group_and_of_feeds_with_news_only(
    world: World, db: Db, clock: Clock
) -> None:
    places = ["python", "rust", "go"]
    world.workspace(subreddits=places)
    group = world.group("python").id
    Feed.update(group=group).execute(db.peewee)
    ids = tuple(world.feed(place).id for place in places)

    def read(*new: int) -> dict[str, tuple[Any, ...]]:
        before = {row[0]: row for row in world.rows(Feed, "place", "fresh_at", "rate", "rate_seconds", "rated_at")}
        with db.transaction():
            at = clock.advance(60)
            cursors.advance(db, "p", at, [PollTarget(group, ids, "x", at, new=new, seconds=60.0)], at)
        after = world.rows(Feed, "place", "fresh_at", "rate", "rate_seconds", "rated_at")
        assert [world.fresh_at(place) for place in places] == [at] * 3
        return {row[0]: row for row in after if before[row[0]] != row}

    assert read(0, 0, 0).keys() == set(places)
    assert read(0, 2, 0).keys() == {"rust"}
    assert read(0, 0, 0) == {}
    schedules.mark_stale(db, world.workspace("bolt", subreddits=["go"]))
    assert [world.fresh_at(place) > 0.0 for place in places] == [True, True, False]
    assert read(0, 0, 0).keys() == {"go"}


@pytest.mark.parametrize(
    ("new", "seconds"),
    [((), 0.0), ((0, 0), 5.0), ((0, 3), 5.0)],
    ids=["nothing was counted", "behind a gap, nothing", "behind a gap"],
)
def test_a_time_of_which_nothing_is_known_changes_no_rate(
    world: World, db: Db, clock: Clock, new: tuple[int, ...], seconds: float
) -> None:
    world.workspace(subreddits=["python", "rust"])
    Feed.update(group=world.group("python").id, rate=0.5, rate_seconds=900.0, rated_at=clock()).execute(db.peewee)
    FeedGroup.update(fresh_at=clock(), began_at=clock()).execute(db.peewee)
    with db.transaction():
        at = clock.advance(3600)
        cursors.advance(db, "p", at, [world.target(new=new, seconds=seconds)], at)
    assert [world.rate(place) for place in ("python", "rust")] == pytest.approx([0.5, 0.5], rel=0.01)


def test_a_feed_that_joins_a_group_is_as_fresh_as_it_was(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["python", "rust"])
    for place in ("rust", "python"):
        with db.transaction():
            at = clock.advance(60)
            cursors.advance(db, place, at, [world.target(place, new=(3,), seconds=60.0)], at)
    rates_before = world.rate("rust")
    world.claim("p")
    [mine, other] = groups.load(db, [world.group("python").id, world.group("rust").id])
    joined = regrouping.join(db, mine, [other], "p", now=clock(), lease=120.0, cursor=lambda own, others: own)
    assert len(joined.feeds) == 2
    assert (world.fresh_at("python"), world.fresh_at("rust")) == (clock(), clock() - 60.0)
    assert world.rate("rust") == pytest.approx(rates_before)
    divided = groups.divide(db, joined, [world.feed("python").id])
    assert world.group("python").id == divided
    assert (world.fresh_at("python"), world.fresh_at("rust")) == (clock(), clock() - 60.0)
