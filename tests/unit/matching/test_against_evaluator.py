"""The index, and each query alone, find what the plain evaluator finds; and a word finds what its spelling says."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overheard.items import Item
from overheard.matching import document
from overheard.matching.index import QueryIndex
from overheard.matching.spelling import spell, spell_exactly
from overheard.matching.tree import VARIATIONS, ParsedQuery, Term
from tests.evaluator.chunks import exactly_finds, phrase_finds
from tests.evaluator.comparison import Case, alone, cases, difference, parsed, unlike, visible
from tests.evaluator.facts import Covered
from tests.evaluator.holds import places
from tests.evaluator.paragraphs import paragraphs_of
from tests.evaluator.queries import chunks, phrases
from tests.evaluator.texts import items, vocabularies

OWNERS = 3


@pytest.fixture(scope="module", autouse=True)
def all_highlights() -> Iterator[None]:
    """Let no limit cut highlights: the evaluator has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "MAX_HIGHLIGHTS", 100_000)
        yield


slow_texts = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@given(cases)
@slow_texts
def test_a_query_alone_finds_what_the_evaluator_finds(case: Case) -> None:
    texts, some_items = case
    for text in texts:
        query = parsed(text)
        for item in some_items if query is not None else ():
            assert alone(query, item) == "", f"{text!r} {item!r}"


@given(cases, st.randoms(use_true_random=False))
@slow_texts
def test_the_index_finds_what_the_evaluator_finds(case: Case, chance: random.Random) -> None:
    """After additions, replacements and removals, of owners that watch the item."""
    texts, some_items = case
    index = QueryIndex()
    live: dict[int, tuple[ParsedQuery, int]] = {}
    for query in filter(None, map(parsed, texts * 2)):
        key, owner = chance.randrange(8), chance.randrange(OWNERS)
        if chance.random() < 0.2:
            assert index.remove(key) is (live.pop(key, None) is not None)
        index.add(key, query, owner=owner)
        live[key] = query, owner
    if chance.random() < 0.2:
        index.remove_owners({1})
        live = {key: one for key, one in live.items() if one[1] != 1}
    assert len(index) == len(live)
    for item in some_items:
        place_watchers, source_watchers = set(chance.sample(range(OWNERS), 1)), set(chance.sample(range(OWNERS), 1))
        hits = {hit.key: hit for hit in index.match(item, place_watchers, source_watchers)}
        assert list(hits) == sorted(hits)
        for key, (query, owner) in live.items():
            if owner in place_watchers | source_watchers:
                assert difference(query, item, hits.get(key)) == "", f"{query} {item!r}"
            else:
                assert key not in hits
        assert [hit.owner for hit in hits.values()] == [live[key][1] for key in hits]


spelled = vocabularies.flatmap(
    lambda words: st.tuples(st.one_of(chunks(words), phrases(words)), st.lists(items(words), min_size=1, max_size=4))
)


@given(spelled, st.sets(st.sampled_from(VARIATIONS), max_size=2))
@slow_texts
def test_spellings_find_what_the_rules_say(case: tuple[str, list[Item]], exact: set[str]) -> None:
    text, some_items = case
    pieces = tuple(spell(chunk, exact) for chunk in text.split())
    term = Term(pieces, exact=frozenset(exact))
    for item in some_items:
        expected = covered_by(phrase_finds, item, text, exact)
        assert unlike(visible(places(term, item) or set(), item), expected) == "", f"{text!r} {exact} {item!r}"


@given(spelled)
@slow_texts
def test_exact_spellings_find_what_is_written(case: tuple[str, list[Item]]) -> None:
    text, some_items = case
    term = Term((spell_exactly(text),))
    for item in some_items:
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
