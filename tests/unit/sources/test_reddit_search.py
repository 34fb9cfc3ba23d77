"""Searching Reddit's past for backfills, with real PRAW over real HTTP against the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from overheard.errors import FeedRefused
from overheard.simulators.reddit import RedditSimulator
from overheard.sources import ItemSearch, SearchPage, SearchRequest
from overheard.sources.reddit.search import SearchReader
from overheard.sources.reddit.source import RedditSource
from tests.fixtures import Clock
from tests.unit.sources.reddit_world import RecordingBudget, source_of

DAY = 86_400.0


@pytest.fixture
def simulator(clock: Clock) -> Iterator[RedditSimulator]:
    with RedditSimulator(clock=clock, requests_per_minute=10_000) as made:
        yield made


@pytest.fixture
def source(simulator: RedditSimulator, clock: Clock) -> Iterator[RedditSource]:
    made = source_of(simulator, clock=clock)
    yield made
    made.close()


def request(clock: Clock, **more: Any) -> SearchRequest:
    given = {"kinds": ("post",), "places": ("python", "rust"), "since": clock() - 7 * DAY, "until": clock() + 1}
    return SearchRequest(**(given | more))


def pages(source: RedditSource, wanted: SearchRequest, budget: RecordingBudget | None = None) -> list[SearchPage]:
    found = [source.search(wanted, budget or RecordingBudget())]
    while found[-1].position is not None:
        assert len(found) < 40
        wanted = msgspec.structs.replace(wanted, position=found[-1].position)
        found.append(source.search(wanted, budget or RecordingBudget()))
    return found


def ids(found: list[SearchPage]) -> list[str]:
    return [item.id for page in found for item in page.items]


@pytest.mark.parametrize("words", [(), ("acme",), ("acme", "two words")], ids=["all", "a word", "words"])
def test_posts_are_found_newest_first(
    simulator: RedditSimulator, source: RedditSource, clock: Clock, words: tuple[str, ...]
) -> None:
    assert isinstance(source, ItemSearch)
    wanted = []
    for number in range(250):
        wanted.append(simulator.add_post("python" if number % 2 else "rust", f"Acme {number}"))
        clock.advance(60)
    simulator.add_post("elsewhere", "Acme")
    budget = RecordingBudget()
    found = pages(source, request(clock, words=words), budget)
    assert ids(found) == wanted[::-1]
    assert budget.taken == len(found) + 1 == 4, "one request a page, and the login"
    assert not found[-1].truncated


def test_only_posts_with_one_of_the_words_are_found(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    first = simulator.add_post("python", "Something", "about ACME here")
    simulator.add_post("python", "two other words")
    second = simulator.add_post("rust", "these two words")
    assert ids(pages(source, request(clock, words=("acme", 'two "words"')))) == [second, first]


def test_it_stays_within_the_times(simulator: RedditSimulator, source: RedditSource, clock: Clock) -> None:
    now = clock()
    posts = {age: simulator.add_post("python", "acme", created=now - age * DAY) for age in (9, 6, 3, 1)}
    for words in ((), ("acme",)):
        found = pages(source, request(clock, places=("python",), words=words, until=now - 2 * DAY))
        assert ids(found) == [posts[3], posts[6]]


def test_it_ends_at_a_page_of_old_posts(simulator: RedditSimulator, source: RedditSource, clock: Clock) -> None:
    for number in range(400):
        simulator.add_post("python", "acme", created=clock() - (30 - number // 100) * DAY)
    simulator.add_post("python", "acme")
    budget = RecordingBudget()
    found = pages(source, request(clock, places=("python",)), budget)
    assert len(ids(found)) == 1
    assert budget.taken == 3, "one page reaches them, and one has nothing else"
    assert not found[-1].truncated


@pytest.mark.parametrize("words", [(), ("acme",)], ids=["all", "a word"])
@pytest.mark.parametrize(("posts", "truncated"), [(200, False), (900, False), (1000, True), (1100, True)])
def test_that_reddit_shows_no_more_is_told(
    simulator: RedditSimulator, source: RedditSource, clock: Clock, posts: int, truncated: bool, words: tuple[str, ...]
) -> None:
    for _ in range(posts):
        simulator.add_post("python", "acme")
    found = pages(source, request(clock, places=("python",), words=words))
    assert len(set(ids(found))) == min(posts, 1000)
    assert found[-1].truncated is truncated


def test_a_deleted_anchor_ends_no_search(simulator: RedditSimulator, source: RedditSource, clock: Clock) -> None:
    posts = [simulator.add_post("python", "acme") for _ in range(150)]
    first = source.search(request(clock, places=("python",), words=("acme",)), RecordingBudget())
    simulator.delete(first.items[-1].id)
    rest = pages(source, request(clock, places=("python",), words=("acme",), position=first.position))
    assert set(ids([first, *rest])) == set(posts)
    assert not rest[-1].truncated


def test_when_both_anchors_are_gone_it_says_that_there_may_be_more(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    for _ in range(150):
        simulator.add_post("python", "acme")
    first = source.search(request(clock, places=("python",)), RecordingBudget())
    for item in first.items[-2:]:
        simulator.delete(item.id)
    assert pages(source, request(clock, places=("python",), position=first.position))[-1].truncated


def test_a_position_that_cannot_be_read_begins_again(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    post = simulator.add_post("python", "acme")
    for position in ('{"part": "x"}', "[", "{}"):
        assert ids(pages(source, request(clock, places=("python",), position=position))) == [post]


def test_comments_cannot_be_searched(simulator: RedditSimulator, source: RedditSource, clock: Clock) -> None:
    post = simulator.add_post("python", "acme")
    simulator.add_comment(post, "acme")
    budget = RecordingBudget()
    assert source.search(request(clock, kinds=("comment",)), budget) == SearchPage((), truncated=True)
    assert budget.taken == 0
    (both,) = pages(source, request(clock, places=("python",), kinds=("post", "comment")))
    assert ([item.id for item in both.items], both.truncated) == ([post], True)


def test_all_of_reddit_is_searched(simulator: RedditSimulator, source: RedditSource, clock: Clock) -> None:
    posts = [simulator.add_post(name, "acme") for name in ("python", "rust")]
    for words in ((), ("acme",)):
        assert ids(pages(source, request(clock, places=("all",), words=words))) == posts[::-1]


def test_a_refused_place_is_named(simulator: RedditSimulator, source: RedditSource, clock: Clock) -> None:
    simulator.set_subreddit("python", "private")
    with pytest.raises(FeedRefused) as refused:
        source.search(request(clock, places=("python",)), RecordingBudget())
    assert (str(refused.value.reason), refused.value.names) == ("private", ("python",))
    with pytest.raises(FeedRefused, match="missing"):
        source.search(request(clock, places=("a/../../x",)), RecordingBudget())


def test_what_does_not_fit_into_a_request_is_searched_part_after_part(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    places = tuple(f"sub_{number:03}_{'x' * 12}" for number in range(120))
    words = tuple(f"word{number}" + "y" * 40 for number in range(30))
    for place in places:
        simulator.set_subreddit(place)
    first, last = simulator.add_post(places[0], words[-1]), simulator.add_post(places[-1], words[0])
    found = pages(source, request(clock, places=places, words=words))
    assert set(ids(found)) == {first, last}
    assert all(len(line.split()[1]) < 2000 for line in simulator.counters.recent())
    assert len(found) == simulator.counts()["by_endpoint"]["search"] == 3 * 4


@pytest.mark.parametrize(
    ("days", "window"), [(0.02, "hour"), (0.5, "day"), (3, "week"), (20, "month"), (100, "year"), (1000, "all")]
)
def test_the_smallest_window_is_searched(days: float, window: str, clock: Clock) -> None:
    reader = SearchReader(request(clock, words=("x",), since=clock() - days * DAY), clock())
    assert reader.params["t"] == window
    assert reader.params["sort"] == "new"
    assert reader.params["restrict_sr"] == "on"
    assert reader.path == "r/python+rust/search"
