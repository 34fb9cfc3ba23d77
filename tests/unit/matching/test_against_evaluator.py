"""The index, and each query alone, find what the plain evaluator finds; and a word finds what its spelling says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overheard.items import Item
from overheard.matching import document
from overheard.matching.index import QueryIndex, matches
from overheard.matching.spelling import spell, spell_exactly
from overheard.matching.tree import VARIATIONS, ParsedQuery, Term, Variation
from tests.evaluator import texts
from tests.evaluator.chunks import exactly_finds, phrase_finds
from tests.evaluator.comparison import case, difference, unlike, visible
from tests.evaluator.facts import Covered
from tests.evaluator.holds import places
from tests.evaluator.paragraphs import paragraphs_of
from tests.evaluator.queries import chunk, phrase

OWNERS = 3


@pytest.fixture(scope="module", autouse=True)
def all_highlights() -> Iterator[None]:
    """Let no limit cut highlights: the evaluator has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "MAX_HIGHLIGHTS", 100_000)
        yield


chances = st.randoms(use_true_random=False)
slow = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@given(chances)
@slow
def test_a_query_alone_finds_what_the_evaluator_finds(chance: random.Random) -> None:
    queries, items = case(chance)
    for query, item in product(queries, items):
        assert difference(query, item, matches(query, item)) == "", f"{query} {item!r}"


@given(chances)
@slow
def test_the_index_finds_what_the_evaluator_finds(chance: random.Random) -> None:
    """After additions, replacements and removals, of owners that watch the item."""
    queries, items = case(chance)
    index = QueryIndex()
    live: dict[int, tuple[ParsedQuery, int]] = {}
    for query in queries * 2:
        key, owner = chance.randrange(8), chance.randrange(OWNERS)
        if chance.random() < 0.2:
            assert index.remove(key) is (live.pop(key, None) is not None)
        index.add(key, query, owner=owner)
        live[key] = query, owner
    if chance.random() < 0.2:
        index.remove_owners({1})
        live = {key: one for key, one in live.items() if one[1] != 1}
    assert len(index) == len(live)
    for item in items:
        place_watchers, source_watchers = {chance.randrange(OWNERS)}, {chance.randrange(OWNERS)}
        hits = {hit.key: hit for hit in index.match(item, place_watchers, source_watchers)}
        assert list(hits) == sorted(hits)
        for key, (query, owner) in live.items():
            if owner in place_watchers | source_watchers:
                assert difference(query, item, hits.get(key)) == "", f"{query} {item!r}"
            else:
                assert key not in hits
        assert [hit.owner for hit in hits.values()] == [live[key][1] for key in hits]


@given(chances, st.sets(st.sampled_from(VARIATIONS), max_size=2))
@slow
def test_spellings_find_what_the_rules_say(chance: random.Random, exact: set[Variation]) -> None:
    words = texts.vocabulary(chance)
    text = chance.choice((chunk, phrase))(chance, words)
    term = Term(tuple(spell(one, exact) for one in text.split()), exact=frozenset(exact))
    for item in (texts.item(chance, words) for _ in range(3)):
        expected = covered_by(phrase_finds, item, text, exact)
        assert unlike(visible(places(term, item) or set(), item), expected) == "", f"{text!r} {exact} {item!r}"


@given(chances)
@slow
def test_exact_spellings_find_what_is_written(chance: random.Random) -> None:
    words = texts.vocabulary(chance)
    text = chance.choice((chunk, phrase))(chance, words)
    term = Term((spell_exactly(text),))
    for item in (texts.item(chance, words) for _ in range(3)):
        expected = covered_by(exactly_finds, item, text)
        assert unlike(visible(places(term, item) or set(), item), expected) == "", f"={text!r} {item!r}"


def covered_by(find, item: Item, text: str, *further: object) -> Covered:  # type: ignore[no-untyped-def]
    found = {
        (paragraph.field, at)
        for paragraph in paragraphs_of(item)
        if paragraph.field in ("title", "body", "url")
        for place in find(text, paragraph, *further)
        for at in range(place.start, place.end)
    }
    return visible(found, item)
