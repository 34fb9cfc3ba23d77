"""What users may write, what it means, and the error for what means nothing."""

from __future__ import annotations

import re

import pytest

from overheard.items import Item
from overheard.matching.index.query_index import matches
from overheard.matching.language import MAX_CHARACTERS, QuerySyntaxError, parse, parse_stored, problem_with
from overheard.matching.language.spelling import spell, spell_exactly
from overheard.matching.tree import Affix, And, Attribute, Domain, Near, Node, Not, Or, Pattern, Stem, Term, Where


def word(*chunks: str) -> Term:
    """Return the term for a word, or a phrase of several."""
    return Term(tuple(map(spell, chunks)))


def exactly(text: str) -> Term:
    return Term((spell_exactly(text),))


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("acme", word("acme")),
        ("  ACME\n", word("acme")),
        ("acme db", And((word("acme"), word("db")))),
        ('"acme db"', word("acme", "db")),
        ("“acme db”", word("acme", "db")),
        ('"acme db”', word("acme", "db")),
        ("acme-db", word("acme-db")),
        ("a b OR c d", Or((And((word("a"), word("b"))), And((word("c"), word("d")))))),
        ("a AND (b OR c)", And((word("a"), Or((word("b"), word("c")))))),
        ("a NOT b OR c", Or((And((word("a"), Not(word("b")))), word("c")))),
        ("a -b", And((word("a"), Not(word("b"))))),
        ("a –b", And((word("a"), Not(word("b"))))),
        ('a -"b c"', And((word("a"), Not(word("b", "c"))))),
        ("a -(b OR c)", And((word("a"), Not(Or((word("b"), word("c"))))))),
        ("NOT NOT a", word("a")),
        ("a AND (b AND c)", And((word("a"), word("b"), word("c")))),
        ("a (b OR (c OR d))", And((word("a"), Or((word("b"), word("c"), word("d")))))),
        ("（a OR b）", Or((word("a"), word("b")))),
        ('a "and" b "or" not', And((word("a"), word("and"), word("b"), word("or"), word("not")))),
        ("ANDROID ORANGE NOTHING", And((word("android"), word("orange"), word("nothing")))),
        ("a OR(b)", Or((word("a"), word("b")))),
        ('"AND"', word("and")),
        ("--verbose", word("verbose")),
        ("東京", word("東京")),
        ("don’t", word("don't")),
        ("a 😂", And((word("a"), word("😂")))),
        (".NET core", And((word(".NET"), word("core")))),
        ('"learn - C#"', word("learn", "C#")),
        ('"wi-fi in the café"', word("wi-fi", "in", "the", "café")),
        ("=Rust", exactly("Rust")),
        ('="Rust  Lang"', exactly("Rust Lang")),
        ('"rate limit"~5', Term((spell("rate"), spell("limit")), within=5)),
        ("“rate limit”~0", Term((spell("rate"), spell("limit")), within=0)),
        ("optimi*", Term((Affix("optimi"),))),
        ("*SQL", Term((Affix("sql", at_end=True),))),
        ("~monitoring", Term((Stem("monitor"),))),
        ("~Monitors", Term((Stem("monitor"),))),
        ("a NEAR/15 b", Near((word("a"),), (word("b"),), 15)),
        ('"a b" NEAR/0 =C', Near((word("a", "b"),), (exactly("C"),), 0)),
        (
            "a NEAR/3 (b OR (c OR opt*)) d",
            And((Near((word("a"),), (word("b"), word("c"), Term((Affix("opt"),))), 3), word("d"))),
        ),
        ("a b NEAR/2 c d", And((word("a"), Near((word("b"),), (word("c"),), 2), word("d")))),
        ("x -(a NEAR/3 b)", And((word("x"), Not(Near((word("a"),), (word("b"),), 3))))),
        ("/acme(db)?/", Pattern("acme(db)?")),
        ("/acme (db|sql)/i x", And((Pattern("acme (db|sql)"), word("x")))),
        ("=/Acme[/)]x/", Pattern("Acme[/)]x", case=True)),
        (r"/acme\/db/", Pattern(r"acme\/db")),
        ("NOT (NOT a OR b)", Not(Or((Not(word("a")), word("b"))))),
        ("(" * 50 + "a" + ")" * 50, word("a")),
        ("NOT " * 400 + "a", word("a")),
    ],
)
def test_a_query_means_its_tree(text: str, root: Node) -> None:
    assert parse(text) == root


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "empty"),
        (" \n ", 1, 1, "empty"),
        ("a AND", 1, 3, "AND has nothing on its right"),
        ("a OR (b AND )", 1, 9, "AND has nothing on its right"),
        ("a NOT", 1, 3, "NOT has nothing on its right"),
        ("OR a", 1, 1, "OR has nothing on its left"),
        ("a (AND b)", 1, 4, "AND has nothing on its left"),
        ("a OR AND b", 1, 6, "AND cannot follow OR"),
        ("a (b", 1, 3, "never closed"),
        ("(a) (b (c)", 1, 5, "never closed"),
        ("a) b", 1, 2, "closes nothing"),
        ("a ()", 1, 3, "nothing between"),
        ('a "b c', 1, 3, "never closed"),
        ('a "..."', 1, 3, "no word"),
        ('a "* *"', 1, 3, "no word"),
        ("=...", 1, 1, "no word"),
        ('="?"', 1, 1, "no word"),
        ("a = b", 1, 3, "= is not a word"),
        ('a ~"b c"', 1, 3, "~ is not a word"),
        ("a && b", 1, 3, "&& is not a word"),
        ("a - b", 1, 3, "- is not a word"),
        ("NEAR/5 a", 1, 1, "NEAR/5 has nothing on its left"),
        ("a NEAR/5", 1, 3, "NEAR/5 has nothing on its right"),
        ("a NEAR/5 OR b", 1, 10, "OR cannot follow NEAR/5"),
        ("a OR NEAR/5 b", 1, 6, "NEAR/5 cannot follow OR"),
        ("a NEAR/3 b NEAR/3 c", 1, 12, "NEAR cannot follow another NEAR"),
        ("-a NEAR/3 b", 1, 1, "NEAR/3 joins words and phrases"),
        ("a NEAR/3 (b c)", 1, 3, "NEAR/3 joins words and phrases"),
        ("a NEAR/3 (b OR -c)", 1, 3, "NEAR/3 joins words and phrases"),
        ("a NEAR/3 /b.c/", 1, 3, "NEAR/3 joins words and phrases"),
        ('a NEAR/3 "b c"~2', 1, 3, "NEAR/3 joins words and phrases"),
        ("a NEAR/51 b", 1, 3, "more than 50 words"),
        ("a NEAR/99999999999999999999 b", 1, 3, "more than 50 words"),
        ('x "a b"~51', 1, 8, "more than 50 words"),
        ('"a b"~x', 1, 6, "~x is not a distance"),
        ('"a b"~', 1, 6, "~ is not a distance"),
        ('"a b"~0.8', 1, 6, "~0.8 is not a distance"),
        ('"a ..."~3', 1, 8, "needs several words"),
        ('="a b"~3', 1, 1, "= and ~ contradict"),
        ("x ==Acme", 1, 3, "= cannot stand in front of =Acme"),
        ("=optimi*", 1, 1, "= cannot stand in front of optimi*"),
        ("=~acme", 1, 1, "= cannot stand in front of ~acme"),
        ("=title:Acme", 1, 1, "= cannot stand in front of title:Acme"),
        ("x /acme/g", 1, 9, "g after a regular expression"),
        ("=/acme/i", 1, 8, "= and i contradict"),
        ("x /a{3}(b/", 1, 3, "RE2 refuses this expression: missing )"),
        ("a !b", 1, 3, "! does not exclude"),
        ("NOT a", 1, 1, "nearly every text"),
        ("-a -b", 1, 1, "nearly every text"),
        ("a OR -b", 1, 6, "nearly every text"),
        ("a OR NOT -(NOT b)", 1, 12, "nearly every text"),
        ("a OR NOT NOT NOT b", 1, 6, "nearly every text"),
        ("is:post", 1, 1, "nearly every text"),
        ("a OR (is:post lang:en)", 1, 7, "nearly every text"),
        ("source:reddit -a", 1, 1, "nearly every text"),
        ("-place:python", 1, 1, "nearly every text"),
        ("author:*bot", 1, 1, "nearly every text"),
        ("(a -b) OR\n (-c AND NOT d)", 2, 3, "nearly every text"),
        ("NOT (a OR NOT b) OR (c OR NOT d)", 1, 27, "nearly every text"),
        ("a\nb\n  ) c", 3, 3, "closes nothing"),
        ("x" * 2_001, 1, 2_001, "2,001 characters"),
        ("(" * 51 + "a" + ")" * 51, 1, 51, "50 deep"),
        (" ".join("a" * 201), 1, 401, "200 terms"),
        ("title:(" * 3 + "a" + ")" * 3, 1, 8, "inside the brackets"),
        ("/abc/ " * 6, 1, 31, "more than 5 regular expressions"),
        ("abc* ~abc " * 10 + "/abc/", 1, 101, "more than 20 wildcards"),
    ],
)
def test_an_error_says_where_and_why(text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert message in error.message
    assert error.text == text
    assert error.hint
    shown, caret = str(error).splitlines()[1:3]
    wide = text.split("\n")[line - 1]
    if caret.index("^") - 4 < len(shown) - 4:
        assert shown[caret.index("^")] == wide[column - 1]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ('x OR "' + "c++ " * 21 + '"', 6, "a phrase of 21 words, 20 are allowed"),
        ("x " + "a-" * 21, 3, "a phrase of 21 words"),
        ('"' + "a " * 20 + 'a"', 1, "a phrase of 21 words"),
        ("=" + "a-" * 21, 1, "a phrase of 21 words"),
        (" ".join(["a-b-c"] * 67), 397, "more than 200 words"),
        ("東" * 41, 1, "a phrase of 21 words"),
    ],
)
def test_too_many_words_are_refused_but_stored_queries_still_match(text: str, column: int, message: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    assert (caught.value.column, message in caught.value.message) == (column, True), caught.value.message
    found = problem_with(text)
    assert found is not None
    assert found.matched
    assert parse_stored(text)[1] is not None


def test_the_allowed_number_of_words_is_accepted() -> None:
    university = "มหาวิทยาลัยเทคโนโลยีพระจอมเกล้าธนบุรี"  # one name, and thirty characters
    for text in ('"' + "c++ " * 20 + '"', " ".join(["a-b"] * 100), "東" * 40, university):
        assert (parse(text), None) == parse_stored(text)
        assert problem_with(text) is None


def test_a_stored_text_that_was_never_a_query_is_not_matched() -> None:
    for text in ("acme AND", "NOT acme", "", '"x'):
        found = problem_with(text)
        assert found is not None
        assert not found.matched
        with pytest.raises(QuerySyntaxError):
            parse_stored(text)


_NARROW = Attribute("place", "python")


@pytest.mark.parametrize(
    "text",
    [
        "place:python", "author:x -jobs", "place:a OR author:b", "acme OR place:a", "lang:en place:(a, b)",
        "NOT (NOT place:x OR lang:en)", "domain:acme.com", "/acme/", "url:acme", "(lang:en a) OR (is:self b)",
    ],
)  # fmt: skip
def test_a_query_needs_a_term_or_an_author_or_a_place(text: str) -> None:
    assert problem_with(text) is None


def test_a_scope_is_joined_to_the_query_and_makes_it_narrow() -> None:
    assert parse("acme", scope=_NARROW) == And((_NARROW, word("acme")))
    assert parse("a OR b", scope=_NARROW) == And((_NARROW, Or((word("a"), word("b")))))
    assert parse("-jobs", scope=_NARROW) == And((_NARROW, Not(word("jobs"))))
    assert parse("is:post", scope=_NARROW) == And((_NARROW, Attribute("kind", "post")))
    with pytest.raises(QuerySyntaxError):
        parse("-jobs", scope=Attribute("source", "reddit"))
    assert parse_stored("-jobs", scope=_NARROW) == (parse("-jobs", scope=_NARROW), None)
    assert problem_with("-jobs", scope=_NARROW) is None
    assert problem_with("-jobs") is not None


def test_a_domain_or_an_attribute_is_a_node_of_its_own() -> None:
    assert parse("acme -domain:acme.com") == And((word("acme"), Not(Domain("acme.com"))))
    assert parse("acme title:db") == And((word("acme"), Term((spell("db"),), where=Where(("title",)))))


def test_an_error_shows_the_query_with_a_caret_and_a_hint() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse("acme AND")
    assert str(caught.value).splitlines() == [
        "AND has nothing on its right (column 6)",
        "    acme AND",
        "         ^",
        "Add a word there. To search for the word itself, write it in lower case or in quotes.",
    ]


def test_a_query_of_the_allowed_length_is_accepted() -> None:
    assert parse(("a" * 9 + " ") * (MAX_CHARACTERS // 10))


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("\u200ftitle:acme", "title:acme"),
        ("ti\u200btle:acme", "title:acme"),
        ("title:\u200facme", "title:acme"),
        ('\ufeff"acme db"', '"acme db"'),
        ("acme OR\u200b db", "acme OR db"),
        ("acme \u202a-db\u202c", "acme -db"),
        ("author:\u2066ann", "author:ann"),
        ("/ac\u200bme/", "/acme/"),
    ],
)
def test_what_copying_leaves_behind_is_left_out(text: str, visible: str) -> None:
    assert parse(text) == parse(visible)


def test_a_place_keeps_its_joiners() -> None:
    assert str(parse("place:\u0645\u06cc\u200c\u062e")) == "place:\u0645\u06cc\u200c\u062e"


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("title: acme", "title acme"),
        ("place: berlin -jobs", "place berlin -jobs"),
        ("domain:acme", '"domain acme"'),
        ("acme NEAR/3 b NEAR/3 c", 'acme "NEAR/3" b "NEAR/3" c'),
        ("/a*/ acme", "a acme"),
        ('"acme db"~x', '"acme db" x'),
        ("==x", "x"),
        ("author:*", "author"),
    ],
)
def test_what_fields_and_signs_cannot_be_goes_on_matching_as_words(text: str, then: str) -> None:
    query, error = parse_stored(text)
    assert error is not None
    for found in ("acme DB: title, place Berlin near 3 b c; domain:acme author x a", "jobs", "acme b"):
        item = Item(source="s", id="1", kind="post", place="p", body=found, created_at=0.0)
        assert bool(matches(query, item)) is bool(matches(parse(then), item))
    with pytest.raises(QuerySyntaxError, match=re.escape(error.message)):
        parse(text)
