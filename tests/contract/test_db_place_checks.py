"""Which places to ask a source for, and what becomes of them, on each database."""

from __future__ import annotations

import pytest

from overheard.db import cursors, gaps, place_checks, place_renames, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Gap, Incident, Watch
from overheard.db.place_checks import ABSENT, CHECK_SECONDS, RECENT_SECONDS
from tests.fixtures import Clock, Race, World

READ = {"cursor": "x", "lease_until": 0}


def read(db: Db, clock: Clock) -> None:
    FeedGroup.update(began_at=clock(), read_at=clock(), **READ).execute(db.peewee)


def test_a_place_is_claimed_by_one_process(world: World, db: Db, clock: Clock, race: Race) -> None:
    names = [f"place{number}" for number in range(20)]
    world.workspace(subreddits=names, kinds=["posts", "comments"])
    claims = race(*[lambda: place_checks.claim(db, "reddit", names, clock())] * 2)
    assert sorted(map(len, claims)) == [0, 20]
    place_checks.release(db, "reddit", names[:2])
    assert place_checks.claim(db, "reddit", names, clock()) == names[:2]
    clock.advance(RECENT_SECONDS + 1)
    assert place_checks.claim(db, "reddit", names[::-1], clock()) == names[::-1], "in the order in which they are asked"


def test_what_fills_a_request_is_new_or_refused_or_the_longest_not_asked_for(
    world: World, db: Db, clock: Clock
) -> None:
    world.workspace(subreddits=["fine", "new", "private", "later", "old", "mine", "all"])
    clock.advance(10_000)
    Feed.update(place_checked_at=clock() - 1000, fresh_at=1).where(Feed.place != "new").execute(db.peewee)
    Feed.update(place_checked_at=clock() - 2000).where(Feed.place == "old").execute(db.peewee)
    Feed.update(failures=1, reason="private", retry_at=clock() - 1).where(Feed.place == "private").execute(db.peewee)
    Feed.update(failures=1, reason="private", retry_at=clock() + 1).where(Feed.place == "later").execute(db.peewee)
    assert place_checks.others(db, "reddit", ["mine"], clock(), 10) == ["new", "private", "old", "fine"]
    assert place_checks.others(db, "reddit", ["mine"], clock(), 2) == ["new", "private"]
    feeds = [feed.id for feed in Feed.select().execute(db.peewee)]
    assert place_checks.due_of(db, feeds, clock()) == ["new", "private"]


def test_what_is_due_is_unresolved_or_of_the_day_before(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["fine", "absent", "gone", "private", "all"])
    assert place_checks.due(db, "reddit", clock(), 10) == [], "new ones are asked for with their first reading"
    clock.advance(CHECK_SECONDS + 1)
    later = clock() + 1800
    for place, reason, ref in (("absent", ABSENT, None), ("gone", "missing", "t5_1"), ("private", "private", "t5_2")):
        Feed.update(failures=1, reason=reason, place_ref=ref, retry_at=later).where(Feed.place == place).execute(
            db.peewee
        )
    assert sorted(place_checks.due(db, "reddit", clock(), 10)[:2]) == ["absent", "gone"]
    assert place_checks.due(db, "reddit", clock(), 10)[2:] == ["fine"]
    assert place_checks.unresolved(db, "reddit", ["fine", "absent", "gone", "private"]) == {
        "absent": (None, True), "gone": ("t5_1", False),
    }  # fmt: skip
    assert place_checks.requests_per_second(db, "reddit", 100, clock()) == pytest.approx(2.01 / 600)
    place_checks.set_refs(db, "reddit", {"gone": None, "fine": "t5_3"})
    assert dict(world.rows(Feed, "place", "place_ref")) == {
        "absent": None, "all": None, "fine": "t5_3", "gone": None, "private": "t5_2",
    }  # fmt: skip
    place_checks.set_reason(db, "reddit", "absent", "banned")
    assert place_checks.due(db, "reddit", clock(), 10) == ["fine"]
    assert world.feed("absent").retry_at == later, "the back-off stays"


def test_a_bad_feed_leaves_its_group_while_a_poll_reads_it(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["fine", "bad"])
    read(db, clock)
    group = world.group("fine").id
    Feed.update(group=group).execute(db.peewee)
    world.claim("a poll", "fine")
    target = world.target("fine", cursor="y")
    found = {feed.row.place: feed for feed in place_checks.feeds_of(db, "reddit", ["fine", "bad"], clock())}
    assert (found["bad"].poll, found["bad"].was_read) == ("a poll", True)
    place_checks.back_off(db, found["bad"], "private", now=clock(), longest=86_400)
    bad = world.feed("bad")
    assert (bad.failures, bad.reason, bad.retry_at) == (1, "private", clock() + 1800)
    assert world.group("bad").cursor == "x", "it goes on from where it was read"
    assert world.group("fine").poll == "a poll"
    cursors.advance(db, "a poll", clock(), [target], clock())
    assert (world.group("fine").cursor, world.group("bad").cursor) == ("y", "x")
    assert (world.fresh_at("fine"), world.feed("bad").failures) == (clock(), 1)


def test_two_places_become_one_with_the_watches_and_gaps_of_both(world: World, db: Db, clock: Clock) -> None:
    acme = world.workspace(subreddits=["old"], kinds=["posts", "comments"])
    began = clock()
    read(db, clock)
    clock.advance(100)
    both = world.workspace("both", subreddits=["old", "new"])
    bolt = world.workspace("bolt", subreddits=["new"])
    FeedGroup.update(began_at=clock(), **READ).where(FeedGroup.id == world.group("new").id).execute(db.peewee)
    Gap.insert(feed=world.feed("new"), found_at=clock(), reason="horizon").execute(db.peewee)
    old, new = world.feed("old").id, world.feed("new").id
    Watch.update(created_at=began).where(Watch.workspace == both, Watch.feed == new).execute(db.peewee)
    assert place_renames.rename(db, "reddit", "old", "New", clock())
    assert {(row[0], row[1]) for row in world.rows(Feed, "kind", "place")} == {("posts", "new"), ("comments", "new")}
    assert world.feed("new").id == old, "its news go back further"
    watches = {row[0]: row[2] for row in world.rows(Watch, "workspace", "feed", "created_at") if row[1] == old}
    assert watches == {acme: began, both: began, bolt: clock()}
    assert [gap.place for gap in gaps.listing(db, limit=9)] == ["new"]
    assert workspace_specs.load(db, both, secrets=False).subreddits == ("new",)
    assert place_renames.rename(db, "reddit", "old", "New", clock()), "a second process finds nothing to do"
    assert world.rows(Incident, "what", "count") == [("r/old is now r/New", 1)]
