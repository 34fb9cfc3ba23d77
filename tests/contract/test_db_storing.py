"""Store's transaction on both databases: uniqueness decides what is new, and cursors move last (I2, I3)."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overheard.db import (
    cursors,
    deliveries,
    erasure,
    feeds,
    gaps,
    leases,
    polls,
    reading,
    retention,
    storing,
    workspace_specs,
)
from overheard.db import mentions as stored_mentions
from overheard.db.database import Db
from overheard.db.models import (
    SENT,
    Channel,
    Delivery,
    Feed,
    FeedGroup,
    Mention,
    Poll,
    StoredItem,
    StoredPart,
    Watch,
    Workspace,
)
from overheard.db.retention import RetentionAges
from overheard.messages import GapBounds, ItemsMatched, MatchedItem, PollTarget, Why, WorkspaceMatch
from overheard.notices import MatchReason
from tests.fixtures import Clock, Race, World

HOSTILE = {
    "nul": "a\x00b",
    "half a surrogate pair": "a\ud800b",
    "emoji": "👩‍👩‍👧 é̂ \u202e",
    "long": "ä" * 100_000,
    "control": "\x01\x7f\r\n\t",
}


@pytest.fixture
def polled(world: World, db: Db, clock: Clock) -> Callable[..., tuple[PollTarget, ...]]:
    """Claim the feeds as a poll; return its targets."""

    def claim(poll: str, cursor: str = "2000", lease: float = 120.0) -> tuple[PollTarget, ...]:
        ids = [group for (group,) in FeedGroup.select(FeedGroup.id).tuples().execute(db.peewee)]
        taken = [leases.claim(db, group, poll, now=clock(), lease=lease) for group in ids]
        assert all(taken)
        return tuple(
            PollTarget(each.id, tuple(feed.id for feed in each.feeds), cursor, clock()) for each in taken if each
        )

    return claim


def test_a_part_becomes_item_mention_and_delivery(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item = world.item(created_at=clock() + 3)
    clock.advance(10)

    stored = storing.store(db, world.matched((item, (acme,))), clock())

    assert tuple(stored.channels) == (world.channel(acme),)
    assert stored.ages == (7.0,)
    [row] = world.rows(StoredItem)
    row |= {"id": row["ref"], "texts": msgspec.json.decode(row["texts"])}
    assert {key: row[key] for key in msgspec.structs.asdict(item)} == msgspec.structs.asdict(item)
    [mention] = world.rows(Mention)
    assert mention["query_ids"] == f"[{world.query(acme)}]"
    assert mention["highlights"] == '[["title",3,7]]'
    assert not mention["backfilled"]
    [delivery] = world.rows(Delivery)
    assert (delivery["channel"], delivery["mention"], delivery["state"]) == (
        world.channel(acme), mention["id"], "pending",
    )  # fmt: skip


def test_storing_a_part_again_adds_nothing_and_prompts_no_channel(world: World, db: Db, clock: Clock) -> None:
    message = world.matched((world.item(), (world.workspace(),)))
    storing.store(db, message, clock())
    before = world.counts()

    again = storing.store(db, message, clock.advance(60))

    assert again == storing.StoreResult()
    assert world.counts() == before


def test_two_workspaces_share_an_item_and_each_has_its_own_mention(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt", channels={"a": "instant", "b": "instant"})
    stored = storing.store(db, world.matched((world.item(), (acme, bolt))), clock())

    assert world.counts() | {"StoredItem": 1, "Mention": 2, "Delivery": 3} == world.counts()
    assert tuple(stored.channels) == tuple(
        sorted([world.channel(acme), world.channel(bolt, "a"), world.channel(bolt, "b")])
    )  # fmt: skip


def test_an_item_from_before_the_watch_is_kept_but_not_sent(world: World, db: Db, clock: Clock) -> None:
    clock.now += 0.75  # Reddit's times are whole seconds
    acme = world.workspace()
    began = int(clock())
    entries = [(world.item(number, created_at=float(began + age)), (acme,)) for number, age in [(1, -1), (2, 0)]]
    stored = storing.store(db, world.matched(*entries), clock())

    assert [backfilled for (backfilled,) in world.rows(Mention, "backfilled")] == [True, False]
    assert world.counts()["Delivery"] == 1
    assert (stored.mentions, stored.ages) == (2, (0.75,))


def test_an_item_that_retention_deleted_comes_back_as_backfilled(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item = world.item(created_at=clock() + 1)
    clock.advance(10)
    assert storing.store(db, world.matched((item, (acme,))), clock(), 7 * 86400.0).channels
    Delivery.update(state=SENT).execute(db.peewee)
    clock.advance(8 * 86400)
    while retention.prune(db, RetentionAges(7, 7, 7), clock()).rows:
        pass
    assert not world.rows(Mention)
    again = storing.store(db, world.matched((item, (acme,)), poll="later"), clock(), 7 * 86400.0)
    assert again.channels == {}
    assert [row["backfilled"] for row in world.rows(Mention)] == [True]


def test_the_earliest_of_two_watches_counts(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=["all"])
    clock.advance(100)
    world.workspace(subreddits=["all", "python"])
    storing.store(db, world.matched((world.item(created_at=clock() - 50), (acme,))), clock())
    assert world.rows(Mention, "backfilled") == [(False,)]


def test_a_digest_channel_holds_what_an_instant_one_sends(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(channels={"now": "instant", "daily": "digest"})
    stored = storing.store(db, world.matched((world.item(), (acme,))), clock())

    assert tuple(stored.channels) == (world.channel(acme, "now"),)
    assert sorted(world.rows(Delivery, "channel_id", "state")) == sorted(
        [(world.channel(acme, "now"), "pending"), (world.channel(acme, "daily"), "held")]
    )


def test_what_comes_for_a_disabled_channel_is_held(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    Channel.update(disabled_at=clock()).execute(db.peewee)
    assert storing.store(db, world.matched((world.item(), (acme,))), clock()).channels == {}
    assert world.rows(Delivery, "state", "held_by") == [("held", "channel disabled")]


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_is_stored_without_moving_the_highlights(world: World, db: Db, clock: Clock, kind: str) -> None:
    text = HOSTILE[kind]
    acme = world.workspace()
    fields = dict.fromkeys(("title", "body", "author", "permalink", "url"), text)
    storing.store(db, world.matched((world.item(**fields), (acme,))), clock())

    [row] = world.rows(StoredItem)
    for name in fields:
        assert len(row[name]) == len(text)
        if kind in ("emoji", "long", "control"):
            assert row[name] == text
    [claimed] = deliveries.claim(db, world.channel(acme), now=clock(), limit=5, lease=60).deliveries
    contents = deliveries.contents(db, claimed)
    assert contents is not None
    assert contents.notice.mentions[0].body == row["body"]


def test_more_rows_than_a_statement_takes_parameters(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    entries = [(world.item(number), (acme,)) for number in range(1, 4_000)]
    stored = storing.store(db, world.matched(*entries), clock())
    assert len(stored.ages) == len(entries)
    assert world.counts() | {"StoredItem": len(entries), "Delivery": len(entries)} == world.counts()


# -- cursors


def test_cursors_move_when_all_parts_are_stored_and_not_before(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    acme = world.workspace()
    began = clock()
    targets = polled("p")
    clock.advance(5)
    last = world.matched(poll="p", part=2, parts=3, targets=targets)
    middle = world.matched((world.item(), (acme,)), poll="p", part=1, parts=None)
    first = world.matched(poll="p", part=0, parts=None)

    for message in (last, middle, last, middle):
        storing.store(db, message, clock())
        group = world.group()
        assert (group.cursor, world.fresh_at(), group.poll) == (None, 0, "p")
    storing.store(db, first, clock())

    group = world.group()
    assert (group.cursor, group.began_at, group.read_at, world.fresh_at()) == ("2000", began, began, began)
    assert (group.poll, group.lease_until) == (None, 0)
    poll = world.row(Poll, "p")
    assert (poll.finished_at, poll.targets) == (clock(), None), "what it read need not be kept"


def test_a_part_that_a_poll_does_not_have_finishes_nothing(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    targets = polled("p")
    storing.store(db, world.matched(poll="p", part=7, parts=None), clock())
    storing.store(db, world.matched(poll="p", part=1, parts=2, targets=targets), clock())
    assert world.group().cursor is None


def test_a_part_in_pieces_counts_when_all_pieces_of_one_matching_are_stored(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    part = world.matched(poll="p", part=0, parts=1, targets=polled("p"))

    def stored(piece: int, pieces: int) -> str | None:
        some = msgspec.structs.replace(part.part, piece=piece, pieces=pieces)
        storing.store(db, msgspec.structs.replace(part, part=some), clock())
        return world.group().cursor  # type: ignore[no-any-return]

    # The message came twice, and a query that was added in between made three pieces of what had been two.
    assert stored(0, 2) is None
    assert stored(1, 3) is None
    assert stored(2, 3) is None
    assert stored(2, 3) is None
    assert stored(0, 3) == "2000"


def test_a_late_poll_moves_no_cursor_back(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    old = polled("old", cursor="1000")
    clock.advance(200)
    feeds.sweep(db, clock())
    new = polled("new", cursor="2000")
    storing.store(db, world.matched(poll="new", targets=new), clock())
    fresh_at = world.fresh_at()
    clock.advance(10)
    polled("third")

    storing.store(db, world.matched(poll="old", targets=old), clock())

    group = world.group()
    assert (group.cursor, group.began_at, world.fresh_at()) == ("2000", fresh_at, fresh_at)
    assert group.poll == "third", "the lease of another poll is not the old one's to end"


def test_a_lease_that_ran_out_before_all_was_stored_makes_fresh_all_the_same(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    began, slow = clock(), polled("slow")
    clock.advance(200)
    feeds.sweep(db, clock())
    polled("next")
    storing.store(db, world.matched(poll="slow", targets=slow), clock())
    assert (world.fresh_at(), world.group().poll) == (began, "next")


def test_a_poll_without_its_row_makes_nothing_fresh(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    """Its row is gone (released, or a day old), and with it the time until which everything is read."""
    world.workspace()
    targets = polled("p")
    leases.release(db, "p")
    storing.store(db, world.matched(poll="p", targets=targets), clock.advance(500))
    assert world.group().cursor is None
    assert world.fresh_at() == 0


def test_a_poll_that_did_not_read_all_of_its_group_moves_no_cursor(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    """A feed that joined during the poll would count as read."""
    world.workspace(subreddits=["python", "rust"])
    [target, other] = polled("p")
    Feed.update(group=target.group_id).execute(db.peewee)
    storing.store(db, world.matched(poll="p", targets=(target, other)), clock.advance(5))
    assert (world.group().cursor, world.fresh_at(), world.fresh_at("rust")) == (None, 0, 0)
    both = msgspec.structs.replace(target, feed_ids=(*target.feed_ids, *other.feed_ids))
    storing.store(db, world.matched(poll="q", targets=(both,)), clock())
    assert world.group().cursor is None, "its start is unknown"
    leases.claim(db, target.group_id, "r", now=clock.advance(200), lease=120)
    storing.store(db, world.matched(poll="r", targets=(both,)), clock())
    assert world.group().cursor == "2000"


def test_a_poll_that_read_more_than_its_group_has_now_moves_the_cursor(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace(subreddits=["python", "rust"])
    [target, other] = polled("p")
    both = msgspec.structs.replace(target, feed_ids=(*target.feed_ids, *other.feed_ids))
    storing.store(db, world.matched(poll="p", targets=(both,)), clock())
    assert (world.group("python").cursor, world.group("rust").cursor) == ("2000", None)


def test_a_gap_becomes_a_row_with_its_bounds_when_the_cursor_moves(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    [target] = polled("p")
    missed = GapBounds("horizon", ("t3_a", 5.0), ("t3_z", 9.0))
    message = world.matched(poll="p", targets=(msgspec.structs.replace(target, missed=missed),))
    late = msgspec.structs.replace(message, part=msgspec.structs.replace(message.part, part=1, parts=2))
    assert storing.store(db, late, clock()).gaps == ()
    assert gaps.listing(db, limit=9) == []
    found = storing.store(db, world.matched(poll="p", part=0, parts=None), clock.advance(5))
    assert found.gaps == (("reddit", "horizon"),)
    assert storing.store(db, late, clock.advance(5)).gaps == (), "once"
    assert gaps.listing(db, limit=9) == [
        gaps.GapRow("reddit", "posts", "python", "t3_a", 5.0, "t3_z", 9.0, "horizon", clock() - 5, None, "open")
    ]
    assert gaps.listing(db, place="rust", limit=9) == gaps.listing(db, state="filled", limit=9) == []
    assert (gaps.count_open(db), gaps.count_open(db, clock())) == (1, 0)


def test_a_poll_s_further_gaps_become_rows_too(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    [target] = polled("p")
    found = tuple(GapBounds("hole", (str(number), 5.0), (str(number + 2), 6.0)) for number in range(1500))
    target = msgspec.structs.replace(target, missed=GapBounds("outdated"), gaps=found)
    stored = storing.store(db, world.matched(poll="p", targets=(target,)), clock())
    assert stored.gaps == (("reddit", "outdated"), *[("reddit", "hole")] * 1500)
    assert gaps.count_open(db) == 1501
    rows = {(row.from_item, row.from_at, row.to_item, row.to_at, row.reason) for row in gaps.listing(db, limit=2000)}
    assert {(None, None, None, None, "outdated"), ("1499", 5.0, "1501", 6.0, "hole")} <= rows


def test_a_backlog_moves_the_cursor_and_leaves_the_feed_as_old_as_it_was(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    acme = world.workspace()
    storing.store(db, world.matched(poll="first", targets=polled("first", cursor="1")), clock())
    fresh_at = clock()
    clock.advance(60)
    [target] = polled("p", cursor="2")
    target = msgspec.structs.replace(target, behind=True)
    storing.store(db, world.matched(poll="p", targets=(target,)), clock())
    group = world.group()
    assert (group.cursor, group.poll, group.lease_until, world.fresh_at()) == ("2", None, 0, fresh_at)
    assert feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=clock())


def test_a_backlog_whose_age_is_known_makes_the_feed_as_fresh_as_what_was_read(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    storing.store(db, world.matched(poll="first", targets=polled("first", cursor="1")), clock())
    clock.advance(300)
    [target] = polled("p", cursor="2")
    target = msgspec.structs.replace(target, behind=True, lag=40.0)
    storing.store(db, world.matched(poll="p", targets=(target,)), clock())
    assert world.fresh_at() == clock() - 40.0
    (state,) = reading.free_groups(db, "reddit", clock() + 1)
    assert state.behind
    clock.advance(300)
    storing.store(db, world.matched(poll="q", targets=polled("q", cursor="3")), clock())
    (state,) = reading.free_groups(db, "reddit", clock() + 1)
    assert not state.behind


def test_a_backlog_is_stale_even_while_a_poll_reads_it(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    acme = world.workspace()
    polled("p")
    since = clock()
    assert not feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=since)
    assert feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=since, in_progress=True)


def test_a_feed_is_not_read_before_its_source_wants_it(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    acme = world.workspace()
    [target] = polled("p")
    target = msgspec.structs.replace(target, retry_at=clock() + 900)
    storing.store(db, world.matched(poll="p", targets=(target,)), clock())
    feed = world.feed()
    assert (feed.failures, feed.reason, feed.retry_at) == (0, None, clock() + 900)
    clock.advance(899)
    assert feeds.stale_of(db, acme, "reddit", now=clock(), fresh_since=clock()) == []
    assert not feeds.has_stale(db, acme, "reddit", now=clock(), fresh_since=clock(), in_progress=True)
    assert feeds.oldest_fresh(db, clock()) is None
    clock.advance(1)
    assert len(feeds.stale_of(db, acme, "reddit", now=clock(), fresh_since=clock())) == 1


def test_a_target_without_a_group_is_ignored(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    storing.store(db, world.matched(targets=(PollTarget(10**9, (5,), "", 5.0),)), clock())
    assert world.group().cursor is None


def test_an_empty_listing_gives_a_cursor_too(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    targets = polled("p", cursor="")
    storing.store(db, world.matched(poll="p", targets=targets), clock())
    assert world.group().cursor == ""


def test_a_finished_poll_clears_a_feed_s_failures(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    [row] = feeds.stale_of(db, 1, "reddit", now=clock(), fresh_since=clock())
    clock.now = feeds.back_off(db, row, "private", now=clock(), longest=10_000.0)
    targets = polled("p")
    storing.store(db, world.matched(poll="p", targets=targets), clock())
    feed = world.feed()
    assert (feed.failures, feed.reason, feed.retry_at) == (0, None, 0)


def test_two_concurrent_last_parts_finish_the_poll(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]], race: Race
) -> None:
    acme = world.workspace()
    for turn in range(15):
        targets = polled(f"p{turn}", cursor=str(turn + 1))
        one = world.matched((world.item(2 * turn), (acme,)), poll=f"p{turn}", part=0, parts=None)
        two = world.matched((world.item(2 * turn + 1), (acme,)), poll=f"p{turn}", part=1, parts=2, targets=targets)
        race(lambda one=one: storing.store(db, one, clock()), lambda two=two: storing.store(db, two, clock()))
        assert world.group().cursor == str(turn + 1)
        assert world.group().poll is None


def test_a_part_stored_concurrently_is_stored_once(world: World, db: Db, clock: Clock, race: Race) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    for turn in range(10):
        items = [world.item(100 * turn + number) for number in range(20)]
        message = world.matched(*[(item, (acme, bolt)) for item in items], poll=f"p{turn}")
        backwards = msgspec.structs.replace(message, items=message.items[::-1])
        results = race(*[lambda m=m: storing.store(db, m, clock()) for m in (message, backwards, message)])
        assert sorted(len(result.ages) for result in results)[-1] <= 40
        assert sum(len(result.ages) for result in results) == 40
    assert world.counts() | {"StoredItem": 200, "Mention": 400, "Delivery": 400} == world.counts()


NUMBERS = itertools.count(1_000_000, 1_000)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_order_and_repetition_leads_to_the_same_rows(
    world: World, db: Db, clock: Clock, data: st.DataObject
) -> None:
    """One poll in parts that overlap; each example is a poll of new items, on the same database."""
    ids = [world.workspace("acme"), world.workspace("bolt", channels={"now": "instant", "daily": "digest"})]
    base = next(NUMBERS)
    poll = f"poll {base}"
    numbers = st.lists(st.integers(0, 8), max_size=5)
    content = data.draw(st.lists(numbers, min_size=1, max_size=4))
    wants = data.draw(st.lists(st.sets(st.sampled_from(ids), min_size=1), min_size=9, max_size=9))
    FeedGroup.update(lease_until=0, poll=None, cursor=None).execute(db.peewee)
    leases.claim(db, world.group().id, poll, now=clock(), lease=60)
    target = world.target(cursor=str(base))
    messages = [
        world.matched(
            *[(world.item(base + number), tuple(sorted(wants[number]))) for number in part],
            poll=poll,
            part=position,
            parts=len(content) if position == len(content) - 1 else None,
            targets=(target,) if position == len(content) - 1 else (),
        )
        for position, part in enumerate(content)
    ]
    repeated = messages + data.draw(st.lists(st.sampled_from(messages), max_size=6))
    missing = {message.part.part for message in messages}
    for message in data.draw(st.permutations(repeated)):
        assert (world.group().cursor is None) == bool(missing)
        storing.store(db, message, clock())
        missing.discard(message.part.part)

    expected = {
        (ids.index(workspace), world.item(base + number).id)
        for part in content
        for number in part
        for workspace in wants[number]
    }
    rows = list(
        Mention.select(Mention.workspace, StoredItem.ref)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(StoredItem.ref.in_([world.item(base + number).id for number in range(9)]))
        .tuples()
        .execute(db.peewee)
    )
    assert sorted((ids.index(workspace), name) for workspace, name in rows) == sorted(expected)
    sent = (
        Delivery.select()
        .join(Mention, on=(Delivery.mention == Mention.id))
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(StoredItem.ref.in_([world.item(base + number).id for number in range(9)]))
        .count(db.peewee)
    )
    assert sent == sum(1 + workspace for workspace, _ in expected)
    assert (world.group().cursor, world.group().poll) == (str(base), None)


# -- removals while messages are in flight


def test_a_part_of_a_removed_workspace_stores_nothing_for_it(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace("acme"), world.workspace("bolt")
    message = world.matched((world.item(), (acme, bolt)))
    workspace_specs.remove(db, acme)
    storing.store(db, message, clock())
    assert world.rows(Mention, "workspace_id") == [(bolt,)]


def test_removed_queries_watches_and_channels_get_nothing(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "other": "x"})
    message = world.matched((world.item(), (acme,)))
    world.workspace(queries={"other": "x"}, channels={})
    storing.store(db, message, clock())
    assert world.counts()["Mention"] == 0, "no query matches it any more"

    message = world.matched((world.item(), ()), poll="q")
    both = WorkspaceMatch(acme, (world.query(acme, "other"), 99_999), ())
    message = msgspec.structs.replace(message, items=(MatchedItem(world.item(), (both,)),))
    storing.store(db, message, clock())
    assert world.rows(Mention, "query_ids") == [(f"[{world.query(acme, 'other')}]",)]
    assert world.counts()["Delivery"] == 0

    Watch.delete().execute(db.peewee)
    storing.store(db, world.matched((world.item(5), ()), poll="r"), clock())
    assert world.counts()["Mention"] == 1


def test_concurrent_removals_do_not_fail_store(world: World, db: Db, clock: Clock, race: Race) -> None:
    """In either order, store does not fail, and nothing of the removed workspace is left."""
    for turn in range(12):
        acme, bolt = world.workspace("acme"), world.workspace("bolt", channels={"a": "instant", "b": "instant"})
        entries = [(world.item(100 * turn + number), (acme, bolt)) for number in range(30)]
        message = world.matched(*entries, poll=f"p{turn}")
        race(
            lambda message=message: storing.store(db, message, clock()),
            lambda acme=acme: workspace_specs.remove(db, acme),
            lambda: world.workspace("bolt", channels={"b": "instant"}),
        )
        assert Mention.select().where(Mention.workspace == acme).count(db.peewee) == 0
        assert Mention.select().where(Mention.workspace == bolt).count(db.peewee) == 30 * (turn + 1)
        assert StoredPart.select().where(StoredPart.poll == f"p{turn}").count(db.peewee) == 1


def test_retention_keeps_an_item_that_is_mentioned_again(world: World, db: Db, clock: Clock, race: Race) -> None:
    """An item without mentions is pruned at the moment at which a new mention refers to it."""
    acme = world.workspace()
    for turn in range(12):
        message = world.matched(*[(world.item(100 * turn + number), (acme,)) for number in range(40)], poll=f"p{turn}")
        storing.store(db, message, clock() - 10 * 86400)
        Mention.delete().execute(db.peewee)
        ids = [item_id for (item_id,) in world.rows(StoredItem, "id")]
        results = race(
            lambda message=message: storing.store(db, message, clock()),
            lambda ids=ids: retention.unmentioned(db, ids),
        )
        assert len(results[0].ages) == 40
        assert Mention.select().count(db.peewee) == 40


def test_postgresql_store_waits_for_a_removal_under_way(world: World, db: Db, clock: Clock, race: Race) -> None:
    """The exact moment: the workspace is being deleted, not yet committed, when store reads it."""
    if db.sqlite:
        return  # SQLite has one writer at a time: this moment does not occur
    acme = world.workspace()
    message = world.matched((world.item(), (acme,)))
    deleted, looked = threading.Event(), threading.Event()

    def remove() -> None:
        with db.transaction():
            Workspace.delete().where(Workspace.id == acme).execute(db.peewee)
            deleted.set()
            looked.wait(0.2)  # store cannot signal that it waits: it waits in the server

    def store() -> Any:
        assert deleted.wait(60)
        try:
            return storing.store(db, message, clock())
        finally:
            looked.set()

    assert race(remove, store)[1].ages == ()
    assert world.counts()["Mention"] == 0


def test_a_transaction_that_fails_stores_nothing(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = world.workspace()
    message: ItemsMatched = world.matched((world.item(), (acme,)), poll="p", targets=polled("p"))
    before = world.counts()

    def broken(*args: Any) -> None:
        raise RuntimeError("lost power")

    with monkeypatch.context() as patch:
        patch.setattr(cursors, "advance", broken)
        with pytest.raises(RuntimeError):
            storing.store(db, message, clock())
    assert world.counts() == before

    storing.store(db, message, clock())
    assert world.group().cursor == "2000"
    assert world.counts()["Delivery"] == 1


def test_an_edited_item_gets_its_new_text_and_its_deliveries_are_not_repeated(
    world: World, db: Db, clock: Clock
) -> None:
    acme, other = world.workspace(), world.workspace("other")
    item = world.item()
    storing.store(db, world.matched((item, (acme,))), clock())
    edited = msgspec.structs.replace(item, title="Now on acme", edited_at=clock.advance(60))
    result = storing.store(db, world.matched((edited, (acme, other)), poll="second"), clock())

    [row] = world.rows(StoredItem)
    assert (row["title"], row["body"], row["edited_at"]) == ("Now on acme", item.body, clock())
    assert [mention["highlights"] for mention in world.rows(Mention)] == ['[["title",3,7]]'] * 2
    assert result.mentions == 1, "the edit matches another workspace's query now"
    assert len(world.rows(Delivery)) == 2


def test_facts_of_an_item_are_stored_and_replaced_by_an_edit(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item = world.item(lang="de", nsfw=True, lookup="by name", texts={"flair": "Help"})
    storing.store(db, world.matched((item, (acme,))), clock())
    assert world.rows(StoredItem, "lang", "nsfw", "lookup", "texts") == [("de", True, "by name", '{"flair":"Help"}')]
    edited = msgspec.structs.replace(item, lang="", nsfw=False, texts={}, edited_at=clock.advance(60))
    storing.store(db, world.matched((edited, (acme,)), poll="second"), clock())
    assert world.rows(StoredItem, "lang", "nsfw", "lookup", "texts") == [("", False, "by name", "{}")]


def told(message: ItemsMatched, *why: Why) -> ItemsMatched:
    """The message, with this ``why`` in every match."""
    items = tuple(
        msgspec.structs.replace(
            entry, matches=tuple(msgspec.structs.replace(match, why=why) for match in entry.matches)
        )
        for entry in message.items
    )
    return msgspec.structs.replace(message, items=items)


def test_a_mention_knows_why_and_an_edit_replaces_it(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "other": "x"})
    query, other, item = world.query(acme), world.query(acme, "other"), world.item()
    first = world.matched((item, (acme,)))
    storing.store(db, told(first, (query, "acme", "title", 3, 7), (999, "gone", "title", 0, 1)), clock())
    assert world.rows(Mention, "why") == [(f'[[{query},"acme","title",3,7]]',)]
    [(_, mention)] = stored_mentions.listing(db)
    assert mention.why == (MatchReason(query, "acme", "title", 3, 7),)

    edited = msgspec.structs.replace(item, title="acme", edited_at=clock.advance(60))
    second = world.matched((edited, (acme,)), poll="second")
    storing.store(db, told(second, (query, "acme", "title", 0, 4), (other, "x", "title", 0, 1)), clock())
    assert world.rows(Mention, "why") == [(f'[[{query},"acme","title",0,4]]',)], "the mention names one query only"

    edited = msgspec.structs.replace(edited, title="nothing", edited_at=clock.advance(60))
    storing.store(db, world.matched((edited, ()), poll="third"), clock())
    assert world.rows(Mention, "why", "highlights") == [("[]", "[]")]


def test_only_a_newer_edit_replaces_a_text(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item = world.item(title="third", edited_at=clock() + 2)
    storing.store(db, world.matched((item, (acme,))), clock())
    for number, (title, edited_at) in enumerate([("first", None), ("second", clock() + 1), ("same time", clock() + 2)]):
        older = msgspec.structs.replace(item, title=title, edited_at=edited_at)
        storing.store(db, world.matched((older, (acme,)), poll=f"late {number}"), clock())
    [row] = world.rows(StoredItem)
    assert row["title"] == "third"


def test_an_edit_without_a_match_removes_the_highlights_of_the_old_text(world: World, db: Db, clock: Clock) -> None:
    acme, other = world.workspace(), world.workspace("other")
    item = world.item()
    storing.store(db, world.matched((item, (acme, other))), clock())
    edited = msgspec.structs.replace(item, title="acme", edited_at=clock.advance(60))
    storing.store(db, world.matched((edited, (acme,)), poll="second"), clock())
    highlights = {mention["workspace"]: mention["highlights"] for mention in world.rows(Mention)}
    assert highlights == {acme: '[["title",3,7]]', other: "[]"}


def test_an_edit_that_matches_nothing_replaces_what_is_stored_and_is_not_stored_itself(
    world: World, db: Db, clock: Clock
) -> None:
    acme = world.workspace()
    item, unknown = world.item(), world.item(1001, edited_at=clock() + 60)
    storing.store(db, world.matched((item, (acme,))), clock())
    edited = msgspec.structs.replace(item, title="taken back", body="", edited_at=clock.advance(60))
    storing.store(db, world.matched((edited, ()), (unknown, ()), poll="second"), clock())
    [row] = world.rows(StoredItem)
    assert (row["ref"], row["title"], row["body"]) == (item.id, "taken back", "")
    [mention] = world.rows(Mention)
    assert mention["highlights"] == "[]"


def by_query(message: ItemsMatched, *queries: int) -> ItemsMatched:
    """The message, with these queries in every match."""
    items = tuple(
        msgspec.structs.replace(
            entry, matches=tuple(msgspec.structs.replace(match, query_ids=queries) for match in entry.matches)
        )
        for entry in message.items
    )
    return msgspec.structs.replace(message, items=items)


def test_an_edit_adds_the_queries_that_match_now_and_notifies_only_who_has_not_heard(
    world: World, db: Db, clock: Clock
) -> None:
    acme = world.workspace(
        queries={"brand": "acme", "other": "x"}, channels={"all": "instant", "brand": "instant", "other": "instant"}
    )
    for name in ("brand", "other"):
        Channel.update(queries=f'["{name}"]').where(Channel.name == name).execute(db.peewee)
    brand, other = world.query(acme), world.query(acme, "other")
    item = world.item()
    storing.store(db, by_query(world.matched((item, (acme,))), brand), clock())
    told = [(world.channel(acme, name),) for name in ("all", "brand")]
    assert sorted(world.rows(Delivery, "channel")) == told
    Delivery.delete().execute(db.peewee)  # as retention does

    edited = msgspec.structs.replace(item, title="x", edited_at=clock.advance(60))
    result = storing.store(db, by_query(world.matched((edited, (acme,)), poll="second"), other, 999), clock())
    assert world.rows(Mention, "query_ids") == [(f"[{brand},{other}]",)], "what was found stays found"
    assert world.rows(Delivery, "channel") == [(world.channel(acme, "other"),)]
    assert (result.mentions, list(result.channels)) == (0, [world.channel(acme, "other")])
    storing.store(db, by_query(world.matched((edited, (acme,)), poll="third"), other), clock())
    assert len(world.rows(Delivery)) == 1


def test_an_edit_of_old_items_notifies_nothing(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(queries={"brand": "acme", "other": "x"}, pace={"queries": ("other",)})
    brand, other = world.query(acme), world.query(acme, "other")
    for number, age in ((1, 86400.0), (2, 0.0)):  # older than the watch, and found by a search of the past
        item = world.item(number, created_at=clock() - age)
        storing.store(db, by_query(world.matched((item, (acme,)), poll=f"{number}"), brand), clock())
        edited = msgspec.structs.replace(item, edited_at=clock.advance(60))
        message = by_query(world.matched((edited, (acme,)), poll=f"edit {number}"), other)
        storing.store(db, message, clock(), news_for=-math.inf)
    assert world.rows(Mention, "query_ids") == [(f"[{brand},{other}]",)] * 2
    assert world.rows(Delivery) == []


def test_a_copy_from_before_an_edit_that_is_stored_matches_nothing(world: World, db: Db, clock: Clock) -> None:
    """A late message brings the original, or a listing shows an old copy."""
    acme, bolt, late = world.workspace(), world.workspace("bolt"), world.workspace("late")
    edited = world.item(edited_at=clock() + 60)
    storing.store(db, world.matched((edited, (acme,))), clock())
    original = msgspec.structs.replace(edited, title="Not on acme", edited_at=None)
    storing.store(db, world.matched((original, (bolt,)), poll="late"), clock())
    assert world.rows(Mention, "workspace") == [(acme,)]
    assert world.rows(StoredItem, "title", "edited_at") == [("On acme", clock() + 60)]
    same = msgspec.structs.replace(edited, edited_at=None)
    storing.store(db, world.matched((same, (late,)), poll="same"), clock())
    assert world.rows(Mention, "workspace") == [(acme,), (late,)], "its source told only once that it was edited"


def test_an_edit_of_a_caption_alone_is_one(world: World, db: Db, clock: Clock) -> None:
    acme, bolt = world.workspace(), world.workspace("bolt")
    item = world.item(texts={"flair": "Help", "caption": "Acme"})
    storing.store(db, found_in_caption(world.matched((item, (acme,))), 0), clock())
    edited = msgspec.structs.replace(item, texts={"flair": "Help", "caption": "An Acme"}, edited_at=clock.advance(60))
    storing.store(db, found_in_caption(world.matched((edited, (acme,)), poll="second"), 3), clock())
    assert world.rows(StoredItem, "texts") == [('{"flair":"Help","caption":"An Acme"}',)]
    assert world.rows(Mention, "highlights") == [('[["caption",3,7]]',)]
    storing.store(db, found_in_caption(world.matched((item, (acme, bolt)), poll="late"), 0), clock())
    assert world.rows(Mention, "workspace", "highlights") == [(acme, '[["caption",3,7]]')], "a copy from before it"
    flair = msgspec.structs.replace(item, texts={"flair": "Solved", "caption": "An Acme"})
    storing.store(db, found_in_caption(world.matched((flair, (bolt,)), poll="flair"), 3), clock())
    assert world.rows(Mention, "workspace") == [(acme,), (bolt,)], "a flair changes without an edit"


def found_in_caption(message: ItemsMatched, at: int) -> ItemsMatched:
    """The message, with every match in the caption."""
    items = tuple(
        msgspec.structs.replace(
            entry,
            matches=tuple(
                msgspec.structs.replace(each, highlights=(("caption", at, at + 4),)) for each in entry.matches
            ),
        )
        for entry in message.items
    )
    return msgspec.structs.replace(message, items=items)


def test_an_edit_of_an_erased_item_is_not_stored(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item = world.item()
    storing.store(db, world.matched((item, (acme,))), clock())
    erasure.erase_keys(db, [item.key], clock())
    edited = msgspec.structs.replace(item, edited_at=clock.advance(60))
    storing.store(db, world.matched((edited, (acme,)), poll="second"), clock())
    assert world.counts()["StoredItem"] == world.counts()["Mention"] == 0


def test_an_edit_of_an_item_that_only_the_sample_had_may_become_a_mention(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace()
    item = world.item(body="nothing")
    world.sample(item)
    edited = msgspec.structs.replace(item, body="acme", edited_at=clock.advance(60))
    result = storing.store(db, world.matched((edited, (acme,)), poll="second"), clock())
    assert world.rows(StoredItem, "body", "edited_at") == [("acme", clock())]
    [row] = world.rows(StoredItem, "checked_at")
    assert row[0] <= clock(), "it is rechecked from now on"
    assert result.mentions == 1


def test_a_second_look_is_recorded_and_moves_no_cursor(
    world: World, db: Db, clock: Clock, polled: Callable[..., tuple[PollTarget, ...]]
) -> None:
    world.workspace()
    storing.store(db, world.matched(poll="p", targets=polled("p")), clock())
    before = world.rows(FeedGroup)
    clock.advance(60)
    polls.begin(db, "look", clock())
    gap = GapBounds("horizon")
    look = PollTarget(world.group().id, (world.feed().id,), "", clock(), missed=gap, look=True)
    other = msgspec.structs.replace(look, feed_ids=(999,))
    storing.store(db, world.matched(poll="other", targets=(other,)), clock())
    assert world.rows(FeedGroup) == before, "the group has other feeds now"
    assert storing.store(db, world.matched(poll="look", targets=(look,)), clock.advance(5)).gaps == ()
    assert world.rows(FeedGroup) == [before[0] | {"looked_at": clock() - 5}]
