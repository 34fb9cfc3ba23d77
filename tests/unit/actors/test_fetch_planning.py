"""Which feeds share a request: as many as their source accepts at once."""

from __future__ import annotations

from actors.fetch.planning import fitting, overflow_feeds
from overheard.db.groups import FeedRow, Group
from overheard.sources import GroupLimit


def group(number: int, *places: str, room: int | None = None) -> Group:
    feeds = tuple(FeedRow(10 * number + at, "items", place, 0, "memory", number) for at, place in enumerate(places))
    return Group(number, "memory", "items", None, 0.0, 0.0, room, feeds=feeds)


def test_a_source_that_reads_one_feed_at_a_time_has_no_groups() -> None:
    assert fitting(group(1, "a"), [group(2, "b")], GroupLimit()) == []
    assert [feed.place for feed in overflow_feeds(group(1, "a", "b", "c"), GroupLimit())] == ["b", "c"]


def test_a_request_names_as_many_places_and_bytes_as_the_source_takes() -> None:
    others = [group(2, "b"), group(3, "c" * 20), group(4, "d"), group(5, "e")]
    assert [each.id for each in fitting(group(1, "a"), others, GroupLimit(3, 10))] == [2, 4]
    assert [each.id for each in fitting(group(1, "a"), others, GroupLimit(3))] == [2, 3]
    assert [feed.place for feed in overflow_feeds(group(1, "aaaa", "bbbb", "cccc"), GroupLimit(9, 10))] == ["cccc"]
    assert overflow_feeds(group(1, "a" * 50), GroupLimit(9, 10)) == [], "alone it has to be requested all the same"
