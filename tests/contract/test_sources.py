"""What stages rely on, for every source, by capability. `source_worlds` has the sources with their servers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import msgspec
import pytest

from overheard.config import Config
from overheard.errors import BudgetExhausted, FeedRefused, InvalidInput, PermanentError, RetryableError
from overheard.items import ALL, KINDS_IN, FeedKind, Item, place_key
from overheard.sources import ItemLookup, Page, PlaceCheck, ReadRequest, Source, StreamedSource
from overheard.sources.not_configured import NotConfiguredSource
from overheard.sources.reddit.listing_reader import BOUND_ITEMS
from overheard.sources.reddit.source import LISTING_ITEMS, PAGE_ITEMS
from overheard.sources.registry import SOURCES, open_sources
from overheard.sources.sanitize import language_tag
from tests.contract.source_worlds import CHECKED, DELETING, LEAVING_OUT, LISTED, LOOKED_UP, STREAMED, WORLDS, WRITTEN
from tests.contract.source_worlds.protocols import Listed, Streamed, World, Written
from tests.unit.sources.reddit_world import RecordingBudget, new_metrics
from tests.unit.sources.streams import read_on, read_until


@pytest.fixture(params=WORLDS.values(), ids=WORLDS.keys())
def any_world(request: pytest.FixtureRequest) -> Iterator[World]:
    with request.param() as made:
        yield made


@pytest.fixture(params=[(name, kind) for name in WRITTEN for kind in SOURCES[name].feeds], ids="-".join)
def feed(request: pytest.FixtureRequest) -> Iterator[tuple[Written, FeedKind]]:
    """A world, and a feed kind of its source."""
    name, kind = request.param
    with WRITTEN[name]() as made:
        yield made, kind


@pytest.fixture(params=LISTED.values(), ids=LISTED.keys())
def world(request: pytest.FixtureRequest) -> Iterator[Listed]:
    with request.param() as made:
        yield made


@pytest.fixture(params=["posts", "comments"])
def kind(request: pytest.FixtureRequest) -> FeedKind:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def budget(request: pytest.FixtureRequest) -> Iterator[RecordingBudget]:
    """A budget; at the end of each test, the tokens taken must equal the requests made."""
    made = RecordingBudget()
    yield made
    names = request.fixturenames
    asked = request.getfixturevalue("world") if "world" in names else request.getfixturevalue("feed")[0]
    assert made.taken == asked.requests()


def ids_of(page: Page) -> list[str]:
    return [item.id for item in page.items]


def first(source: Source, kind: FeedKind, places: list[str], budget: Any, cursor: str | None = None) -> Page:
    """Return the first page of a reading; places are requested by their keys, as fetch does."""
    return source.read(ReadRequest(kind=kind, places=tuple(map(place_key, places)), cursor=cursor), budget)


def read_all(source: Source, kind: FeedKind, places: list[str], budget: Any, cursor: str | None = None) -> list[Page]:
    """Return all pages of a reading."""
    pages: list[Page] = []
    position = None
    while not pages or position is not None:
        request = ReadRequest(kind=kind, places=tuple(map(place_key, places)), cursor=cursor, position=position)
        pages.append(source.read(request, budget))
        position = pages[-1].position
    return pages


# -- every source


def test_every_source_is_tested_here_for_each_of_its_capabilities() -> None:
    streamed = {name.split()[0] for name in STREAMED}
    assert {*WORLDS, *streamed} == SOURCES.keys()
    assert streamed == {name for name, each in SOURCES.items() if each.streamed}
    assert {name for name, each in SOURCES.items() if each.lookup_size} == LOOKED_UP.keys()
    assert {name for name, each in SOURCES.items() if each.places_size} == CHECKED.keys()


def test_a_source_matches_its_entry_in_the_registry(any_world: World) -> None:
    source = any_world.source
    known = SOURCES[source.name]
    assert WORLDS[source.name]
    assert isinstance(source, ItemLookup) == bool(known.lookup_size)
    assert isinstance(source, PlaceCheck) == bool(known.places_size)
    assert source.group_limit.places >= 1
    assert source.join(None, []) is None
    kind, place, _ = any_world.news()
    assert kind in known.feeds
    assert known.check_place(place) == place
    with pytest.raises(InvalidInput):
        known.check_place("no such place")
    assert known.title if known.undivided else place in known.place_label(place)
    assert "ann" in known.author_label("ann")
    assert known.feeds_for(["posts", "comments"]) == {feed: KINDS_IN[feed] for feed in known.feeds}
    budget = known.budget(Config())
    assert budget is None or budget.key.partition(":")[0] == source.name


def test_every_source_opens_without_any_configuration() -> None:
    opened = open_sources(Config(), new_metrics(), lambda: 0.0)
    assert opened.keys() == SOURCES.keys()
    for name, source in opened.items():
        assert source.name == name
        if isinstance(source, NotConfiguredSource):
            with pytest.raises(RetryableError, match="not set") as caught:
                first(source, "posts", ["python"], RecordingBudget())
            assert caught.value.delay
        source.close()


def test_new_items_have_all_their_fields(any_world: World) -> None:
    tokens = RecordingBudget()
    kind, place, one = any_world.news()
    page = first(any_world.source, kind, [place], tokens)
    item = page.items[0]
    assert (item.source, item.id, item.place) == (any_world.source.name, one, place)
    assert item.kind in KINDS_IN[kind]
    assert item.title
    assert item.body
    assert item.author
    assert item.permalink.startswith("https://")
    assert item.thread == item.id
    assert item.created_at > 1_000_000_000
    assert item.lang == language_tag(item.lang)
    assert not item.nsfw
    assert msgspec.json.decode(msgspec.json.encode(item), type=Item) == item
    _, _, two = any_world.news()
    assert two in ids_of(first(any_world.source, kind, [place], tokens, page.cursor))
    assert tokens.taken == any_world.requests(), "one token per request"


@pytest.mark.parametrize("name", WORLDS)
def test_a_text_has_no_address_of_its_own(name: str) -> None:
    with WORLDS[name]() as made:
        kind, place, _ = made.news()
        assert first(made.source, kind, [place], RecordingBudget()).items[0].url == ""


def test_a_feed_kind_that_a_source_lacks_is_empty(any_world: World) -> None:
    kind, place, _ = any_world.news()
    other: FeedKind = "comments" if kind == "posts" else "posts"
    assert first(any_world.source, other, [place], RecordingBudget()).items == ()


@pytest.mark.parametrize("name", ["reddit", "canary"])
def test_an_impossible_place_is_refused(name: str) -> None:
    with WORLDS[name]() as made:
        kind, _, _ = made.news()
        with pytest.raises(FeedRefused) as caught:
            first(made.source, kind, ["no/such feed"], RecordingBudget())
        assert (caught.value.reason, caught.value.names) == ("missing", ("no/such feed",))


# -- sources to which items can be added


def test_an_item_has_all_its_fields(feed: tuple[Written, FeedKind], budget: RecordingBudget) -> None:
    world, kind = feed
    item_id = world.add(kind, "Python", "café <b>&amp; \U0001f600")
    page = first(world.source, kind, ["python"], budget)
    [item] = page.items
    assert (item.source, item.id, item.place) == (world.source.name, item_id, "Python")
    assert item.kind in KINDS_IN[kind]
    assert item.body == "café <b>&amp; \U0001f600"
    assert item.title or item.thread_title
    assert (page.complete, page.position, page.unread, page.gone) == (True, None, None, ())


def test_the_next_reading_continues_where_the_last_one_ended(
    feed: tuple[Written, FeedKind], budget: RecordingBudget
) -> None:
    world, kind = feed
    old = [world.add(kind, "python", f"text {number}") for number in range(PAGE_ITEMS + 30)]
    pages = read_all(world.source, kind, ["python"], budget)
    assert sorted(item_id for page in pages for item_id in ids_of(page)) == sorted(old)
    nothing_new = read_all(world.source, kind, ["python"], budget, pages[-1].cursor)
    assert [page.complete for page in nothing_new] == [True]
    added = [world.add(kind, "python", f"new {number}") for number in range(PAGE_ITEMS + 5)]
    second = read_all(world.source, kind, ["python"], budget, nothing_new[-1].cursor)
    assert set(added) <= {item_id for page in second for item_id in ids_of(page)}
    assert second[-1].complete


def test_all_means_every_place_of_the_source(feed: tuple[Written, FeedKind], budget: RecordingBudget) -> None:
    world, kind = feed
    added = [world.add(kind, place, "text") for place in ("python", "linux", "golang")]
    pages = read_all(world.source, kind, [ALL], budget)
    assert sorted(each for page in pages for each in ids_of(page)) == sorted(added)
    assert ids_of(first(world.source, kind, ["linux"], budget)) == [added[1]]


def test_concurrent_readings_do_not_mix(feed: tuple[Written, FeedKind]) -> None:
    world, kind = feed
    added = {f"feed{number}": world.add(kind, f"feed{number}", "text") for number in range(8)}
    budgets = [RecordingBudget() for _ in range(80)]

    def read(job: tuple[int, RecordingBudget]) -> bool:
        place = f"feed{job[0] % 8}"
        return ids_of(first(world.source, kind, [place], job[1])) == [added[place]]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, enumerate(budgets)))
    assert sum(budget.taken for budget in budgets) == world.requests()


# -- sources that list items backwards


def test_pages_continue_to_the_end_of_the_listing(world: Listed, kind: FeedKind, budget: RecordingBudget) -> None:
    added = [world.add(kind, "python", f"text {number}") for number in range(2 * PAGE_ITEMS + 10)]
    pages = read_all(world.source, kind, ["python"], budget)
    assert [item_id for page in pages for item_id in ids_of(page)] == added[::-1]  # no duplicates, no losses
    assert [(len(page.items), page.complete) for page in pages] == [
        (PAGE_ITEMS, False), (PAGE_ITEMS, False), (10, False), (0, True),  # the last one checks for new items
    ]  # fmt: skip


def test_the_next_reading_ends_where_it_meets_the_last_one(
    world: Listed, kind: FeedKind, budget: RecordingBudget
) -> None:
    for number in range(PAGE_ITEMS + 30):
        world.add(kind, "python", f"text {number}")
    last = read_all(world.source, kind, ["python"], budget)
    nothing_new = read_all(world.source, kind, ["python"], budget, last[-1].cursor)
    assert [page.complete for page in nothing_new] == [True]
    added = [world.add(kind, "python", f"new {number}") for number in range(PAGE_ITEMS + 5)]
    second = read_all(world.source, kind, ["python"], budget, nothing_new[-1].cursor)
    assert len(second) == 2
    assert [item_id for page in second for item_id in ids_of(page)][: len(added)] == added[::-1]
    assert second[-1].complete


def test_a_listing_that_ends_before_what_was_read_reports_a_gap(world: Listed, budget: RecordingBudget) -> None:
    known = [world.add("posts", "python", f"text {number}") for number in range(20)]
    cursor = read_all(world.source, "posts", ["python"], budget)[-1].cursor
    added = [world.add("posts", "python", f"text {number}") for number in range(LISTING_ITEMS + 30)]
    last = read_all(world.source, "posts", ["python"], budget, cursor)[-1]
    assert (last.complete, last.position) == (False, None)
    assert last.unread is not None
    assert last.unread.reason == "horizon"
    assert last.unread.since is not None
    assert last.unread.until is not None
    assert (last.unread.since[0], last.unread.until[0]) == (known[-1], added[30 + BOUND_ITEMS - 1])
    assert last.load == {"python": LISTING_ITEMS}


def test_feeds_are_merged_newest_first(world: Listed, kind: FeedKind, budget: RecordingBudget) -> None:
    added = [world.add(kind, place, "text") for place in ("python", "linux", "python", "golang", "linux")]
    asked = first(world.source, kind, ["python", "linux"], budget)
    assert ids_of(asked) == [added[4], added[2], added[1], added[0]]


def test_an_empty_feed_is_an_empty_page(world: Listed, budget: RecordingBudget) -> None:
    world.add("posts", "python", "text")
    assert first(world.source, "comments", ["python"], budget).items == ()


def test_a_refused_feed_is_reported(world: Listed, kind: FeedKind, budget: RecordingBudget) -> None:
    world.add(kind, "python", "text")
    world.add(kind, "closed", "text")
    world.close_feed("closed")
    with pytest.raises(FeedRefused) as caught:
        first(world.source, kind, ["closed"], budget)
    assert caught.value.names == ("closed",)
    assert caught.value.reason in ("private", "quarantined", "banned", "missing", "refused")
    with pytest.raises(FeedRefused) as caught:
        first(world.source, kind, ["python", "closed"], budget)
    assert "closed" in caught.value.names
    assert first(world.source, kind, ["python"], budget).items


def test_a_source_does_not_retry_a_transient_failure(world: Listed, kind: FeedKind, budget: RecordingBudget) -> None:
    world.add(kind, "python", "text")
    first(world.source, kind, ["python"], budget)
    before = world.requests()
    world.break_down()
    with pytest.raises(RetryableError):
        first(world.source, kind, ["python"], budget)
    assert world.requests() == before + 1
    assert first(world.source, kind, ["python"], budget).items


def test_a_page_costs_one_request(world: Listed, kind: FeedKind, budget: RecordingBudget) -> None:
    world.add(kind, "python", "text")
    first(world.source, kind, ["python"], budget)
    before = world.requests()
    for _ in range(5):
        first(world.source, kind, ["python"], budget)
    assert world.requests() == before + 5


def test_without_a_token_no_request_is_made(world: Listed, kind: FeedKind) -> None:
    world.add(kind, "python", "text")
    with pytest.raises(BudgetExhausted):
        first(world.source, kind, ["python"], RecordingBudget(tokens=0))
    assert world.requests() == 0


# -- deletions


@pytest.mark.parametrize("name", CHECKED)
def test_places_are_asked_for_together_and_known_by_an_id_that_stays(name: str) -> None:
    tokens = RecordingBudget()
    with CHECKED[name]() as made:
        source, size = made.source, SOURCES[name].places_size or 0
        assert isinstance(source, PlaceCheck)
        for place in ("Python", "rust", "closed", "gone"):
            made.add("posts", place, "text")
        made.close_feed("closed")
        made.remove_feed("gone")
        asked = ["python", "rust", "closed", "gone", "never"]
        answers = source.check_places(asked, tokens)
        assert [(answer.place, answer.state) for answer in answers] == [
            ("python", "ok"), ("rust", "ok"), ("closed", "private"), ("gone", "missing"), ("never", "missing"),
        ]  # fmt: skip
        assert [answer.name for answer in answers[:2]] == ["Python", "rust"], "as the source spells them"
        refs = [answer.ref for answer in answers if answer.ref]
        assert len(set(refs)) == 3
        made.rename_feed("rust", "Oxide")
        found = source.find_places([*refs, "t5_zzzzz", "not an id"], tokens)
        assert [(answer.place, answer.name, answer.state) for answer in found[:2]] == [
            (refs[0], "Python", "ok"), (refs[1], "Oxide", "ok"),
        ]  # fmt: skip
        assert [answer.state for answer in found[2:]] == ["private", "missing", "missing"]
        with pytest.raises(ValueError, match="per request"):
            source.check_places(["x"] * (size + 1), tokens)
        made.break_down()
        with pytest.raises(RetryableError):
            source.check_places(asked, tokens)
        assert tokens.taken == made.requests()


@pytest.mark.parametrize("name", LOOKED_UP)
def test_items_are_looked_up(name: str) -> None:
    with LOOKED_UP[name]() as made:
        kept, deleted = made.add("posts", "python", "one"), made.add("posts", "python", "two")
        made.delete(deleted)
        tokens = RecordingBudget()
        assert isinstance(made.source, ItemLookup)
        checked = made.source.look_up([kept, deleted], tokens)
        assert [item.id for item in checked.items] == [kept]
        # Some sources say that an item is deleted, others leave it out.
        left_out = name in LEAVING_OUT
        assert (checked.gone, checked.absent) == (((), (deleted,)) if left_out else ((deleted,), ()))
        assert checked.unanswered == ()
        assert tokens.taken == made.requests()
        lookup_size = SOURCES[name].lookup_size
        assert lookup_size
        with pytest.raises(ValueError, match="per request"):
            made.source.look_up([kept] * (lookup_size + 1), tokens)


@pytest.mark.parametrize("name", DELETING)
def test_deletions_of_any_place_come_with_the_items(name: str) -> None:
    with DELETING[name]() as made:
        [kind] = SOURCES[name].feeds
        one, two = made.add(kind, "python", "one"), made.add(kind, "linux", "two")
        page = first(made.source, kind, ["python"], RecordingBudget())
        assert (ids_of(page), page.gone) == ([one], ())
        made.delete(one)
        made.delete(two)
        page = first(made.source, kind, ["python"], RecordingBudget(), page.cursor)
        assert (ids_of(page), page.gone) == ([], (one, two))
        assert first(made.source, kind, ["python"], RecordingBudget(), page.cursor).gone == ()


# -- streams


@pytest.fixture(params=STREAMED.values(), ids=STREAMED.keys())
def streamed(request: pytest.FixtureRequest) -> Iterator[Streamed]:
    with request.param() as made:
        yield made


def streamed_until(source: StreamedSource, cursor: str | None, item: str) -> Page:
    """Return what a new connection brings, up to this item."""
    with closing(source.connect(cursor)) as connection:
        return read_until(connection, item)


def begun(world: Streamed) -> str:
    """Read one item from a first connection; return the cursor after it."""
    with closing(world.source.connect(None)) as connection:
        return read_until(connection, world.add("the first one")).cursor


def test_a_stream_begins_with_what_comes_after_its_first_connection(streamed: Streamed) -> None:
    streamed.add("history")
    with closing(streamed.source.connect(None)) as connection:
        one, two = streamed.add("café \U0001f600"), streamed.add("two")
        page = read_until(connection, two)
    assert ids_of(page) == [one, two]
    item, known = page.items[0], SOURCES[streamed.source.name]
    assert (item.source, item.body, item.thread, item.place) == (streamed.source.name, "café \U0001f600", one, ALL)
    assert item.kind in KINDS_IN[known.feeds[0]]
    assert item.author
    assert known.check_author(item.author) == item.author
    assert item.permalink.startswith("https://")
    assert item.created_at > 1_000_000_000
    assert known.item_id.fullmatch(item.id)
    assert msgspec.json.decode(msgspec.json.encode(item), type=Item) == item
    assert (page.gone, page.gone_authors, page.gaps, page.behind) == ((), (), (), False)


def test_a_stream_resumes_at_its_cursor_without_a_gap(streamed: Streamed) -> None:
    cursor = begun(streamed)
    missed = [streamed.add(f"missed {number}") for number in range(200)]
    page = streamed_until(streamed.source, cursor, missed[-1])
    assert ids_of(page)[-200:] == missed
    assert page.gaps == ()
    again = streamed_until(streamed.source, cursor, missed[-1])
    assert ids_of(again)[-200:] == missed, "what was not stored comes again"


def test_deletions_come_with_the_stream(streamed: Streamed) -> None:
    with closing(streamed.source.connect(None)) as connection:
        one = streamed.add("one")
        streamed.delete(one)
        two = streamed.add("two")
        page = read_until(connection, two)
        assert (ids_of(page), page.gone, page.gone_authors) == ([two], (one,), ())
        author = streamed.remove_author()
        three = streamed.add("written later, by an account that has come back")
        page = read_until(connection, three)
        assert ids_of(page) == [three]
        [(gone, until)] = page.gone_authors
        assert gone == author
        assert until == pytest.approx(page.items[0].created_at, abs=1)


def test_a_server_without_what_followed_the_cursor_leaves_a_gap(streamed: Streamed) -> None:
    cursor = begun(streamed)
    streamed.add("lost")
    streamed.forget()
    kept = streamed.add("kept")
    page = streamed_until(streamed.source, cursor, kept)
    assert ids_of(page) == [kept]
    [gap] = page.gaps
    assert gap.since is not None
    assert gap.until is not None
    assert (gap.reason, gap.until[0]) == ("outdated", kept)
    assert gap.since[1] < gap.until[1]
    later = streamed.add("later")
    assert streamed_until(streamed.source, page.cursor, later).gaps == ()


def test_a_refused_connection_is_a_passing_fault(streamed: Streamed) -> None:
    cursor = begun(streamed)
    streamed.break_down()
    with pytest.raises(RetryableError), closing(streamed.source.connect(cursor)) as connection:
        read_on(connection)
    added = streamed.add("later")
    assert ids_of(streamed_until(streamed.source, cursor, added))[-1] == added


def test_what_came_before_a_connection_ended_is_kept(streamed: Streamed) -> None:
    streamed.drop()
    with closing(streamed.source.connect(None)) as connection:
        one = streamed.add("one")
        page = read_until(connection, one)
        assert ids_of(page) == [one]
        with pytest.raises(RetryableError):
            read_on(connection)
    two = streamed.add("two")
    assert ids_of(streamed_until(streamed.source, page.cursor, two))[-1] == two


def test_fetch_reads_no_stream(streamed: Streamed) -> None:
    with pytest.raises(PermanentError, match="stream"):
        first(streamed.source, "items", [ALL], RecordingBudget())
    assert SOURCES[streamed.source.name].check_place("ALL") == ALL
    with pytest.raises(InvalidInput):
        SOURCES[streamed.source.name].check_place("python")
