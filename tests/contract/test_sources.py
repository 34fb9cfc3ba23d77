"""What the fetch stage relies on, for every source. A new source is one more world in WORLDS.

A world whose items somebody writes is in WRITTEN too, which asks more of it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Protocol, Self, get_args

import msgspec
import pytest

import overheard.sources
from overheard import canary
from overheard.errors import FeedRefused, Postponed, TryAgain
from overheard.items import ALL, KINDS_IN, FeedKind, Item
from overheard.sources import Page, Source
from overheard.sources.canary import CanarySource
from overheard.sources.reddit.source import LISTING_ITEMS, PAGE_ITEMS
from overheard.standin import Standin
from tests.unit.sources.reddit_world import RecordingBudget, source_of

KINDS: tuple[FeedKind, ...] = get_args(FeedKind)


class World(Protocol):
    """A source and the server that it asks, if it asks one."""

    source: Source

    def news(self) -> tuple[FeedKind, str, str]:
        """Let there be a new item; its feed's kind and name, and its own name."""

    def requests(self) -> int:
        """HTTP requests so far, as the server counts them."""


class Written(World, Protocol):
    """Feeds are named by the suite; those not named yet exist all the same."""

    def add(self, kind: FeedKind, feed: str, text: str) -> str:
        """Publish an item; returns its name."""

    def close_feed(self, feed: str) -> None:
        """Refuse this feed from now on."""

    def break_down(self) -> None:
        """Fail the next request, in passing."""


class RedditWorld:
    """The Reddit source and the stand-in."""

    def __init__(self) -> None:
        self._standin = Standin(requests_per_minute=100_000)
        self._threads: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._standin.start()
        self.source = source_of(self._standin)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._standin.stop()

    def news(self) -> tuple[FeedKind, str, str]:
        return "posts", "Python", self.add("posts", "Python", "text")

    def add(self, kind: FeedKind, feed: str, text: str) -> str:
        if kind == "posts":
            return self._standin.add_post(feed, "a title", text)
        if feed not in self._threads:
            self._threads[feed] = self._standin.add_post(feed, "the thread")
        return self._standin.add_comment(self._threads[feed], text)

    def close_feed(self, feed: str) -> None:
        self._standin.set_subreddit(feed, "private")

    def break_down(self) -> None:
        self._standin.faults.fail(503)

    def requests(self) -> int:
        return self._standin.counts()["total"]


class CanaryWorld:
    """The canary's source, which asks nobody, and its clock."""

    def __init__(self) -> None:
        self._now = 1_795_424_400.0
        self.source = CanarySource(clock=lambda: self._now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def news(self) -> tuple[FeedKind, str, str]:
        self._now += 1
        return "posts", canary.FEED, canary.name_at(self._now)

    def requests(self) -> int:
        return 0


WRITTEN: dict[str, Callable[[], AbstractContextManager[Written]]] = {"reddit": RedditWorld}
WORLDS: dict[str, Callable[[], AbstractContextManager[World]]] = {**WRITTEN, "canary": CanaryWorld}


@pytest.fixture(params=WORLDS.values(), ids=WORLDS.keys())
def any_world(request: pytest.FixtureRequest) -> Iterator[World]:
    with request.param() as made:
        yield made


@pytest.fixture(params=WRITTEN.values(), ids=WRITTEN.keys())
def world(request: pytest.FixtureRequest) -> Iterator[Written]:
    with request.param() as made:
        yield made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> FeedKind:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def budget(world: Written) -> Iterator[RecordingBudget]:
    """At the end of every test, the tokens taken are the requests that were made."""
    made = RecordingBudget()
    yield made
    assert made.taken == world.requests()


FIRST: Any = {"cursor": None, "position": None, "since": 0.0}  # a reading's first page, of a feed never read before


def names_of(page: Page) -> list[str]:
    return [item.id for item in page.items]


def test_every_source_is_tested_here() -> None:
    found: set[str] = set()
    for module in pkgutil.iter_modules(overheard.sources.__path__, "overheard.sources."):
        for each in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(each) and each is not Source and {"name", "read", "join", "probe"} <= vars(each).keys():
                found.add(each.name)
    assert found == WORLDS.keys()


def test_it_says_what_it_is(any_world: World) -> None:
    assert any_world.source.name in WORLDS
    wanted = inspect.signature(Source.read).parameters
    given: Any = inspect.signature(type(any_world.source).read).parameters
    assert [(name, each.kind) for name, each in given.items()] == [(name, each.kind) for name, each in wanted.items()]


def test_news_come_with_everything_and_newest_first(any_world: World) -> None:
    tokens = RecordingBudget()
    read = partial(any_world.source.read, **FIRST, budget=tokens)
    kind, feed, first = any_world.news()
    item = read(kind, [feed]).items[0]
    assert (item.id, item.kind, item.place) == (first, KINDS_IN[kind][0], feed)
    assert item.title
    assert item.body
    assert item.author
    assert item.permalink.startswith("https://")
    assert item.created_at > 1_000_000_000
    assert msgspec.json.decode(msgspec.json.encode(item), type=Item) == item
    _, _, second = any_world.news()
    newer = read(kind, [feed]).items[0]
    assert newer.name == second
    assert newer.number > item.number > 0
    assert tokens.taken == any_world.requests(), "a token for every request"


def test_what_it_has_not_it_says(any_world: World) -> None:
    kind, feed, _ = any_world.news()
    other: FeedKind = "comments" if kind == "posts" else "posts"
    assert any_world.source.read(other, [feed], **FIRST, budget=RecordingBudget()).items == ()
    with pytest.raises(FeedRefused) as caught:
        any_world.source.read(kind, ["no/such feed"], **FIRST, budget=RecordingBudget())
    assert (caught.value.reason, caught.value.names) == ("missing", ("no/such feed",))


def test_an_item_comes_with_everything(world: Written, kind: FeedKind, budget: RecordingBudget) -> None:
    name = world.add(kind, "Python", "café <b>&amp; \U0001f600")
    page = world.source.read(kind, ["python"], **FIRST, budget=budget)
    [item] = page.items
    assert (item.id, item.kind, item.place) == (name, KINDS_IN[kind][0], "Python")
    assert item.body == "café <b>&amp; \U0001f600"
    assert item.title
    assert item.author
    assert item.permalink.startswith("https://")
    assert item.number > 0
    assert item.created_at > 1_000_000_000
    assert (page.complete, page.position, page.unread) == (True, None, None)
    assert msgspec.json.decode(msgspec.json.encode(item), type=Item) == item


def read_all(source: Source, kind: FeedKind, names: list[str], budget: Any, cursor: str | None = None) -> list[Page]:
    """The pages of a reading, to its end."""
    pages: list[Page] = []
    position = None
    while not pages or position is not None:
        pages.append(source.read(kind, names, cursor=cursor, position=position, since=0.0, budget=budget))
        position = pages[-1].position
    return pages


def test_pages_follow_each_other_to_the_end(world: Written, kind: FeedKind, budget: RecordingBudget) -> None:
    added = [world.add(kind, "python", f"text {number}") for number in range(2 * PAGE_ITEMS + 10)]
    pages = read_all(world.source, kind, ["python"], budget)
    assert [name for page in pages for name in names_of(page)] == added[::-1]  # nothing twice, nothing missed
    assert [(len(page.items), page.complete) for page in pages] == [
        (PAGE_ITEMS, False), (PAGE_ITEMS, False), (10, True),
    ]  # fmt: skip


def test_the_next_reading_ends_where_it_meets_the_last(world: Written, kind: FeedKind, budget: RecordingBudget) -> None:
    for number in range(PAGE_ITEMS + 30):
        world.add(kind, "python", f"text {number}")
    first = read_all(world.source, kind, ["python"], budget)
    nothing_new = read_all(world.source, kind, ["python"], budget, first[-1].cursor)
    assert [page.complete for page in nothing_new] == [True]
    added = [world.add(kind, "python", f"new {number}") for number in range(PAGE_ITEMS + 5)]
    second = read_all(world.source, kind, ["python"], budget, nothing_new[-1].cursor)
    assert len(second) == 2
    assert [name for page in second for name in names_of(page)][: len(added)] == added[::-1]
    assert second[-1].complete


def test_a_listing_that_ends_before_what_was_read_says_what_is_missing(world: Written, budget: RecordingBudget) -> None:
    known = [world.add("posts", "python", f"text {number}") for number in range(20)]
    cursor = read_all(world.source, "posts", ["python"], budget)[-1].cursor
    added = [world.add("posts", "python", f"text {number}") for number in range(LISTING_ITEMS + 30)]
    last = read_all(world.source, "posts", ["python"], budget, cursor)[-1]
    assert (last.complete, last.position) == (False, None)
    assert last.unread is not None
    assert last.unread.reason == "horizon"
    assert last.unread.since is not None
    assert last.unread.until is not None
    assert (last.unread.since[0], last.unread.until[0]) == (known[-2], added[31])
    assert last.load == {"python": LISTING_ITEMS}


def test_feeds_are_merged_newest_first(world: Written, kind: FeedKind, budget: RecordingBudget) -> None:
    added = [world.add(kind, feed, "text") for feed in ("python", "linux", "python", "golang", "linux")]
    asked = world.source.read(kind, ["python", "linux"], **FIRST, budget=budget)
    assert names_of(asked) == [added[4], added[2], added[1], added[0]]
    everything = world.source.read(kind, [ALL], **FIRST, budget=budget)
    assert names_of(everything) == added[::-1]


def test_an_empty_feed_is_an_empty_page(world: Written, budget: RecordingBudget) -> None:
    world.add("posts", "python", "text")
    assert world.source.read("comments", ["python"], **FIRST, budget=budget).items == ()


def test_a_refused_feed_is_told(world: Written, kind: FeedKind, budget: RecordingBudget) -> None:
    world.add(kind, "python", "text")
    world.add(kind, "closed", "text")
    world.close_feed("closed")
    with pytest.raises(FeedRefused) as caught:
        world.source.read(kind, ["closed"], **FIRST, budget=budget)
    assert caught.value.names == ("closed",)
    assert caught.value.reason in ("private", "quarantined", "banned", "missing", "refused")
    with pytest.raises(FeedRefused) as caught:
        world.source.read(kind, ["python", "closed"], **FIRST, budget=budget)
    assert "closed" in caught.value.names
    assert world.source.read(kind, ["python"], **FIRST, budget=budget).items


def test_a_passing_fault_is_not_tried_again_here(world: Written, kind: FeedKind, budget: RecordingBudget) -> None:
    world.add(kind, "python", "text")
    world.source.read(kind, ["python"], **FIRST, budget=budget)
    before = world.requests()
    world.break_down()
    with pytest.raises(TryAgain):
        world.source.read(kind, ["python"], **FIRST, budget=budget)
    assert world.requests() == before + 1
    assert world.source.read(kind, ["python"], **FIRST, budget=budget).items


def test_a_page_costs_one_request(world: Written, kind: FeedKind, budget: RecordingBudget) -> None:
    world.add(kind, "python", "text")
    world.source.read(kind, ["python"], **FIRST, budget=budget)
    before = world.requests()
    for _ in range(5):
        world.source.read(kind, ["python"], **FIRST, budget=budget)
    assert world.requests() == before + 5


def test_without_a_token_nothing_is_asked(world: Written, kind: FeedKind) -> None:
    world.add(kind, "python", "text")
    with pytest.raises(Postponed):
        world.source.read(kind, ["python"], **FIRST, budget=RecordingBudget(tokens=0))
    assert world.requests() == 0


def test_threads_do_not_mix(world: Written) -> None:
    added = {f"feed{number}": world.add("posts", f"feed{number}", "text") for number in range(8)}
    budgets = [RecordingBudget() for _ in range(80)]

    def read(job: tuple[int, RecordingBudget]) -> bool:
        feed = f"feed{job[0] % 8}"
        return names_of(world.source.read("posts", [feed], **FIRST, budget=job[1])) == [added[feed]]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, enumerate(budgets)))
    assert sum(budget.taken for budget in budgets) == world.requests()
