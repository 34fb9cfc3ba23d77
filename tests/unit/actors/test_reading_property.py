"""Whatever happens: an item that was listed for a whole cycle is read, or lies in a recorded gap."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from actors.fetch.fetcher import Fetcher
from overheard.config import FetchSettings
from overheard.db import feeds, freshness, gaps, storing, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Feed
from overheard.errors import BudgetExhausted, FeedRefused
from overheard.items import Item
from overheard.messages import FetchWorkspace, ItemsFetched, ItemsMatched
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later
from overheard.sources import GroupLimit, Page, ReadRequest
from overheard.sources.reddit.listing_cursor import merge_cursors
from overheard.sources.reddit.listing_reader import STOP_RUN_ITEMS, ListingReader
from tests.fixtures import Sent, World

pytestmark = pytest.mark.thorough

PAGE_SIZE, DEPTH, GROUP_SIZE = 5, 30, 4
FEEDS = "abcdef"
MONTH = 30 * 86400.0
EXAMPLES = itertools.count()


class Site:
    """The listings of places; an item's position in them is independent of its id and its date."""

    name = "reddit"
    group_limit = GroupLimit(200, 1500)

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.numbers = itertools.count(1000)
        self.listed: list[tuple[int, str]] = []  # (place, name), the newest last
        self.items: dict[str, Item] = {}
        self.places: dict[str, int] = {}
        self.in_place: set[str] = set()  # restored, or first listed, below newer ones
        self.released: set[str] = set()  # listed later than they are dated
        # Behind a page of released items only, while the cursor had no name that could end a reading.
        self.hidden: set[str] = set()
        self.deleted: set[str] = set()
        self.delete_anchors = 0
        self.refused: set[str] = set()

    def add(self, item: Item, *, below: int = 0) -> None:
        highest = self.listed[-1][0] if self.listed else 0
        place = (highest + 1_000_000) if not below or not self.listed else self.listed[-below:][0][0] - 1
        self.items[item.id] = item
        self.places[item.id] = place
        insort(self.listed, (place, item.id))
        if item.created_at < self.clock():
            self.released.add(item.id)
        if below:
            self.in_place.add(item.id)

    def delete(self, name: str) -> None:
        self.listed = [each for each in self.listed if each[1] != name]
        self.deleted.add(name)

    def read(self, request: ReadRequest, budget: Any) -> Page:
        names = request.places
        budget.acquire()
        if bad := self.refused.intersection(names):
            raise FeedRefused("private", tuple(bad))
        reader = ListingReader(request, page_size=PAGE_SIZE, depth=DEPTH)
        merged = [name for _, name in reversed(self.listed) if self.items[name].place.lower() in names][:DEPTH]
        if reader.after is None:
            page, more = merged[:PAGE_SIZE], len(merged) > PAGE_SIZE
        elif reader.after not in merged:
            page, more = [], False
        else:
            start = merged.index(reader.after) + 1
            page, more = merged[start : start + PAGE_SIZE], len(merged) > start + PAGE_SIZE
        result = reader.take([self.items[name] for name in page], page[-1] if more else None)
        if result.items and result.complete and more and not reader._known and self.released.issuperset(page):
            # Only dates could end this reading, and no item of the page was listed at its date. The page does not show
            # what else is new: the accepted exception of ``listing_reader``.
            behind = self.listed[: bisect_left(self.listed, (self.places[page[-1]], ""))]
            self.hidden |= {name for _, name in behind if self.items[name].place.lower() in names}
        if page and self.delete_anchors:
            self.delete_anchors -= 1
            self.delete(page[-1])
        return result

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        return merge_cursors(older, newer)

    def probe(self, budget: Any) -> None:
        budget.acquire()

    def close(self) -> None: ...


class Tokens:
    def __init__(self, left: int) -> None:
        self.left = left

    def acquire(self) -> None:
        if self.left == 0:
            raise BudgetExhausted("reddit:x", delay=5.0, slot=1.0)
        self.left -= 1

    def observe(self, remaining: float, reset: float) -> None: ...

    def block(self, seconds: float) -> None: ...


class Play:
    """One example: a site, three workspaces, and the items that were stored."""

    def __init__(self, world: World, sent: Sent, metrics: ProcessMetrics) -> None:
        self.world, self.db, self.clock, self.sent = world, world.db, world.clock, sent
        self.prefix = f"x{next(EXAMPLES)}"
        self.site = Site(world.clock)
        self.fetcher = Fetcher(
            db=world.db, sources={"reddit": self.site}, send=sent, clock=world.clock,
            rules=FetchSettings(group_size=GROUP_SIZE, fresh_for=0), recheck_within=86400.0,
            metrics=metrics,
        )  # fmt: skip
        self.watched: dict[int, set[str]] = {number: {FEEDS[2 * number], FEEDS[2 * number + 1]} for number in range(3)}
        self.ids = [self.save(number) for number in range(3)]
        self.stored: set[str] = set()
        self.dated: set[str] = set()
        self.before: dict[str, set[str]] = {}  # the items listed when a feed was first read
        self.waiting: list[FetchWorkspace] = []

    def feed(self, suffix: str) -> str:
        return f"{self.prefix}_{suffix}"

    def save(self, number: int) -> int:
        names = [self.feed(suffix) for suffix in sorted(self.watched[number])]
        return int(self.world.workspace(f"{self.prefix}-{number}", subreddits=names, channels={}))

    def item(self, suffix: str, *, age: float = 0.0) -> Item:
        number = next(self.site.numbers)
        if age > 0:  # an old item has an old id
            number -= 900
            while f"t3_{number:x}" in self.site.items:
                number -= 1
        return Item(
            source="reddit", id=f"t3_{number:x}", kind="post", place=self.feed(suffix).upper(),
            author="x", title="t", body="b",
            permalink="https://x/", url="", created_at=self.clock() - age,
        )  # fmt: skip

    # -- actions

    def posts(self, suffix: str, count: int) -> None:
        for _ in range(count):
            self.site.add(self.item(suffix))

    def late(self, suffix: str, count: int) -> None:
        """Release old items, but too few to fill a page: a new feed is read by the dates on the page alone."""
        for _ in range(count):
            mine = [name for _, name in self.site.listed if self.suffix_of(name) == suffix][-PAGE_SIZE + 1 :]
            if sum(name in self.dated for name in mine) < PAGE_SIZE // 2:
                item = self.item(suffix, age=7200.0)
                self.dated.add(item.id)
                self.site.add(item)

    def misdated(self, suffix: str, count: int) -> None:
        for _ in range(count):
            self.site.add(self.item(suffix, age=-MONTH))

    def late_in_place(self, suffix: str, below: int) -> None:
        self.site.add(self.item(suffix, age=600.0), below=below)

    def removal(self, suffix: str, which: int) -> None:
        mine = [name for _, name in self.site.listed if self.suffix_of(name) == suffix]
        if mine:
            self.site.delete(mine[-1 - which % len(mine)])

    def restoration(self, suffix: str, which: int) -> None:
        gone = sorted(name for name in self.site.deleted if self.suffix_of(name) == suffix)
        if gone:
            name = gone[which % len(gone)]
            self.site.deleted.discard(name)
            self.site.in_place.add(name)
            insort(self.site.listed, (self.site.places[name], name))

    def lost_anchors(self, suffix: str, count: int) -> None:
        self.site.delete_anchors = count

    def watching(self, suffix: str, number: int) -> None:
        self.watched[number % 3] ^= {suffix}
        if not self.watched[number % 3]:
            self.watched[number % 3] = {suffix}
        self.save(number % 3)

    def pause(self, suffix: str, number: int) -> None:
        workspace_specs.set_active(self.db, self.ids[number % 3], number % 2 == 0)

    def refusal(self, suffix: str, number: int) -> None:
        if number % 3:
            self.site.refused.discard(self.feed(suffix))
        else:
            self.site.refused.add(self.feed(suffix))

    def poll(self, suffix: str, number: int) -> None:
        self.run(self.message(number % 3), Tokens(10_000), lose=False)

    def short_poll(self, suffix: str, number: int) -> None:
        self.run(self.message(number % 3), Tokens(1 + number % 4), lose=False)

    def crash(self, suffix: str, number: int) -> None:
        self.run(self.message(number % 3), Tokens(10_000), lose=True)

    def look(self, suffix: str, number: int) -> None:
        self.look_at(suffix, 60.0 * number, Tokens(10_000), lose=number % 4 == 0)

    def short_look(self, suffix: str, number: int) -> None:
        self.look_at(suffix, 60.0 * number, Tokens(1 + number % 4), lose=False)

    def look_at(self, suffix: str, back: float, budget: Tokens, *, lose: bool) -> None:
        row = Feed.select(Feed.group).where(Feed.place == self.feed(suffix)).tuples().first(self.db.peewee)
        if row is not None:
            message = FetchWorkspace(source="reddit", group_id=row[0], back_to=self.clock() - back, reason="look")
            self.run(message, budget, lose=lose)

    def resumption(self, suffix: str, number: int) -> None:
        if self.waiting:
            self.run(self.waiting.pop(0), Tokens(10_000), lose=False)

    def long_pause(self, suffix: str, number: int) -> None:
        self.clock.advance(200 * number)
        feeds.sweep(self.db, self.clock())

    # -- running

    def message(self, number: int) -> FetchWorkspace:
        return FetchWorkspace(workspace_id=self.ids[number], source="reddit", fresh_since=self.clock(), reason="due")

    def run(self, message: FetchWorkspace, budget: Tokens, *, lose: bool) -> None:
        later = self.fetcher.fetch(message, budget)
        if isinstance(later, Later) and isinstance(later.message, FetchWorkspace):
            self.waiting.append(later.message)
        self.clock.advance(1)
        for each in self.sent.take():
            if isinstance(each, FetchWorkspace):
                self.waiting.append(each)
            elif isinstance(each, ItemsFetched) and not lose:
                self.store(each)

    def store(self, part: ItemsFetched) -> None:
        matched = ItemsMatched(part=part.part, items=())
        storing.store(self.db, matched, self.clock())
        self.stored |= {item.id for item in part.items}
        rows = Feed.select(Feed.place).where(freshness.fresh_at() > 0, Feed.place.startswith(self.prefix + "_"))
        for (name,) in rows.tuples().execute(self.db.peewee):
            self.before.setdefault(name[-1], set(self.site.items))

    def suffix_of(self, name: str) -> str:
        return self.site.items[name].place[-1].lower()

    def settle(self) -> None:
        """Run a whole cycle: read everything that is watched once more, to its end."""
        self.site.refused.clear()
        self.site.delete_anchors = 0
        for number in range(3):
            workspace_specs.set_active(self.db, self.ids[number], True)
        for _ in range(4):
            self.clock.advance(2000)
            Feed.update(retry_at=0).execute(self.db.peewee)
            feeds.sweep(self.db, self.clock())
            for number in range(3):
                self.poll("", number)
            while self.waiting:
                self.run(self.waiting.pop(0), Tokens(10_000), lose=False)

    def missing(self) -> list[str]:
        """Return items that were neither read nor lie in a gap, though their feed was read after they were listed."""
        watched = set().union(*self.watched.values())
        site, found = self.site, []
        for name in site.items:
            suffix = self.suffix_of(name)
            known = self.stored | site.deleted | site.in_place | site.hidden | self.before.get(suffix, set())
            if suffix in watched and name not in known:
                place = site.places[name]
                if not any(low <= place <= high for low, high in self.gaps_of(suffix)):
                    found.append(name)
        return found

    def gaps_of(self, suffix: str) -> list[tuple[float, float]]:
        """Return the gaps of a feed as positions in the listing.

        The bounds of a gap are items that were read: of the nearest few on each side, the one in the middle.
        """
        places = self.site.places
        mine = sorted(places[name] for name in self.site.items if self.suffix_of(name) == suffix)
        bounds = []
        for gap in gaps.listing(self.db, place=self.feed(suffix), limit=1000):
            low, high = places.get(gap.from_item or "", float("-inf")), places.get(gap.to_item or "", float("inf"))
            below, above = (
                mine[: bisect_left(mine, low)][-STOP_RUN_ITEMS:],
                mine[bisect_right(mine, high) :][:STOP_RUN_ITEMS],
            )
            bounds.append((min([low, *below]), max([high, *above])))
        return bounds


ACTIONS = (
    *("posts", "posts", "posts", "late", "misdated", "late_in_place", "removal", "restoration", "lost_anchors"),
    *("watching", "pause", "refusal", "poll", "poll", "poll", "poll", "short_poll", "crash", "resumption"),
    *("long_pause", "look", "look", "short_look"),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.sampled_from(FEEDS), st.integers(1, 12)), min_size=20, max_size=60
)
# A poll waits between two pages until the listing, at its full depth, ends right after the pages that were read.
PUSHED_OUT = [
    *[("late_in_place", "b", 11), ("short_poll", "e", 10), ("restoration", "c", 3), ("long_pause", "e", 10)],
    *[("poll", "c", 9), ("lost_anchors", "a", 8), ("poll", "a", 10), ("late_in_place", "a", 12), ("late", "f", 10)],
    *[("posts", "b", 12), ("posts", "a", 5), ("short_poll", "e", 10), ("misdated", "b", 11), ("late", "f", 8)],
    *[("refusal", "a", 2), ("posts", "d", 11), ("pause", "f", 8), ("resumption", "e", 10), ("lost_anchors", "b", 9)],
    ("lost_anchors", "f", 12),
]


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@settings(
    max_examples=70,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
@example(steps=PUSHED_OUT)
def test_nothing_is_missed_silently(
    world: World, sent: Sent, metrics: ProcessMetrics, steps: list[tuple[str, str, int]]
) -> None:
    sent.take()
    play = Play(world, sent, metrics)
    for action, suffix, number in steps:
        world.clock.advance(7)
        getattr(play, action)(suffix, number)
    play.settle()
    assert play.missing() == []


QUIET = (
    "posts",
    "posts",
    "late",
    "misdated",
    "watching",
    "pause",
    "poll",
    "poll",
    "poll",
    "crash",
    "resumption",
    "look",
    "short_look",
)
FEW = st.lists(st.tuples(st.sampled_from(QUIET), st.sampled_from(FEEDS), st.integers(1, 3)), min_size=10, max_size=30)

# Several feeds that were empty when first read fill the next page together, with released posts.
FULL_OF_RELEASED = [
    *[("resumption", "e", 3), ("watching", "f", 2), ("pause", "b", 2), ("poll", "c", 3), ("late", "a", 1)],
    *[("posts", "f", 3), ("late", "b", 2), ("late", "d", 1), ("late", "c", 3), ("crash", "f", 2), ("posts", "a", 1)],
    *[("misdated", "a", 2), ("resumption", "b", 2), ("posts", "b", 3)],
]


@settings(
    max_examples=40,
    deadline=None,
    report_multiple_bugs=False,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=FEW)
@example(steps=FULL_OF_RELEASED)
def test_where_nothing_is_missing_there_is_no_gap(
    world: World, sent: Sent, metrics: ProcessMetrics, steps: list[tuple[str, str, int]]
) -> None:
    """As long as no feed has more new items than its listing holds, and no item is removed."""
    sent.take()
    play = Play(world, sent, metrics)
    for turn, (action, suffix, number) in enumerate(steps):
        world.clock.advance(7)
        getattr(play, action)(suffix, number)
        if turn % 10 == 9:
            play.settle()
    play.settle()
    assert play.missing() == []
    assert [play.gaps_of(suffix) for suffix in FEEDS] == [[]] * len(FEEDS)
