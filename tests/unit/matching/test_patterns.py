"""Regular expressions: which are refused, and what each match of the others contains."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from overheard.matching.language.regex import PatternError, check, compiled, literals
from overheard.matching.text.words import read


@pytest.mark.parametrize(
    ("regex", "found"),
    [
        ("acme", ("acme",)),
        ("Acme DB2", ("acme",)),
        (r"\bdata\s*base\b", ("data",)),
        ("(acme|widget)", ("acme", "widget")),
        ("acme|widget(s|ry)", ("acme", "widget")),
        ("acme|x", ()),
        ("acme|", ()),
        ("ab", ()),
        ("a.c.m.e", ()),
        ("acmes?", ("acme",)),
        ("acmes*x", ("acme",)),
        ("acmes+x", ("acmes",)),
        ("acmes{2}x", ("acmes",)),
        ("acmes{0,3}x", ("acme",)),
        ("(acme)?db", ()),
        ("(acme){2,}db", ("acme",)),
        ("(acme)*database", ("database",)),
        ("(?i:acme) (?P<x>db)", ("acme",)),
        ("(?i)acme", ("acme",)),
        ("[acme]+database[a-z]{3}", ("database",)),
        ("[]abc]xyz", ("xyz",)),
        ("[[:alpha:]]xyz", ("xyz",)),
        (r"\Qacme\E", ()),
        (r"\x61cme", ()),
        (r"\101cme", ()),
        (r"\pLcmex", ("cmex",)),
        (r"\p{Greek}acme", ("acme",)),
        (r"acme\.io|acme\(x", ("acme",)),
        ("café olé", ("caf",)),
        ("Łódź", ()),
        ("(" * 30 + "acme" + ")" * 30, ()),
        ("|".join(f"name{number}" for number in range(60)), ()),
        ("^acme$", ("acme",)),
    ],
)
def test_literals_are_what_each_match_contains(regex: str, found: tuple[str, ...]) -> None:
    assert literals(regex) == found


@pytest.mark.parametrize(
    ("regex", "reason", "hint"),
    [
        ("a*", "nearly every text", "must be there"),
        ("a|", "nearly every text", "must be there"),
        (".", "nearly every text", "must be there"),
        (r"\w+", "nearly every text", "must be there"),
        ("^$", "nearly every text", "must be there"),
        ("(?i)[A-Z]", "nearly every text", "must be there"),
        ("x" * 501, "501 characters, 500 are allowed", "Shorten"),
        ("(a{1000}){1000}", "invalid repetition size", "Syntax"),
        ("(?:(?:a{30}){30}){30}", "RE2 refuses this expression: invalid repetition size", "Syntax"),
        (r"(\pL|x){0,99}z", "pattern too large", "Syntax"),
        (r"a\pLa\pL", "the expression is too large", "Repeat less"),
        ("(abc", "RE2 refuses this expression: missing ): (abc", "Syntax"),
        ("abc**", "bad repetition operator: **", "Syntax"),
        ("a(?=b)", "invalid perl operator", "look-ahead"),
        (r"(a)\1", "invalid escape sequence", "back-references"),
        (r"abc\\\Cd", "single byte", "Write ."),
        ("a\ud800", "half of a character", "Leave"),
    ],
)
def test_an_expression_that_costs_or_finds_too_much_is_refused(regex: str, reason: str, hint: str) -> None:
    with pytest.raises(PatternError) as caught:
        check(regex, False)
    assert (reason in caught.value.reason, hint in caught.value.hint) == (True, True), caught.value.hint


def test_lines_and_case() -> None:
    assert compiled("^db$", False).search("Acme\nDB\n")
    assert not compiled("^db$", True).search("Acme\nDB\n")
    assert not compiled("acme.db", True).search("acme\ndb")
    check(r"(a+)+$", False)
    check(r"\pL+\d", False)


_ATOMS = st.sampled_from(
    [
        "acme",
        "db2",
        "xyz",
        "a",
        "k",
        "é",
        "K",
        ".",
        r"\.",
        " ",
        "-",
        "_",
        "[a-c]",
        "[^a]",
        "[]x]",
        r"\w",
        r"\b",
        r"\d",
        r"\s",
        "$",
        "^",
    ]
)
_QUANTIFIERS = st.sampled_from(["", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}", "+?", "{,2}"])
_REGEXES = st.recursive(
    st.tuples(_ATOMS, _QUANTIFIERS).map("".join),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.tuples(st.sampled_from(["(", "(?:", "(?i:", "(?P<n>"]), inner, st.just(")"), _QUANTIFIERS).map("".join),
    ),
    max_leaves=8,
)
_TEXTS = st.lists(
    st.sampled_from(
        [
            "acme",
            "ACME",
            "db2",
            "xyz",
            "a",
            "b",
            "k",
            "\u212a",
            "ſ",
            "é",
            "e\u0301",
            "n't",
            " ",
            "-",
            "_",
            ".",
            "東",
            "1",
            "😂",
            "{,2}",
        ]
    ),
    max_size=12,
).map("".join)


@given(_REGEXES, _TEXTS)
def test_every_text_that_matches_has_a_word_with_one_of_the_literals(regex: str, text: str) -> None:
    required = literals(regex)
    assume(required)
    try:
        pattern = compiled(regex, False)
    except Exception as error:
        assume("re2" in type(error).__module__)
        raise
    if pattern.search(text):
        words = read(text)[0]
        assert any(literal in word for literal in required for word in words), (required, words)


@given(st.text(st.sampled_from("abc123|()[]{}?*+.\\^$-:<>PQEpLx{},\u00e9 i"), max_size=30))
def test_any_expression_is_refused_or_has_literals(regex: str) -> None:
    assert literals(regex) is not None
    with contextlib.suppress(PatternError):
        check(regex, True)
