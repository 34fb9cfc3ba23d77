"""What `query explain` says: the tree, the anchors, the cost, and what may not be meant."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overheard.matching.index.query_index import matches
from overheard.matching.language import parse
from overheard.matching.tree import DEFAULT_FIELDS, And
from overheard.operations.query_explanation import QueryExplanation, explain
from overheard.operations.query_outline import outline
from tests.evaluator.comparison import case


def explained(text: str) -> QueryExplanation:
    return explain(text, parse(text))


def shown(text: str) -> list[str]:
    return [f"{'  ' * depth}{line}" for depth, line in outline(parse(text))]


def test_the_tree_of_groups() -> None:
    assert shown('acme ("acme db" OR wi-fi) -hiring -title:jobs') == [
        "all of:",
        "  word acme",
        "  any of:",
        '    phrase "acme db"',
        "    word wi-fi (also wifi)",
        "none of:",
        "  word hiring",
        "  word jobs, in the title",
    ]


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("=Rust", "word Rust exactly as written"),
        ("optimi*", "a word that begins with optimi"),
        ("*sql", "a word that ends in sql"),
        ("~monitor", "a word with the stem monitor"),
        ("/acme-?db/", "regular expression acme-?db (any case)"),
        ("=/Acme/", "regular expression Acme (case counts)"),
        ("domain:acme.com", "an address of acme.com or a name below it"),
        ('"rate limit"~0', 'the words "rate limit" in any order, with no other among them'),
        ('"rate limit"~1', 'the words "rate limit" in any order, with at most 1 other among them'),
        ('"rate limit"~5', 'the words "rate limit" in any order, with at most 5 others among them'),
    ],
)
def test_a_leaf(query: str, line: str) -> None:
    assert shown(query) == [line]


def test_what_is_near_each_other() -> None:
    assert shown('title:("acme db" NEAR/5 (slow OR ~crash))') == [
        "near each other, with at most 5 words between:",
        '  phrase "acme db", in the title',
        "  any of:",
        "    word slow, in the title",
        "    a word with the stem crash, in the title",
    ]


def test_what_is_side_by_side_has_no_word_between() -> None:
    assert shown("acme NEAR/0 db") == ["near each other, with no word between:", "  word acme", "  word db"]


def test_the_facts_of_items_and_addresses() -> None:
    assert shown("acme -in:link place:python is:post is:nsfw lang:de author:alice source:reddit") == [
        "all of:",
        "  word acme, outside addresses",
        "  place python",
        "  a post",
        "  marked as not safe for work",
        "  language de",
        "  author alice",
        "  source reddit",
    ]


def test_the_tree_as_objects() -> None:
    assert explained("acme -jobs").tree == {
        "type": "and",
        "parts": [
            {
                "type": "term",
                "text": "acme",
                "kind": "word",
                "also": [],
                "within": None,
                "fields": list(DEFAULT_FIELDS),
                "in_links": None,
                "exact": [],
            },
            {
                "type": "not",
                "part": {
                    "type": "term",
                    "text": "jobs",
                    "kind": "word",
                    "also": [],
                    "within": None,
                    "fields": list(DEFAULT_FIELDS),
                    "in_links": None,
                    "exact": [],
                },
            },
        ],
    }
    types = {part["type"] for part in explained("/acme/ domain:a.com is:post b NEAR/3 c lang:de").tree["parts"]}
    assert types == {"regex", "domain", "kind", "near", "lang"}


@pytest.mark.parametrize(
    ("query", "anchors", "always", "cost"),
    [
        ("the acmedb", ("acmedb",), False, "low"),
        ('"acme db"', ("acme db",), False, "low"),
        ("acme OR bolt", ("acme", "bolt"), False, "low"),
        ("the", ("the",), False, "high"),
        ("what NEAR/3 why", ("why",), False, "medium"),
        ("/acme/", ("/acme",), False, "medium"),
        ("acmedb /[0-9]+/", ("acmedb",), False, "medium"),
        ("/[0-9]+/", ("every item",), True, "high"),
        ("place:python", ("place:python",), True, "high"),
    ],
)
def test_the_cost_follows_the_rarest_words(query: str, anchors: tuple[str, ...], always: bool, cost: str) -> None:
    found = explained(query)
    assert (found.anchors, found.always_evaluated, found.cost) == (anchors, always, cost)


@pytest.mark.parametrize(
    ("query", "warning"),
    [
        ("linear", "linear is a common word: =Linear finds only the name"),
        ("linear -algebra", "linear is a common word: =Linear finds only the name"),
        ("acmedb OR notion", "notion is a common word: =Notion finds only the name"),
        ("the", "the is likely to be found in about 50 of 100 items. Add a rarer word, or a place"),
        (
            'acmedb OR "to be"',
            '"to be" has nothing but frequent words: it is likely to be found very often. Add a rarer',
        ),
        ("what NEAR/3 the", "what NEAR/3 the has nothing but frequent words"),
        ("people (time OR work)", "people AND (time OR work) has nothing but frequent words"),
        ("people time", "people AND time is likely to be found in up to 6 of 100 items"),
        ("iOS 7", 'iOS 7 finds texts with these words anywhere: "iOS 7" finds them side by side'),
        ("acmedb windows 8.1", '"windows 8.1" finds them side by side'),
        ("alternative to acmedb", '"alternative to acmedb" finds them side by side'),
        ("TypeError: Cannot read of undefined", '"TypeError: Cannot read of undefined" finds them side by side'),
        ("acme,bolt", "acme,bolt is found with its signs only: acme OR bolt finds any of these words"),
        ("title:acme,bolt", "title:(acme OR bolt) finds any of these words"),
        ("acmedb OR they", "they is likely to be found in about"),
        ("Acme Database slow", 'Acme Database finds texts with these words anywhere: "Acme Database" finds the name'),
        ("acme -acme", "-acme excludes all that is required beside it: this never matches"),
        ('"acme db" -db', "-db excludes all that is required beside it: this never matches"),
        ('("acme db" OR "acme sql") -(jobs OR acme)', "-acme excludes all that is required beside it"),
        ("acme place:python -place:rust", "-place:rust has no effect beside what is required there"),
        (
            "acme is:post is:comment",
            "is:post and is:comment never hold together; for one of them: is:(post, comment)",
        ),
        ("acme is:self is:link", "never hold together"),
        ("acme source:twitter", "source:twitter: this is not a source. There are reddit, hackernews, "),
        ("acme place:hackernews", "source:hackernews finds everything from that source"),
        ("acme lang:de", "lang:de finds only items whose source tells the language"),
        ("acme (lang:de OR -lang:en)", "lang:de finds only items whose source tells the language"),
        ("title:acme is:comment", "a comment has no title of its own: thread: is the title of its thread"),
        ("acme or", "or is searched for as a word: write OR for the operator"),
        ("=acmedb", "=acmedb does not find the word with a capital"),
        ("/[0-9]+/", "is evaluated for every item: it contains no text of three letters or digits that must occur"),
        ("place:python -is:nsfw", "needs no word: it is evaluated for every item of its places or authors"),
    ],
)
def test_what_may_not_be_meant_is_said(query: str, warning: str) -> None:
    (said,) = explained(query).warnings
    assert warning in said


@pytest.mark.parametrize(
    "query",
    [
        "acmedb",
        "=Linear",
        "title:linear",
        "linear place:cars",
        "linear acmedb",
        '"Acme Database"',
        "acme -jobs",
        "acme -source:twitter -lang:de",
        '"acme db" -"acme hotel"',
        "acme place:(python, rust) -place:cars*",
        'acme "or"',
        "US EU acmedb",
        "#python",
        "@linear -jobs",
        "=Go",
        "=IT jobs",
        "M&M's",
        "it is a long way to acmedb back again then to bolt from there to the end of it all this way to the end",
        "1,000",
        "acmedb 2024",
        '"acme, bolt"',
        "/(foo|bar|baz)+/",
    ],
)
def test_nothing_is_said_about_a_sound_query(query: str) -> None:
    assert explained(query).warnings == ()


@pytest.mark.thorough
@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_query_is_explained_and_what_never_matches_does_not(chance: random.Random) -> None:
    queries, items, _ = case(chance)
    for query in queries:
        explanation = explain(str(query), query)
        assert msgspec.json.encode(explanation)
        assert list(outline(query))
        if any("never" in warning for warning in explanation.warnings) and isinstance(query, And):
            assert [read.item for read in items if matches(query, read.item)] == [], f"{query}: {explanation.warnings}"
