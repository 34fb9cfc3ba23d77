"""Further forms of a text's words, and that the index is told all of them, with all pairs of neighbours."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overheard.matching.index.fast_words import forms
from overheard.matching.text.fast_reading import read_fast
from overheard.matching.text.variants import variants
from overheard.matching.text.words import read
from tests.unit.matching.test_text import TEXT

_CHAINS = (
    "a|N|n't|’|‘|ʼ|é|東|1|000|v2|V10| |-|‑|.|,|_|“|…|\n|. |, |😂"
    "|\u00ad|\u200d|\u00a0|\u3000|\u0301|\x01|\x1e|\x1f|\ud800"
)
TEXTS = st.one_of(TEXT, st.lists(st.sampled_from(_CHAINS.split("|")), max_size=25).map("".join))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wi-fi WI‐FI wi‑fi ｗｉ－ｆｉ", ["wifi"] * 4),
        ("wi fi, wi--fi, wi -fi, wi_fi, wi–fi", []),
        ("wi-fi-based", ["wifi", "wifibased", "fibased"]),
        ("a-b-c-d-e", ["ab", "abc", "abcd", "bc", "bcd", "bcde", "cd", "cde", "de"]),
        ("node.js next.", ["nodejs"]),
        ("in the U.S.A.", ["us", "usa", "sa"]),
        ("O'Reilly O’Reilly OʼReilly", ["oreilly"] * 3),
        ("I'm don't", ["im"]),
        ("acme's l’Oréal", ["acmes", "loreal"]),
        ("o'neill-smith.com", ["oneill", "oneillsmith", "oneillsmithcom", "neillsmith", "neillsmithcom", "smithcom"]),
        ("covid-19 utf-8 4-day x.1", ["covid19", "utf8", "4day", "x1"]),
        ("3.11 2026-11-27 5'10", []),
        ("1,000 1’000", ["1000", "1000"]),
        ("1,000,000", ["1000000"]),
        ("1,0000 1,00 a,000 x1,000 1,abc 1.000 1-000", []),
        ("3,000.50", ["3000"]),
        ("v2.0 V10.4.2 v2 v2. 0 v2-0 v2.x va.0", ["2", "10", "v2x", "va0"]),
        ("wi\x01-\x01fi so\u200b-\u00adso", ["wifi", "soso"]),
        ("wi-\x1efi", []),
        ("🚀-x", ["🚀x"]),
        ("", []),
    ],
)
def test_variants_of_a_text(text: str, expected: list[str]) -> None:
    assert [form for _, _, form in variants(*read(text))] == expected


def test_a_variant_has_its_place() -> None:
    assert variants(*read("free wi-fi-based v2.0")) == [
        (1, 2, "wifi"),
        (1, 3, "wifibased"),
        (2, 2, "fibased"),
        (4, 1, "2"),
    ]


@given(TEXTS)
def test_variants_are_their_words_joined(text: str) -> None:
    words, separators = read(text)
    found = variants(words, separators)
    assert found == sorted(found)
    assert len(set(found)) == len(found) <= 3 * len(words)
    for start, length, form in found:
        assert start + length <= len(words)
        assert form == ("".join(words[start : start + length]) if length > 1 else words[start][1:])
        assert form


def test_pairs_are_of_words_and_variants() -> None:
    words, pairs = forms("free wi-fi. I'm in")
    assert sorted(words) == ["fi", "free", "i", "im", "in", "m", "wi", "wifi"]
    assert {("free", "wifi"), ("wifi", "i"), ("wifi", "im"), ("fi", "im"), ("im", "in"), ("free", "wi")} <= set(pairs)


def plainly(text: str) -> tuple[set[str], set[tuple[str, str]]]:
    """All forms of a text, and all pairs, by definition."""
    words, separators = read(text)
    places = [(at, 1, word) for at, word in enumerate(words)] + variants(words, separators)
    pairs = {
        (one, two) for start, length, one in places for next_start, _, two in places if start + length == next_start
    }
    return {form for _, _, form in places}, pairs


@given(TEXTS)
@example("a. é, n't. ")
@example("a-b - c.d")
@example("v2. 0")
@example("a“a a’a")
def test_the_index_is_told_all_forms_and_pairs(text: str) -> None:
    expected, expected_pairs = plainly(text)
    found, pairs = forms(text)
    assert set(found) == expected
    assert set(pairs) == expected_pairs


@given(TEXTS)
@example("don't v2.0 o'neill-smith.com“x”")
@example("a\u3000b-\u0301c 東-京")
def test_the_fast_reading_is_the_same(text: str) -> None:
    words, separators = read(text)
    assert read_fast(text) == (words, variants(words, separators))


@given(TEXTS)
def test_words_come_first_and_in_order(text: str) -> None:
    words, _ = read(text)
    found, pairs = forms(text)
    assert found[: len(words)] == words
    assert set(pairwise(words)) <= set(pairs)


@pytest.mark.parametrize("piece", [*_CHAINS.split("|"), "a-", "a.", "n'", "1,000,", "é-", "a-b ", "v2.", "🇩", "\x00"])
def test_the_number_of_forms_and_pairs_follows_the_length(piece: str) -> None:
    text = piece * 10_000
    words, separators = read(text)
    assert len(separators) == len(words) + 1
    found, pairs = forms(text)
    assert len(found) <= 4 * len(words)
    assert sum(1 for _ in pairs) <= 17 * len(words)
