"""Filling gaps on both databases: one process at a time, and only past what was looked up."""

from __future__ import annotations

from typing import Any

from overheard.db import gap_filling, gaps
from overheard.db.database import Db
from overheard.db.models import Gap, Watch
from overheard.messages import GapBounds, NumbersRead
from overheard.reading.numbers import EMPTY_NUMBERS, HOLE_SECONDS, JUMP_NUMBERS, joined
from overheard.sources.reddit.gap_numbers import gap_numbers
from overheard.sources.reddit.names import numbered
from tests.fixtures import Clock, Race, World


def gap(world: World, first: int, last: int, place: str = "python", **fields: Any) -> None:
    values = {"reason": "horizon", "found_at": world.clock(), "first_number": first, "last_number": last}
    Gap.insert(feed=world.feed(place).id, **(values | fields)).execute(world.db.peewee)


def read(*ranges: tuple[int, int]) -> NumbersRead:
    return NumbersRead("reddit", "posts", ranges)


def test_a_gap_is_recorded_with_its_numbers(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    feed = world.feed().id
    bounds = (numbered("post", 100_000), 5.0), (numbered("post", 103_000), 9.0)
    missed = [
        GapBounds("horizon", *bounds),
        GapBounds("horizon", None, bounds[1]),
        GapBounds("pages", bounds[0], None),
        GapBounds("anchor", ("not an id", 1.0), bounds[1]),
        GapBounds("hole", *bounds),
        GapBounds("jump", *bounds),
    ]
    gaps.record(db, "reddit", [feed], missed, clock())
    gaps.record(db, "hackernews", [feed], [GapBounds("hole", ("7", 1.0), ("9", 2.0))], clock())
    found = [(row["first_number"], row["last_number"]) for row in world.rows(Gap)]
    assert found == [
        gap_numbers("horizon", *(name for name, _ in bounds)),
        *[(None, None)] * 3,
        *[(100_000, 103_000)] * 2,
        (None, None),
    ]


def test_one_tick_asks_and_one_process_fills(world: World, db: Db, clock: Clock, race: Race) -> None:
    world.workspace()
    assert not gap_filling.ask(db, "reddit", "posts", clock(), 60), "there is no gap"
    gap(world, 1000, 1099)
    asked = race(*[lambda: gap_filling.ask(db, "reddit", "posts", clock(), 60)] * 4)
    assert sorted(asked) == [False, False, False, True]
    polls = ["a", "b", "c", "d"]
    taken = race(
        *[lambda poll=poll: gap_filling.claim(db, "reddit", "posts", poll, now=clock(), lease=60) for poll in polls]
    )
    assert sorted(taken) == [False, False, False, True]
    clock.advance(61)
    assert gap_filling.claim(db, "reddit", "posts", "e", now=clock(), lease=60)
    gap_filling.release(db, polls[taken.index(True)])
    assert not gap_filling.claim(db, "reddit", "posts", "f", now=clock(), lease=60), "the release came too late"
    gap_filling.release_all(db)
    assert gap_filling.ask(db, "reddit", "posts", clock(), 60)
    assert not gap_filling.ask(db, "reddit", "comments", clock(), 60)


def test_gaps_move_only_past_what_was_looked_up(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["python", "rust"], kinds=["posts", "comments"])
    gap(world, 1000, 1999)
    gap(world, 500, 1500, "rust")
    gap(world, 1000, 2100)
    gap(world, 5000, 5009)
    Gap.insert(
        feed=world.feed("rust", "comments").id, reason="x", found_at=1, first_number=1998, last_number=1999
    ).execute(db.peewee)
    assert gap_filling.advance(db, "poll", read((900, 1999), (5000, 5009)), clock()) == 2
    assert gap_filling.advance(db, "poll", read((900, 1999), (5000, 5009)), clock()) == 0, "once"
    rows = world.rows(Gap)
    assert [row["state"] for row in rows] == ["filled", "open", "open", "filled", "open"]
    assert [row["last_number"] for row in rows] == [899, 899, 2100, 4999, 1999]
    assert [row["filled_at"] for row in rows] == [clock(), None, None, clock(), None]
    assert gap_filling.to_look_up(db, "reddit", "posts", 1200, clock()) == [(1000, 2100), (500, 899)]
    assert gap_filling.to_look_up(db, "reddit", "posts", 1, clock()) == [(1000, 2100)]
    assert gap_filling.backlog(db, "reddit") == 400 + 1101 + 2


def test_what_was_found_long_ago_may_be_looked_up_alone(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    gap(world, 1000, 1999, found_at=clock() - 100), gap(world, 5000, 5999)
    assert gap_filling.to_look_up(db, "reddit", "posts", 9, clock(), found_before=clock() - 50) == [(1000, 1999)]
    assert gap_filling.to_look_up(db, "reddit", "posts", 9, clock(), found_before=clock() - 100) == []
    assert gap_filling.to_look_up(db, "reddit", "posts", 9, clock()) == [(5000, 5999), (1000, 1999)]


def test_ends_of_polls_at_once_do_not_stop_each_other(world: World, db: Db, clock: Clock, race: Race) -> None:
    places = [f"sub{number}" for number in range(40)]
    world.workspace(subreddits=places)
    for number, place in enumerate(places):
        gap(world, 1000 + number, 3000 + 7 * (number % 3), place)
    gap_filling.ask(db, "reddit", "posts", clock(), 60)

    def advance(first: int) -> int:
        with db.transaction():
            return gap_filling.advance(db, "poll", read((first, first + 999)), clock())

    for first in (3000, 2000, 1000):
        filled = race(
            *[lambda first=first: advance(first)] * 3,
            lambda: gap_filling.give_up(db, "reddit", "too old", found_before=0.0),
        )
        assert sum(filled) == (40 if first == 1000 else 0)


def test_backlog_counts_each_number_once_and_only_of_what_is_watched(world: World, db: Db, clock: Clock) -> None:
    world.workspace(subreddits=["python", "rust"])
    assert gap_filling.backlog(db, "reddit") == 0
    ranges = [(100, 199), (150, 249), (120, 130), (300, 309), (301, 305), (249, 250)]
    for first, last in ranges:
        gap(world, first, last)
    gap(world, 0, 10_000, "rust")
    Watch.delete().where(Watch.feed == world.feed("rust").id).execute(db.peewee)
    counted = sum(last - first + 1 for first, last in joined(ranges))
    assert gap_filling.backlog(db, "reddit") == counted


def test_what_is_given_up_says_why_and_is_not_looked_up(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    gap(world, 1000, 1999), gap(world, 0, 5000), gap(world, 10, 20, found_at=clock() - 100)
    assert gap_filling.give_up(db, "reddit", "too old", found_before=clock() - 50) == 1
    assert gap_filling.give_up(db, "reddit", "too long", longer_than=1000) == 1
    assert gap_filling.give_up(db, "hackernews", "too old", found_before=clock() + 50) == 0
    assert gap_filling.give_up(db, "reddit", "cannot be", found_before=clock() + 50, numbered=False) == 0
    assert [(row["state"], row["reason"]) for row in world.rows(Gap)] == [
        ("open", "horizon"), ("lost", "horizon, too long"), ("lost", "horizon, too old"),
    ]  # fmt: skip
    assert gap_filling.to_look_up(db, "reddit", "posts", 5000, clock()) == [(1000, 1999)]
    assert (gaps.count_open(db), gaps.count_lost(db), gaps.count_lost(db, clock())) == (1, 2, 1)


def test_a_hole_and_a_jump_are_looked_up_a_while_after_they_were_found(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    gap(world, 1000, 1099, reason="hole"), gap(world, 10_000, 90_000, reason="jump"), gap(world, 1000, 1049)
    assert gap_filling.to_look_up(db, "reddit", "posts", 5000, clock()) == [(1000, 1049)]
    gap_filling.advance(db, "poll", read((0, 100_000)), clock())
    assert [row["state"] for row in world.rows(Gap)] == ["open", "open", "filled"], (
        "what has just been asked for proves"
    )
    assert not gap_filling.ask(db, "reddit", "posts", clock(), 60)
    clock.advance(HOLE_SECONDS)
    assert gap_filling.ask(db, "reddit", "posts", clock(), 60)
    top = (90_001 - JUMP_NUMBERS, 90_000)
    assert gap_filling.to_look_up(db, "reddit", "posts", 5000, clock()) == [top, (1000, 1099)]
    assert gap_filling.backlog(db, "reddit") == JUMP_NUMBERS + 100


def test_a_jump_is_filled_when_its_upper_end_is_seen_to_be_empty(world: World, db: Db, clock: Clock) -> None:
    world.workspace()
    gap(world, 0, 90_000, reason="jump"), gap(world, 0, 90_000)
    assert gap_filling.give_up(db, "reddit", "too long", longer_than=1000) == 1
    Gap.update(state="open").execute(db.peewee)
    clock.advance(HOLE_SECONDS)

    def states(ranges: tuple[int, int], *empty: tuple[int, int]) -> list[str]:
        gap_filling.advance(db, "poll", NumbersRead("reddit", "posts", (ranges,), empty), clock())
        return [row["state"] for row in world.rows(Gap)]

    few, enough = EMPTY_NUMBERS - 1, EMPTY_NUMBERS
    assert states((89_001, 90_000), (89_001, 89_000 + few)) == ["open", "open"], "too few"
    assert states((40_001, 41_000), (40_001, 41_000)) == ["open", "open"], "what is above it may hold some"
    assert states((88_001, 89_000), (88_501, 88_500 + enough)) == ["filled", "open"]


def test_places_that_an_active_workspace_watches(world: World, db: Db) -> None:
    world.workspace(subreddits=["python", "all"])
    assert gap_filling.watched_places(db, "reddit", "posts", {"python", "rust"}) == {"python", "all"}
    assert gap_filling.watched_places(db, "reddit", "comments", {"python", "rust"}) == set()
    assert gap_filling.watched_places(db, "hackernews", "items", {"python"}) == set()
