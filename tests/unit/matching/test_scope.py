"""The limits of a query in a workspace file, as a part of its tree."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.items import Item
from overheard.matching.index.query_index import QueryIndex, matches
from overheard.matching.language import QuerySyntaxError, parse
from overheard.matching.language.query_scope import QueryScope, scope_node


def item(**fields: Any) -> Item:
    given = {"source": "reddit", "id": "t3_a", "kind": "post", "place": "Python", "title": "acme", "created_at": 0.0}
    return Item(**(given | fields))


TAG, FEED = "mastodon.social/#acme", "https://example.org/Feed?x=1"


@pytest.mark.parametrize(
    ("scope", "fields", "found"),
    [
        ({}, {}, True),
        ({"places": ("PYTHON",)}, {}, True),
        ({"places": ("rust", "python")}, {}, True),
        ({"places": ("rust",)}, {}, False),
        ({"places": ("pyth",)}, {}, False),
        ({"places": (TAG,)}, {"place": TAG}, True),
        ({"places": (TAG,)}, {"place": "mastodon.social"}, False),
        ({"places": (FEED,)}, {"place": FEED}, True),
        ({"sources": ("reddit",)}, {}, True),
        ({"sources": ("hackernews", "feeds")}, {}, False),
        ({"kinds": ("posts",)}, {}, True),
        ({"kinds": ("comments",)}, {}, False),
        ({"kinds": ("comments",)}, {"kind": "comment", "title": "", "body": "acme"}, True),
        ({"kinds": ("posts", "comments")}, {"kind": "comment", "title": "", "body": "acme"}, True),
        ({"places": ("python",), "sources": ("replay",)}, {}, False),
        ({"places": ("python",), "sources": ("reddit",), "kinds": ("posts",)}, {}, True),
    ],
)
def test_an_item_is_within_all_limits(scope: dict[str, Any], fields: dict[str, Any], found: bool) -> None:
    query = parse("acme", scope=QueryScope(**scope).node)
    given = item(**fields)
    assert (matches(query, given) is not None) is found
    index = QueryIndex()
    index.add(1, query)
    assert [hit.key for hit in index.match(given)] == [1] * found
    assert parse(str(query)) == query


def test_without_limits_the_query_stays_as_it_is() -> None:
    assert scope_node((), (), ()) is None
    assert scope_node((), (), ("posts", "comments")) is None
    assert QueryScope(places=("a",), kinds=("posts",)).node == scope_node(("A",), (), ("posts",))


@pytest.mark.parametrize("scope", [QueryScope(), QueryScope(sources=("reddit",)), QueryScope(kinds=("posts",))])
def test_only_a_place_makes_a_query_without_words_narrow(scope: QueryScope) -> None:
    with pytest.raises(QuerySyntaxError):
        parse("-jobs", scope=scope.node)
    query = parse("-jobs", scope=QueryScope(places=("python",)).node)
    index = QueryIndex()
    index.add(1, query)
    assert [bool(index.match(item(**each))) for each in ({}, {"title": "jobs"}, {"place": "rust"})] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("scope", "reached"),
    [
        (QueryScope(), True),
        (QueryScope(places=("Python",)), True),
        (QueryScope(places=("rust",)), False),
        (QueryScope(sources=("reddit",)), True),
        (QueryScope(sources=("replay",), places=("python",)), False),
    ],
)
def test_what_a_scope_reaches(scope: QueryScope, reached: bool) -> None:
    assert scope.reaches("reddit", "python") is reached
    assert scope.reaches("reddit", "all") is (not scope.sources or "reddit" in scope.sources)
