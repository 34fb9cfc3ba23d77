"""Hacker News's past comes from Algolia: backwards in time, all of it, each item in the form that reading gives it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest

from overheard.errors import BudgetExhausted, RetryableError
from overheard.items import Item
from overheard.sources import ItemSearch, SearchPage, SearchRequest
from overheard.sources.hackernews.search import parse_search, search_params
from tests.unit.sources.hackernews_world import HackerNewsDesk

NOW = 1_795_424_400.0


@pytest.fixture
def desk() -> Iterator[HackerNewsDesk]:
    with HackerNewsDesk() as made:
        yield made


def request(since: float = NOW - 3600, until: float = NOW + 1, **fields: object) -> SearchRequest:
    return msgspec.convert(
        {"kinds": ("post", "comment"), "places": ("all",), "since": since, "until": until} | fields, SearchRequest
    )


def search_all(desk: HackerNewsDesk, asked: SearchRequest) -> list[SearchPage]:
    assert isinstance(desk.source, ItemSearch)
    pages = [desk.source.search(asked, desk.budget)]
    while pages[-1].position is not None:
        pages.append(desk.source.search(msgspec.structs.replace(asked, position=pages[-1].position), desk.budget))
    return pages


def test_found_items_are_as_they_are_read(desk: HackerNewsDesk) -> None:
    simulator = desk.simulator
    story = simulator.add_story("Fast & <small>", "It's fast.\n\nReally.", url="https://acme.example/", author="pg")
    simulator.add_comment(simulator.add_comment(story, "Is it?"), "<b>Yes</b>")
    simulator.add_job("Acme is hiring", "Come.")
    simulator.add_poll("Tabs or spaces?", ["Tabs", "Spaces"])
    simulator.delete(simulator.add_story("deleted"))
    [page] = search_all(desk, request())
    [read] = desk.read()
    by_id = {item.id: item for item in read.items}
    assert {item.id: item for item in page.items} == by_id
    assert len(by_id) == 5
    assert not page.truncated


def test_more_items_than_one_answer_has_are_found(desk: HackerNewsDesk) -> None:
    desk.simulator.add_samples(2500, seconds=3000)
    pages = search_all(desk, request())
    found = [item for page in pages for item in page.items]
    assert len({item.id for item in found}) == 2500
    assert len(pages) == 3
    assert not any(page.truncated for page in pages)
    assert desk.budget.taken == desk.requested("search_by_date") == 3


def test_more_items_in_one_second_than_one_answer_has_are_told(desk: HackerNewsDesk) -> None:
    desk.simulator.add_story("older", created=NOW - 5)
    desk.simulator.add_samples(1100)
    pages = search_all(desk, request())
    assert [page.truncated for page in pages] == [True, False]
    assert len({item.id for page in pages for item in page.items}) == 1001


@pytest.mark.parametrize(("kinds", "count"), [(("post",), 1), (("comment",), 2), (("post", "comment"), 3), ((), 0)])
def test_kinds(desk: HackerNewsDesk, kinds: tuple[str, ...], count: int) -> None:
    story = desk.simulator.add_story("Story")
    desk.simulator.add_comment(story, "one")
    desk.simulator.add_comment(story, "two")
    [page] = search_all(desk, request(kinds=kinds))
    assert len(page.items) == count


def test_times_are_a_half_open_interval_in_whole_seconds(desk: HackerNewsDesk) -> None:
    numbers = [desk.simulator.add_story("Story", created=NOW + second) for second in range(4)]
    [page] = search_all(desk, request(NOW + 0.5, NOW + 2.5))
    assert sorted(int(item.id) for item in page.items) == numbers[:3]
    [page] = search_all(desk, request(NOW + 3, NOW + 3))
    assert page.items == ()


def test_one_plain_word_narrows_the_search() -> None:
    assert search_params(request(words=("postgres",)), 5)["query"] == "postgres"
    for words in ((), ("two", "words"), ("c++",), ("a-b",), ("db",), ("größe",)):
        assert "query" not in search_params(request(words=words), 5), (
            "all words would have to occur, as Algolia sees them"
        )


@pytest.mark.parametrize("position", ["", "{}", '{"until": "x"}', '{"until": 99999999999}'])
def test_a_position_that_is_not_ours_begins_again(desk: HackerNewsDesk, position: str) -> None:
    desk.simulator.add_story("Story")
    assert len(desk.source.search(request(position=position), desk.budget).items) == 1


def test_failures(desk: HackerNewsDesk) -> None:
    faults = desk.simulator.faults
    for status in (400, 403, 404, 429, 500):
        faults.fail(status)
        with pytest.raises(RetryableError, match=str(status)):
            desk.source.search(request(), desk.budget)
    assert desk.budget.blocked == [60.0]
    for text in ("<html>", "[]", '{"hits": 5}', '{"nbHits": 5}', "[" * 100_000):
        faults.body(text)
        with pytest.raises(RetryableError, match="not a list of hits"):
            desk.source.search(request(), desk.budget)
    desk.budget.tokens = desk.budget.taken
    with pytest.raises(BudgetExhausted):
        desk.source.search(request(), desk.budget)


def test_one_bad_hit_costs_only_itself(desk: HackerNewsDesk) -> None:
    good = {"objectID": "5", "created_at_i": 7, "_tags": ["story"], "title": "T"}
    bad = [5, {}, good | {"objectID": "x"}, good | {"created_at_i": 1e30}, good | {"title": 5}]
    desk.simulator.faults.body(json.dumps({"hits": [*bad, good], "nbHits": 6}))
    page = desk.source.search(request(0, 10), desk.budget)
    assert [item.id for item in page.items] == ["5"]
    assert desk.metrics.registry.get_sample_value("overheard_items_unreadable_total", {"source": "hackernews"}) == 5


def test_an_answer_without_a_usable_hit_ends_the_search_and_says_so() -> None:
    answer = parse_search(b'{"hits": [{}], "nbHits": 5000}', 0.0, 10)
    assert answer.page == SearchPage((), truncated=True)


def test_items_can_be_sent(desk: HackerNewsDesk) -> None:
    desk.simulator.add_samples(20)
    [page] = search_all(desk, request())
    assert msgspec.json.decode(msgspec.json.encode(page.items), type=tuple[Item, ...]) == page.items
