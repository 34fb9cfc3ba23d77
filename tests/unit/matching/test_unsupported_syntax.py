"""Syntax of other search languages is refused, with what to write here; what only looks like it is words."""

from __future__ import annotations

import re

import pytest

from overheard.matching.language import QuerySyntaxError, parse, parse_stored, problem_with


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("x 'acme db'", 3, "double quotes only"),
        ("x -‘acme db’", 4, "double quotes only"),
        ("`acme db`", 1, "double quotes only"),
        ("«acme db» OR x", 1, "double quotes only"),
        ("acme and db", 6, "and is not an operator"),
        ('"acme db" or (sql)', 11, "or is not an operator"),
        ("(acme) Or -db", 8, "Or is not an operator"),
        ("acme not jobs", 6, "not is not an operator"),
        ("not jobs acme", 1, "not is not an operator"),
        ("acme OR (not jobs)", 10, "not is not an operator"),
        ("acme near db", 6, "near is not an operator"),
        ("acme NEAR db", 6, "NEAR is not an operator"),
        ("NEAR(acme db)", 1, "NEAR is not an operator"),
        ("acme|acmedb", 1, "| and && are not"),
        ("a acme||db", 3, "| and && are not"),
        ("acme&&db", 1, "| and && are not"),
        ("acme~", 1, "not searched by likeness"),
        ("acme~0.8", 1, "not searched by likeness"),
        ("acme^2", 1, "no weight"),
        ("acme.*", 1, "at the beginning or at the end of one word"),
        ("x opt*m", 3, "at the beginning or at the end of one word"),
        ("*acme*", 1, "at the beginning or at the end of one word"),
        ("wi-f*", 1, "at the beginning or at the end of one word"),
        ("**acme**", 1, "at the beginning or at the end of one word"),
        ("東京*", 1, "in a script without spaces a word is found inside others"),
        ("x -ab*", 4, "at least 3"),
        ("*é1", 1, "at least 3"),
        ('x "optimi* query"', 3, "no wildcards in a phrase"),
        ('"*sql"', 1, "no wildcards in a phrase"),
        ("te?t", 1, "? does not stand for"),
        ("a ~wi-fi", 3, "~ stands in front of one word"),
        ("~monitor*", 1, "at the beginning or at the end of one word"),
        ('"a b" ~2', 7, "touches the phrase"),
        ('"a b"^2', 6, "no weight"),
        ("[a TO b]", 1, "no ranges"),
        ("x {1 TO 5}", 3, "no ranges"),
        ("/https?://acme/", 1, "a / ends an expression"),
        ("titel:acme", 1, "titel: is not a field"),
        ("x titel: acme", 3, "titel: is not a field"),
        ('Autor:"a b"', 1, "Autor: is not a field"),
        ("site:acme.com", 1, "site: is not a field"),
        ("x -score:5", 4, "score: is not a field"),
        ("subject:(a b)", 1, "subject: is not a field"),
        ("acme near/5 db", 6, "near/5 is not an operator"),
        ("acme w/5 db", 6, "w/5 is not an operator"),
        ("acme AROUND(5) db", 6, "AROUND is not an operator"),
        ("acme NEAR3 db", 6, "NEAR3 is not an operator"),
        ("acme NEAR/ db", 6, "NEAR/ is not an operator"),
        ("acme NEAR/x db", 6, "NEAR/x is not an operator"),
        ("acme NEAR/-1 db", 6, "NEAR/-1 is not an operator"),
        ("acme ADJ5 db", 6, "ADJ5 is not an operator"),
        ("from:me", 1, "from: is not a field"),
        ("label:bug", 1, "label: is not a field"),
        ("x filter:links", 3, "filter: is not a field"),
        ("tags:story", 1, "tags: is not a field"),
        ("x min_faves:5", 3, "min_faves: is not a field"),
        ("acme stars:>10", 6, "no comparisons"),
        ("acme points>5", 6, "no comparisons"),
        ("%acme%", 1, "% does not stand"),
        ("x acme%", 3, "% does not stand"),
        ("2 of (a b c)", 1, "2 of"),
        ("x OR any OF (a OR b)", 6, "any OF"),
    ],
)
def test_unsupported_syntax_is_refused_with_what_to_write_instead(text: str, column: int, message: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert (error.column, message in error.message) == (column, True), error.message
    assert "Write" in error.hint or "Drop" in error.hint or "Leave" in error.hint
    # The query that a hint puts into quotes is valid.
    for quoted in re.findall(r'"[^"]+"', error.hint):
        parse(quoted)
    # A stored query keeps its meaning, and is reported as one that would be refused today.
    found = problem_with(text)
    assert found is not None
    assert str(found.error) == str(error)
    assert found.matched
    assert parse_stored(text)[1] is not None


def test_the_suggestions_of_hints_are_valid_queries() -> None:
    """A query that a hint suggests must not lead to the next error."""
    for text in (
        '"foo"', '"title:a"', "x -b", "and", '"AND"', "acme -jobs", 'acme OR "acme db"', 'a "and" b',
        '"rate limit"~5', "a NEAR/3 b AND b NEAR/3 c", "optimi* NEAR/0 query", "x -(a NEAR/3 b)",
        "title:(a NEAR/5 b)", "title:=Word", "x in:(title, body)", '=Word ="A Phrase"', "~monitor",
        "domain:acme.com", "x source:reddit", "place:(one, two)", "x -place:(one, two)", "(a OR b) in:link",
        "author:auto* x", "author:*bot x", "acme -is:nsfw", "/(?s)abc/",
    ):  # fmt: skip
        assert problem_with(text) is None, text


@pytest.mark.parametrize(
    "text",
    [
        "foo::bar", "std::vector", "from::x", "http://acme.com", "file:///etc", "https://a.b/c?d=e", "12:30", "acme:db",
        "re:invent", "AT&T", "R&D", "a=b", "a~b", "~/bin", "/r/python", "/r/python/", "/u/acme/", "/etc/nginx",
        "'acme'", "rock 'n' roll", "the '90s", "dogs' acme", "'tis acme", "don't acme", "and", "or", "not",
        "near", "acme OR and", "acme and", "or acme", "near acme", "NEAR", "NEAR protocol", "2 of acme", "of (a b)",
        "3 (of)", '"acme and db"', '"2 of" (a b)', '"title:acme"', '"=X" "~x" "/x/" "a|b" "\'acme db\'"',
        "android oregano nothing", "C++ c# .NET #tag @name $TSLA", "acme --db", "what's up?", "x^y", "60,000",
        "clang:tidy golang:1.21 resource:x battle:net", "url://x title::y is::z", "/etc/nginx/ /var/log", "/home/a",
        "and/or w/ x w/5", "[acme] {acme} [a", "acme? really??",
        "TO a", "=/r/x/", "r/python u/acme", "acme,", "around (a)",
        "/acme/x.html", "100% 5%-10% %20", "acme <3 a>b love<3", "NEAR acme", "adj5 x",
    ],
)  # fmt: skip
def test_words_that_only_look_like_unsupported_syntax_are_words(text: str) -> None:
    assert (parse(text), None) == parse_stored(text)
    assert problem_with(text) is None
