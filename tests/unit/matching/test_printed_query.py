"""A query is printed so that it reads as it means, and parses back to an equal tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.matching.language import QuerySyntaxError, parse

_WORDS = st.sampled_from(
    [
        "a",
        "b",
        "C++",
        "b-c",
        "東京",
        "ẞ",
        "it’s",
        "AT&T",
        "--x",
        ":x",
        "//x",
        "not",
        "1,000",
        "x:y",
        "'q'",
        "😂",
        "optimi*",
        "*sql",
        "~monitor",
        "=Rust",
    ]
)
_PHRASES = st.sampled_from(
    ['"AND"', '"a b"', '".net  #x"', '"it’s"', "“a - b”", '"title:a"', '"a b"~5', '="A  b"', '"NEAR/5"']
)
_REGEXES = st.sampled_from(["/abc(d|e)/", "=/Abc /", "/a[/)]bc/i", r"/a\/b/"])
_TERMS = st.one_of(_WORDS, _PHRASES, _REGEXES)
_VALUES = st.sampled_from(
    ["place:r/Python", 'place:"https://a.com/x,y"', "place:(a, b)", 'place:"title:x"', "author:@bob", "author:*bot",
     'author:"=a"', 'author:"-b c"', "domain:(www.a.com, münchen.de)", "is:post", "is:(nsfw, self)", "lang:pt_BR",
     "source:reddit"]
)  # fmt: skip
_FIELDS = st.sampled_from(["title:", "body:", "url:", "thread:", "flair:"])
_OPTIONS = st.sampled_from(
    [" in:link", " -in:link", " in:title", " in:(body, url)", " in:(title, thread)", " exact:dots", " exact:all",
     " exact:(hyphens, accents)"]
)  # fmt: skip
_LEAVES = st.one_of(_TERMS, _VALUES, st.tuples(_FIELDS, _TERMS).map("".join))


def _composed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    joined = st.tuples(inner, st.sampled_from([" ", " AND ", " OR ", " -", " NOT ", " NEAR/3 "]), inner).map("".join)
    return st.one_of(
        joined,
        inner.map("({})".format),
        inner.map("NOT ({})".format),
        st.tuples(_FIELDS, inner).map("{0[0]}({0[1]})".format),
        st.tuples(_FIELDS, _TERMS, _TERMS).map("{0[0]}({0[1]}, {0[2]})".format),
        st.tuples(inner, _OPTIONS).map("(({0[0]}){0[1]})".format),
        st.tuples(_TERMS, _TERMS, _OPTIONS).map("({0[0]} NEAR/4 {0[1]}{0[2]})".format),
    )


_QUERIES = st.recursive(_LEAVES, _composed, max_leaves=12)


@given(_QUERIES)
def test_a_printed_query_parses_to_the_same_tree(text: str) -> None:
    try:
        query = parse(text)
    except QuerySyntaxError:
        return
    printed = str(query)
    assert parse(printed) == query
    assert str(parse(printed)) == printed


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Acme -jobs", "Acme AND NOT jobs"),
        ("a -(b c)", "a AND NOT (b AND c)"),
        ("a -(b OR c)", "a AND NOT (b OR c)"),
        ("a (b OR c) OR d", "a AND (b OR c) OR d"),
        ("“Acme DB” c++", '"Acme DB" AND c++'),
        ('"OR" or', '"OR" AND or'),
        ('"a  b"~0005', '"a b"~5'),
        ("a -(b NEAR/03 (c OR d))", "a AND NOT (b NEAR/3 (c OR d))"),
        ("title:(a OR “b c”)", 'title:a OR title:"b c"'),
        ("a in:link", "url:a"),
        ("url:a -is:nsfw", "url:a AND NOT is:nsfw"),
        ("a b -in:link", "(a -in:link) AND (b -in:link)"),
        ("a in:(body, title) exact:(hyphens, dots)", "(a in:(title, body) exact:dots exact:hyphens)"),
        ("title:(a exact:all in:link)", "(title:a in:link exact:all)"),
        ("title:(--x)", 'title:"--x"'),
        ("title:(:x OR //y)", 'title:":x" OR title:"//y"'),
        ("a OR (b -in:link not)", 'a OR (b -in:link) AND ("not" -in:link)'),
        ("title:(not, near) exact:dots", '(title:"not" exact:dots) OR (title:"near" exact:dots)'),
        ("=/Abc/ title:/d ef/i", "=/Abc/ AND title:/d ef/"),
        ("subreddit:(r/A, u_b)", "place:a OR place:u_b"),
        ("place:https://a.com/x author:@Bob", 'place:"https://a.com/x" AND author:bob'),
        ("domain:www.Acme.com OR domain:xn--mnchen-3ya.de", "domain:acme.com OR domain:münchen.de"),
    ],
)
def test_a_query_is_printed_in_canonical_form(text: str, printed: str) -> None:
    assert str(parse(text)) == printed
    assert parse(printed) == parse(text)
