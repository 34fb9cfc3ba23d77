"""Whatever is put in as a query is a tree or refused with a reason, at once."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overheard.matching.language import MAX_CHARACTERS, QuerySyntaxError, parse, parse_stored, problem_with
from overheard.matching.tree import ParsedQuery

# Bounds of what takes a few milliseconds, wide enough for a machine that is busy with other things.
MAX_SECONDS = 0.5

# fmt: off
_PIECES = [
    "a", "b-c", "AND", "OR", "NOT", "-", "(", ")", '"', "“", " ", "and", "C++", "é", "東京", "*", "😂",
    "\n", "title:", "~", "x.y", "ß", "（", "–", "&&", "\u3000", "#t", "\x00", "\ud800", "near",
    "not", "of", "2", "/", "=", "'", "lang:", "«", "»", "url:", "domain:", "place:", "author:",
    "in:", "exact:", "is:", "link", "hyphens", "nsfw", "a.com", "NEAR/3", "NEAR", "~5", ",", ":",
    "：", "abc*", "~abc", "/abc/", "\\", "[", "]", "?", "$", "\u202e", "subject:", "titel:", "{",
    "}", "+", ".", "www.", "//", "@", "xn--", "r/", "1,000", "TO", "^2", "|",
]
# fmt: on
_SYNTAX = st.lists(st.sampled_from(_PIECES), max_size=40).map("".join)


def is_printed(query: ParsedQuery) -> bool:
    """Return True if the query parses back from its printed form, unless that is longer than a query may be."""
    printed = str(query)
    return len(printed) > MAX_CHARACTERS or parse(printed) == query


@given(st.one_of(st.text(), _SYNTAX, _SYNTAX.map(lambda part: part * 50)))
@example("title:" * 3)
@example('"\x1e"')
@example("domain:xn--\ud800.com")
@example("~\ud800 x")
@example("/\ud800/")
@example("\x01")
def test_parse_raises_only_its_own_error(text: str) -> None:
    query: ParsedQuery | None = None
    error = None
    try:
        query = parse(text)
    except QuerySyntaxError as caught:
        error = caught
    if error is not None:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert error.hint in str(error)
        found = problem_with(text)
        assert found is not None
        assert str(found.error) == str(error)
    else:
        assert (query, None) == parse_stored(text)
        assert is_printed(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "a" * 100_000, "a " * 50_000, "(" * 10_000, ")" * 10_000, "a OR " * 5_000 + "a", "a OR " * 390 + "a",
        "NOT " * 499 + "a", "-" * 2_000, "- " * 1_000, "-a " * 600, '"' * 2_000, '"' * 1_999, '" ' * 1_000,
        "/(a+)+$/", "/a*/", "/((((((((((a?){9}){9}){9}){9}){9}){9}){9}){9}){9})/", "/(a{1000}){1000}/",
        "/(?:(?:(?:a{30}){30}){30}){30}/", r"/(\pL|\w){0,99}/", "/" + "(" * 249 + "a" + ")" * 249 + "/",
        "/" + "x" * 501 + "/", "/" + "[" * 1_990, "/[" * 999, "/a" * 999, "/a[/" * 499, r"/\\" * 499,
        "/[a" * 500 + "]/",
        "a*", "*", "***", "*" * 1_999, "a*" * 999, "/", "//", "///", ":", "a:", ":a", "title:", "title:" * 333,
        "title:(" * 285, "title:(a " * 200, "place:(" * 285, "place:(" + "a," * 990 + ")", "domain:" + "a." * 990,
        "domain:xn--" + "a" * 1_900, "domain:" + "é" * 1_900 + ".com", "a NEAR/3 " * 220, "NEAR/3 " * 280,
        "in:link " * 250, "exact:all " * 200, "a -in:link " * 180, "~" * 2_000, "=" * 2_000, "a~" * 999, "'a " * 666,
        "«a" * 999, "2 of (" * 333, "[a TO " * 333, "\ud800" * 2_000, "\x00" * 2_000, "\u202e" * 2_000,
        "\u202eacme\u202c", "é" * 2_000, "東" * 2_000, "😂" * 2_000, "\u0301" * 2_000, "a\u0301" * 1_000, "," * 2_000,
        "title:(" + "," * 1_900,
        "title:(" + "1," * 900 + ")", "a&" * 999, "a|" * 999, "a?" * 999, "a.b" * 666, "a-" * 999, "\\" * 2_000,
    ],
    ids=lambda text: ascii(text[:12]),
)  # fmt: skip
def test_the_worst_queries_are_read_or_refused_at_once(text: str) -> None:
    started = time.process_time()
    found = problem_with(text)
    assert time.process_time() - started < MAX_SECONDS
    if found is None:
        assert is_printed(parse(text))
    else:
        assert found.error.hint
        assert len(str(found.error)) < 3_000
