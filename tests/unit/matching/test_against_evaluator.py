"""The index, and each query alone, find what the plain evaluator finds; and a word finds what its spelling says."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overheard.items import Item, WatchKey
from overheard.matching.index.query_index import MAX_SHELVES, QueryIndex, matches
from overheard.matching.item import document, plain_texts
from overheard.matching.markup import flow
from overheard.matching.tree import VARIATIONS, ParsedQuery, Variation
from tests import corpus
from tests.evaluator import texts
from tests.evaluator.__main__ import compare
from tests.evaluator.comparison import (
    case,
    difference,
    difference_of_exact_spelling,
    difference_of_spelling,
    parsed,
)
from tests.evaluator.masking import BREAK, mask
from tests.evaluator.paragraphs import ReadItem, read_item
from tests.evaluator.queries import chunk, phrase
from tests.evaluator.words import Char, read

OWNERS = 3


@pytest.fixture(scope="module", autouse=True)
def all_highlights() -> Iterator[None]:
    """Let no limit cut highlights: the evaluator has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(document, "MAX_HIGHLIGHTS", 100_000)
        patch.setattr(plain_texts, "MAX_FURTHER", 100_000)
        patch.setattr(plain_texts, "MAX_FURTHER_CHARACTERS", 100_000)
        yield


chances = st.randoms(use_true_random=False)
slow = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.thorough
@given(chances)
@slow
def test_a_query_alone_finds_what_the_evaluator_finds(chance: random.Random) -> None:
    queries, items, _ = case(chance)
    for query, item in product(queries, items):
        assert difference(query, item, matches(query, item.item)) == "", f"{query} {item.item!r}"


@pytest.mark.thorough
@given(chances)
@slow
def test_the_index_finds_what_the_evaluator_finds(chance: random.Random) -> None:
    """After additions, replacements and removals, of owners that watch the item."""
    queries, items, learned = case(chance)
    index = QueryIndex(chance.choice((None, learned)))
    live: dict[int, tuple[ParsedQuery, int]] = {}
    watched: dict[int, list[WatchKey]] = {}
    for query in queries * 2:
        key, owner = chance.randrange(8), chance.randrange(OWNERS)
        if chance.random() < 0.5:
            watcher = chance.randrange(OWNERS)
            watched[watcher] = some_places(chance, [item.item for item in items])
            index.watch(watcher, watched[watcher])
        if chance.random() < 0.2:
            assert index.remove(key) is (live.pop(key, None) is not None)
        index.add(key, query, owner=owner)
        live[key] = query, owner
    if chance.random() < 0.2:
        index.remove_owners({1})
        live = {key: one for key, one in live.items() if one[1] != 1}
    assert len(index) == len(live)
    for item in items:
        found_in = item.item.found_in
        hits = {hit.key: hit for hit in index.match(item.item, found_in)}
        assert list(hits) == sorted(hits)
        for key, (query, owner) in live.items():
            if not set(found_in).isdisjoint(watched.get(owner, ())):
                assert difference(query, item, hits.get(key)) == "", f"{query} {item.item!r}"
            else:
                assert key not in hits
        assert [hit.owner for hit in hits.values()] == [live[key][1] for key in hits]


def some_places(chance: random.Random, items: Sequence[Item]) -> list[WatchKey]:
    """Some places of the items, and sometimes more others than an owner has shelves."""
    places = {place for item in items for place in item.found_in if chance.random() < 0.4}
    if chance.random() < 0.3:
        places |= {("reddit", "post", f"other{number}") for number in range(MAX_SHELVES)}
    return sorted(places)


@pytest.mark.thorough
@given(chances, st.sets(st.sampled_from(VARIATIONS), max_size=2))
@slow
def test_spellings_find_what_the_rules_say(chance: random.Random, exact: set[Variation]) -> None:
    words = texts.vocabulary(chance)
    text = chance.choice((chunk, phrase))(chance, words)
    for item in (read_item(texts.item(chance, words)) for _ in range(3)):
        assert difference_of_spelling(text, exact, item) == "", f"{text!r} {exact} {item.item!r}"


@pytest.mark.thorough
@given(chances)
@slow
def test_exact_spellings_find_what_is_written(chance: random.Random) -> None:
    words = texts.vocabulary(chance)
    text = chance.choice((chunk, phrase))(chance, words)
    for item in (read_item(texts.item(chance, words)) for _ in range(3)):
        assert difference_of_exact_spelling(text, item) == "", f"={text!r} {item.item!r}"


def test_the_comparison_of_very_many_pairs_prints_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(pairs=100, seed=1) == 0
    assert "pairs of a query and an item" in capsys.readouterr().out


def test_a_mismatch_is_seen(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(document.Document, "has_term", lambda *_: False)
    assert compare(pairs=100, seed=1) > 0
    assert "should hold: True" in capsys.readouterr().out


@pytest.mark.parametrize("text", [corpus.source()])
def test_the_index_finds_what_the_evaluator_finds_in_real_text(text: str) -> None:
    """Of OVERHEARD_CORPUS if it is set, otherwise of the sample: the test's name says which."""
    chance = random.Random(7)
    posts = corpus.posts()
    items = [real_item(post["title"], post["body"][:600]) for post in chance.sample(posts, min(len(posts), 80))]
    readable = [item for item in items if reads_markup_alike(item.item)]
    # What people write is not always the Markdown that the evaluator knows.
    assert len(readable) > 0.95 * len(items), text
    queries = list(filter(None, (parsed(real_query(chance, readable)) for _ in range(80))))
    index = QueryIndex()
    for key, query in enumerate(queries):
        index.add(key, query)
    found = 0
    for item in readable:
        hits = {hit.key: hit for hit in index.match(item.item)}
        for key, query in enumerate(queries):
            assert difference(query, item, hits.get(key)) == "", f"{query} {item.item!r}"
        found += len(hits)
    assert found > 100, text


def real_item(title: str, body: str) -> ReadItem:
    return read_item(Item(source="reddit", id="1", kind="post", place="all", title=title, body=body, created_at=0.0))


def reads_markup_alike(item: Item) -> bool:
    """Return True if the evaluator takes the same words, addresses and paragraphs out of an item's texts."""
    for text in (item.title, item.body):
        masked, expected = flow(text), mask(text)
        if list(masked.targets) != expected.targets or list(masked.links) != expected.links:
            return False
        if paragraphs_of_words(masked.masked) != paragraphs_of_words(expected.flow):
            return False
    return True


def paragraphs_of_words(masked: str) -> list[list[str]]:
    read_parts = [read([Char(char, 0) for char in part], "body") for part in masked.split(BREAK)]
    return [[word.folded for word in part.words] for part in read_parts if part.words]


def real_query(chance: random.Random, items: list[ReadItem]) -> str:
    """Return a query of chunks that stand in one of the texts."""
    chunks = [chunk for chunk in chance.choice(items).item.title.split() if chunk.isalpha() or chance.random() < 0.5]
    a, b = (chance.choice(chunks or ["the"]) for _ in range(2))
    start = chance.randrange(max(1, len(chunks) - 3))
    phrase = " ".join(chunks[start : start + chance.randint(2, 3)]).replace('"', "")
    forms = (
        a,
        f'"{phrase}"',
        f"{a} {b}",
        f"{a} -{b}",
        f'{a} OR "{phrase}"',
        f'"{phrase}"~5',
        f"{a} NEAR/5 {b}",
        f"={a}",
    )
    return chance.choice((*forms, f"title:{a}", f"body:{a}", f"({a} -in:link)", f"({a} exact:all)", f"{a[:4]}*"))
