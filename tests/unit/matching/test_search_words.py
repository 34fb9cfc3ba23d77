"""Words for a source's search: they narrow, and never exclude what a query matches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.items import Item
from overheard.matching.index.query_index import matches
from overheard.matching.index.search_words import MAX_SEARCH_WORDS, search_words
from overheard.matching.language import parse
from overheard.matching.text.words import read


@pytest.mark.parametrize(
    ("queries", "expected"),
    [
        (["postgres"], ("postgres",)),
        (["Postgres OR mysql", "acmedb"], ("postgres", "mysql", "acmedb")),
        (["the postgres NOT hiring"], ("postgres",)),
        (['"acme db"'], ("acme",)),
        (["node.js"], ("node", "nodejs")),
        (["café"], ("cafe",)),
        (["postgres", "東京"], ()),
        (["don't"], ()),
        (["x"], ()),
        ([" OR ".join(f"word{number}" for number in range(MAX_SEARCH_WORDS + 1))], ()),
        ([], ()),
    ],
)
def test_words_of_which_every_match_has_one(queries: list[str], expected: tuple[str, ...]) -> None:
    assert search_words(map(parse, queries)) == expected


@given(
    st.lists(st.sampled_from(["acme", "db", "Postgres", "the", "zebra", "node.js", "don't"]), min_size=1, max_size=6)
)
def test_a_text_that_matches_contains_one(parts: list[str]) -> None:
    query = parse('(acme postgres) OR "node.js" OR (the zebra NOT db)')
    text = " ".join(parts)
    item = Item(source="reddit", id="t1_1", kind="comment", place="python", body=text, created_at=0.0)
    if matches(query, item):
        assert set(search_words([query])) & set(read(text)[0])
