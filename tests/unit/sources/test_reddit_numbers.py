"""All of Reddit, read by numbers: against the simulator's content, in virtual time."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
import pytest

from overheard.config import RedditSettings
from overheard.errors import FeedRefused, RetryableError
from overheard.items import FeedKind, Item
from overheard.simulators.http.exchange import SimulatedRequest
from overheard.simulators.reddit.items import Kind
from overheard.simulators.reddit.routes import Routes
from overheard.simulators.reddit.store import NO_HOLES, NumberHoles, SimulatedContent
from overheard.simulators.reddit.tokens import Holder
from overheard.sources import Page, ReadRequest
from overheard.sources.reddit import names, number_cursor, number_position
from overheard.sources.reddit.clients import RedditClients
from overheard.sources.reddit.listing_cursor import ListingCursor
from overheard.sources.reddit.names import number_of
from overheard.sources.reddit.number_cursor import MISSING_KEPT_NUMBERS, MISSING_MAX_NUMBERS, bounded, missing_of
from overheard.sources.reddit.source import RedditSource
from tests.unit.sources.reddit_world import RecordingBudget, new_metrics

START = 1_800_000_000.0


class NumberedReddit:
    """What is posted, in place of ``RedditClients``; and a reader of all of it that stores what it is sent."""

    def __init__(self, holes: NumberHoles = NO_HOLES, *, kind: FeedKind = "posts", ahead: float = 0.0) -> None:
        self.now = START
        self.kind = kind
        self.content = SimulatedContent(lambda: self.now, seed=3, holes=holes)
        self.routes = Routes(self.content)
        self.refuses_listing = False
        self.hidden: set[str] = set()  # what is not found by its number
        self.fails_in = math.inf  # requests until one fails
        self.requests: list[str] = []
        self.source = RedditSource(
            RedditSettings(client_id="c", user_agent="a"), new_metrics(), clock=lambda: self.now + ahead
        )
        self.source._clients = cast(RedditClients, self)
        self.cursor: str | None = None
        self.began_at = START
        self.stored: list[str] = []
        self.gaps: list[Any] = []
        self.posted: list[str] = []
        self.thread = self.content.add_post(
            "python", "thread", author="a", created=None, url=None, over_18=False, held=False
        )

    def get(self, path: str, params: Mapping[str, str], purpose: object) -> object:
        self.requests.append(path)
        self.fails_in -= 1
        if self.fails_in < 0:
            self.fails_in = math.inf
            raise RetryableError("no answer")
        if self.refuses_listing and path.startswith("r/"):
            raise FeedRefused("refused", ("all",))
        request = SimulatedRequest("GET", f"/{path}?{urlencode({**params, 'raw_json': '1'})}", {})
        answer = json.loads(self.routes.read(request, Holder("c", None, math.inf)).text)
        if not path.startswith("r/"):
            children = answer["data"]["children"]
            answer["data"]["children"] = [each for each in children if each["data"]["name"] not in self.hidden]
        return answer

    def post(self, count: int = 1, *, held: bool = False) -> list[str]:
        made = []
        for _ in range(count):
            if self.kind == "posts":
                name = self.content.add_post(
                    "python", "t", author="a", created=None, url=None, over_18=False, held=held
                )
            else:
                name = self.content.add_comment(self.thread, "t", author="a", parent=None, created=None, held=held)
            made.append(name)
        self.posted += made
        return made

    def jump(self, count: int) -> None:
        kind: Kind = "t3" if self.kind == "posts" else "t1"
        self.content.skip_numbers(kind, count)

    def page(self, position: str | None) -> Page:
        request = ReadRequest(
            kind=self.kind, places=("all",), cursor=self.cursor, position=position, since=self.began_at
        )
        return self.source.read(request, RecordingBudget())

    def read(self, max_pages: int = 10) -> Page:
        """Read as fetch does, and store what was read if the reading ends."""
        began, position, items, pages = self.now, None, list[Item](), 0
        while True:
            page = self.page(position)
            items += page.items
            position, pages = page.position, pages + 1
            if page.complete or position is None or pages == max_pages:
                break
        self.cursor, self.began_at = page.cursor, began
        self.stored += [item.id for item in items]
        self.gaps += page.gaps
        return page

    def catch_up(self) -> None:
        """Read until the head is reached."""
        while not self.read().complete:
            pass

    def run(self, seconds: float, rate: float, every: float = 5.0, chance: int = 1) -> None:
        """Let time pass with posts at a rate and a reading every few seconds."""
        draw = random.Random(chance)
        end, next_post, next_read = self.now + seconds, self.now + draw.expovariate(rate), self.now + every
        while self.now < end:
            self.now = min(next_post, next_read)
            if next_read <= next_post:
                self.read()
                next_read = self.now + every
            else:
                self.post()
                next_post = self.now + draw.expovariate(rate)

    @property
    def lost(self) -> set[str]:
        return set(self.posted) - set(self.stored)


def test_a_first_reading_sends_what_was_posted_since_the_watch_began() -> None:
    world = NumberedReddit()
    world.post(20)
    world.now += 100.0
    world.began_at = world.now
    new = world.post(300)
    world.read()
    assert set(new) <= set(world.stored)
    before = len(world.requests)
    assert world.read().complete
    assert len(world.requests) == before + 1, "one request while nothing is new"


@pytest.mark.parametrize("kind", ["posts", "comments"])
def test_everything_is_read_once_at_the_rate_of_reddit_for_thirteen_requests_a_minute(kind: FeedKind) -> None:
    world = NumberedReddit(NumberHoles(share=0.05), kind=kind)
    world.run(120.0, 17.0)
    del world.requests[:]
    world.run(600.0, 17.0 * 0.95)
    assert len(world.requests) / 10.0 <= 13.0
    world.now += 10.0
    world.read()
    assert not world.lost
    assert not world.gaps
    assert len(world.stored) == len(set(world.stored)), "nothing is sent twice"
    assert not any(path.startswith("r/") for path in world.requests), "the head is not asked for"


def test_items_that_appear_late_are_asked_for_again() -> None:
    world = NumberedReddit(NumberHoles(share=0.02, late=0.05, seconds=100.0))
    world.run(300.0, 10.0)
    assert len(world.lost) > 10, "some have not appeared"
    world.run(1000.0, 0.1)
    assert not world.lost


def test_a_post_that_a_filter_held_is_read_when_it_is_approved() -> None:
    world = NumberedReddit()
    world.post()
    world.read()
    (held,) = world.post(held=True)
    world.post()
    world.read()
    assert world.lost == {held}
    world.content.approve(held)
    world.run(1000.0, 0.05, every=15.0)
    assert not world.lost


def test_a_quiet_site_costs_one_request_a_reading_and_is_as_fresh() -> None:
    world = NumberedReddit()
    world.read()
    world.run(3600.0, 1 / 60, every=15.0)
    readings = 3600 / 15
    assert len(world.requests) <= 1.1 * readings
    world.read()
    assert not world.lost


def test_an_empty_site_costs_one_request_a_reading() -> None:
    world = NumberedReddit()
    world.content.take_away(world.thread, "author")
    for _ in range(3):
        world.now += 15.0
        assert world.read().complete
    assert len(world.requests) == 3
    world.post(3)
    world.read()
    assert not world.lost


@pytest.mark.parametrize("jump", [99, 150, 5000, 10_000_000])
def test_a_jump_in_the_numbers_does_not_stop_it(jump: int) -> None:
    world = NumberedReddit()
    world.run(60.0, 10.0)
    world.jump(jump)
    world.run(30.0, 10.0, chance=2)
    world.now += 5.0
    world.read()
    assert not world.lost
    expected = ["jump"] if jump > number_position.LAG_NUMBERS else []
    assert [gap.reason for gap in world.gaps] == expected, "what was only sampled is a gap"


def test_a_source_that_shows_nothing_for_a_while_has_not_jumped() -> None:
    world = NumberedReddit()
    world.run(60.0, 10.0)
    hidden = len(world.posted)
    for _ in range(300):
        world.now += 1.0
        world.post(10)
    world.hidden = set(world.posted[hidden:])
    world.run(60.0, 10.0, chance=2)
    (gap,) = world.gaps
    assert gap.reason == "hole", "so many numbers may have been given in the time"
    first, last = number_of(gap.since[0]) or 0, number_of(gap.until[0]) or 0
    assert all(first <= (number_of(name) or 0) <= last for name in world.hidden)


def test_numbers_that_fall_back_do_not_stop_it() -> None:
    world = NumberedReddit()
    world.run(30.0, 10.0)
    world.cursor = world.cursor and world.cursor.replace('"next":', '"next":9')
    world.now += 100.0
    world.run(60.0, 10.0, chance=2)
    world.read()
    assert not {name for name in world.lost if name in world.posted[-500:]}


@pytest.mark.parametrize("jump", [5000 + 17 * step for step in range(12)])
def test_after_a_jump_the_first_numbers_are_read_though_some_have_no_item(jump: int) -> None:
    world = NumberedReddit(NumberHoles(share=0.3))
    world.run(60.0, 10.0)
    world.jump(jump)
    world.run(120.0, 10.0, chance=2)
    assert world.cursor
    assert 5.0 < json.loads(world.cursor)["pace"] < 40.0
    world.now += 1000.0
    world.catch_up()
    assert not world.lost


def test_a_first_reading_that_begins_below_all_numbers_leaves_no_gap() -> None:
    """It estimates from the newest page where the watch began, and there was nothing before."""
    world = NumberedReddit()
    world.began_at = START - 600.0
    for _ in range(150):
        world.now += 0.2
        world.post(2)
    world.catch_up()
    assert not world.gaps
    assert not world.lost


@pytest.mark.parametrize("quiet", [0.0, 100.0, 800.0])
def test_nothing_is_lost_where_the_numbers_fall_back(quiet: float) -> None:
    """They are noticed after a minute, when the newest page shows a part of what was posted meanwhile."""
    world = NumberedReddit()
    world.run(300.0, 5.0)
    assert world.cursor
    world.cursor = world.cursor.replace('"next":', '"next":9').replace('"level":', '"level":9')
    world.now += quiet
    world.run(300.0, 5.0, chance=2)
    assert 2.0 < json.loads(world.cursor)["pace"] < 8.0
    world.catch_up()
    assert not world.lost
    assert not world.gaps


def test_a_page_of_nothing_but_removed_items_is_passed() -> None:
    world = NumberedReddit()
    world.post(10)
    world.read()
    for name in world.post(250):
        world.content.take_away(name, "moderator")
    last = world.post(5)
    world.catch_up()
    assert set(last) <= set(world.stored)
    for name in world.posted[10:260]:
        world.content.approve(name)
    world.run(1000.0, 0.05, every=15.0)
    assert not world.lost


def test_a_stop_of_an_hour_leaves_a_gap_and_reading_goes_on_at_the_head() -> None:
    world = NumberedReddit()
    world.run(60.0, 5.0)
    read = len(world.posted)
    for _ in range(3600):
        world.now += 1.0
        world.post(5)
    world.read()
    (gap,) = world.gaps
    assert gap.reason == "pages"
    first = world.posted.index(gap.until[0])
    since = world.posted.index(gap.since[0])
    assert since < read
    world.run(30.0, 5.0)
    world.read()
    assert len(world.gaps) == 1
    assert world.lost <= set(world.posted[since:first]), "nothing is lost outside of the gap"


def test_a_stop_of_an_hour_at_a_quiet_site_leaves_none() -> None:
    world = NumberedReddit()
    world.run(600.0, 1 / 60, every=15.0)
    for _ in range(60):
        world.now += 60.0
        world.post()
    world.read()
    assert not world.lost
    assert not world.gaps


def test_a_backlog_is_read_by_several_readings_which_say_how_far_behind_they_are() -> None:
    world = NumberedReddit()
    world.run(60.0, 10.0)
    for _ in range(240):
        world.now += 1.0
        world.post(10)
    page = world.read()
    assert page.behind
    assert page.position is not None
    assert page.lag is not None
    assert 120.0 < page.lag < 200.0
    assert page.load_seconds == pytest.approx(page.load["all"] / 10.0, rel=0.1), "the rate of when it was posted"
    world.catch_up()
    assert not world.lost
    assert not world.gaps


def test_a_fault_between_pages_loses_nothing() -> None:
    world = NumberedReddit(NumberHoles(share=0.05, late=0.02, seconds=20.0))
    world.run(60.0, 17.0)
    draw = random.Random(5)
    for round_ in range(60):
        world.fails_in = draw.randrange(4)
        try:
            world.run(10.0, 17.0, chance=round_)
        except RetryableError:
            continue
    world.fails_in = math.inf
    world.run(1000.0, 0.1)
    assert not world.lost
    assert not world.gaps


def test_what_was_read_as_a_listing_goes_on_with_what_was_posted_since() -> None:
    world = NumberedReddit()
    known = world.post(250)
    world.now += 300.0 + number_cursor.LATE_SECONDS
    world.began_at = world.now
    listing = ListingCursor(seen=[(name, "") for name in known[:49:-1]], edge=(known[-2], world.now))
    world.cursor = msgspec.json.encode(listing).decode()
    new = world.post(30)
    world.read()
    assert set(new) <= set(world.stored)
    assert not world.gaps
    # The page of r/all that shows where they end is kept.
    assert len(set(world.stored) & set(known)) <= names.LOOKUP_ITEMS


def test_a_cursor_that_cannot_be_read_begins_again_and_says_so() -> None:
    world = NumberedReddit()
    world.cursor = "%"
    world.read()
    assert [gap.reason for gap in world.gaps] == ["outdated"]


def test_r_all_that_is_refused_stops_only_a_first_reading() -> None:
    world = NumberedReddit()
    world.refuses_listing = True
    with pytest.raises(FeedRefused):
        world.read()
    world.refuses_listing = False
    world.read()
    world.refuses_listing = True
    world.now += 4000.0
    new = world.post(3)
    world.read()
    assert set(new) <= set(world.stored)


@pytest.mark.parametrize("ahead", [-7200.0, -30.0, 30.0, 7200.0])
def test_a_clock_that_differs_from_reddits_costs_nothing(ahead: float) -> None:
    world = NumberedReddit(NumberHoles(share=0.05), ahead=ahead)
    world.began_at = START + ahead
    world.read()
    world.run(60.0, 17.0)
    del world.requests[:]
    world.run(300.0, 17.0 * 0.95, chance=2)
    assert len(world.requests) / 5.0 <= 13.5
    world.now += 10.0
    world.read()
    assert not world.lost
    assert not world.gaps


def test_a_cursor_stays_small_enough_for_a_message() -> None:
    missing = [
        entry for at in range(3000) for entry in missing_of(range(at * 100, at * 100 + 7), START + at, START + at)
    ]
    kept, given_up = bounded(missing)
    assert MISSING_KEPT_NUMBERS - 7 <= sum(len(entry.numbers) for entry in kept) <= MISSING_KEPT_NUMBERS
    assert [*given_up, *kept] == missing, "the newest are kept"
    assert bounded(kept) == (kept, [])


def test_what_a_cursor_cannot_hold_becomes_gaps() -> None:
    world = NumberedReddit()
    world.post(10)
    world.read()
    held = world.post(MISSING_MAX_NUMBERS + 10, held=True)
    world.post()
    world.catch_up()
    gaps = world.gaps
    assert {gap.reason for gap in gaps} == {"hole"}
    bounds = [[number_of(item) or 0 for item, _ in (gap.since, gap.until)] for gap in gaps]
    cursor = json.loads(world.cursor or "")
    in_cursor = {first + offset for first, offsets, *_ in cursor["missing"] for offset in offsets}
    in_gaps = {number for first, last in bounds for number in range(first, last + 1)}
    assert {number_of(name) for name in held} <= in_gaps | in_cursor
    assert len(in_gaps) <= MISSING_MAX_NUMBERS - MISSING_KEPT_NUMBERS + 100


def test_all_that_is_to_be_asked_again_is_asked_in_the_readings_of_a_site_that_is_quiet_now() -> None:
    world = NumberedReddit()
    world.post(3)
    world.read()
    held = world.post(400, held=True)
    world.post()
    world.catch_up()
    for name in held:
        world.content.approve(name)
    world.now += 1000.0
    world.read()
    assert not world.lost


# -- many subreddits


class NumberedSubreddits(NumberedReddit):
    """A reader of some subreddits by number; ``python`` is one of them."""

    places: tuple[str, ...] = ("python", "rust")
    by_number = True

    def __init__(self) -> None:
        super().__init__()
        self.content.add_post("rust", "t", author="a", created=None, url=None, over_18=False, held=False)

    def page(self, position: str | None) -> Page:
        request = ReadRequest(
            kind=self.kind, places=self.places, cursor=self.cursor, position=position, since=self.began_at,
            by_number=self.by_number,
        )  # fmt: skip
        return self.source.read(request, RecordingBudget())

    def post_elsewhere(self, count: int) -> None:
        for _ in range(count):
            self.content.add_post("gardening", "t", author="a", created=None, url=None, over_18=False, held=False)


def test_of_some_subreddits_only_their_own_posts_are_kept() -> None:
    world = NumberedSubreddits()
    world.read()
    world.now += 60.0
    world.post_elsewhere(150)
    new = world.post(3)
    world.post_elsewhere(20)
    page = world.read()
    assert [name for name in world.stored if name in new] == new
    assert {item.place for item in page.items} == {"python"}
    assert page.load == {"python": 3}
    assert page.complete
    world.now += 30.0
    world.post_elsewhere(500)
    later = world.post(1)
    world.catch_up()
    assert set(later) <= set(world.stored)


def test_listings_that_go_on_by_numbers_and_back_miss_nothing() -> None:
    world = NumberedSubreddits()
    draw, world.by_number = random.Random(5), False
    world.catch_up()
    for step in range(60):
        world.now += draw.uniform(5, 60)
        world.post_elsewhere(draw.randrange(80))
        world.post(draw.randrange(40))
        world.by_number = step // 10 % 2 == 1
        world.catch_up()
    assert not world.lost
    assert not world.gaps
    assert sum("r/all/new" in request for request in world.requests) == 3, "once whenever numbers begin"


def test_a_reading_goes_on_as_it_began() -> None:
    world = NumberedSubreddits()
    world.by_number = False
    world.read()
    world.now += 60.0
    posted = world.post(250)
    first = world.page(None)
    world.by_number = True  # the plan has changed between two pages
    second = world.page(first.position)
    assert {item.id for item in (*first.items, *second.items)} == set(posted[50:])
    world.by_number, world.cursor = True, None
    begun = world.page(None)
    world.by_number = False
    assert begun.position is not None
    world.page(begun.position)
    assert world.requests[-1] == "api/info"


def test_what_a_filter_holds_in_a_watched_subreddit_is_asked_for_for_hours() -> None:
    world = NumberedSubreddits()
    world.read()
    (held,) = world.post(held=True)
    world.post(2)
    for seconds in (10.0, 110.0, 3000.0, 900.0):
        world.now += seconds
        world.post_elsewhere(3)
        world.catch_up()
    assert held not in world.stored
    world.content.approve(held)
    world.now += 7200.0
    world.post_elsewhere(3)
    world.catch_up()
    assert held in world.stored
    assert "missing" not in json.loads(world.cursor or ""), "and then no more"


def test_a_refused_page_of_all_is_not_the_fault_of_a_subreddit() -> None:
    world = NumberedSubreddits()
    world.refuses_listing = True
    with pytest.raises(RetryableError, match="r/all"):
        world.read()


def test_a_burst_does_not_pass_for_the_pace_and_a_lasting_change_does() -> None:
    """By the pace the plan decides whether numbers or listings cost less: for minutes of a burst it must not change."""
    world = NumberedReddit()
    world.post()
    world.catch_up()
    world.run(600, rate=5.0)
    world.now += 5
    world.post(1500)
    world.now += 10
    burst = world.read()
    assert not burst.complete
    pace = burst.pace or 0.0
    assert 3.0 < pace < 15.0
    for _ in range(200):
        world.now += 5
        world.post(200)
        page = world.read(max_pages=2)
    assert not page.complete
    pace = page.pace or 0.0
    assert 30.0 < pace < 45.0


def test_a_jump_does_not_pass_for_the_pace() -> None:
    world = NumberedReddit()
    world.post()
    world.catch_up()
    world.run(600, rate=5.0)
    world.jump(1_000_000)
    for _ in range(30):
        world.now += 1
        world.post(50)
    page = world.read(max_pages=8)
    assert not page.complete
    assert [gap.reason for gap in world.gaps] == ["jump"]
    assert 3.0 < (page.pace or 0.0) < 15.0


def test_what_a_reading_leaves_out_does_not_count_for_the_pace() -> None:
    world = NumberedReddit()
    world.post()
    world.catch_up()
    world.run(600, rate=5.0)
    for _ in range(10_800):
        world.now += 1
        world.post(17)
    page = world.read(max_pages=2)
    assert not page.complete
    assert [gap.reason for gap in world.gaps] == ["pages"]
    assert 3.0 < (page.pace or 0.0) < 30.0
