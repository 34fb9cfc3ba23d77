"""What users may write, what it means, and what they are told when it means nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.matching.index import matches
from overheard.matching.language import MAX_CHARACTERS, QuerySyntaxError, parse
from overheard.matching.tree import And, Node, Not, Or, Term


def word(*said: str) -> Term:
    return Term(said)


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("acme", word("acme")),
        ("  ACME\n", word("acme")),
        ("acme db", And((word("acme"), word("db")))),
        ('"acme db"', word("acme", "db")),
        ("“acme db”", word("acme", "db")),
        ('"acme db”', word("acme", "db")),
        ("acme-db", word("acme", "db")),
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
        ("a and b or not", And((word("a"), word("and"), word("b"), word("or"), word("not")))),
        ("ANDROID ORANGE NOTHING", And((word("android"), word("orange"), word("nothing")))),
        ("a OR(b)", Or((word("a"), word("b")))),
        ('"AND"', word("and")),
        ("--verbose", word("verbose")),
        ("東京", word("東", "京")),
        ("don’t", word("dont")),
        ("C++", Term(("c",), (("", "++"),))),
        (".NET core", And((Term(("net",), ((".", ""),)), word("core")))),
        ('"learn C#"', Term(("learn", "c"), (("", ""), ("", "#")))),
        ("NOT (NOT a OR b)", Not(Or((Not(word("a")), word("b"))))),
        ("(" * 50 + "a" + ")" * 50, word("a")),
        ("NOT " * 400 + "a", word("a")),
    ],
)
def test_means(text: str, root: Node) -> None:
    assert parse(text).root == root


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
        ("a 😂", 1, 3, "no word"),
        ("a && b", 1, 3, "&& is no word"),
        ("a - b", 1, 3, "- is no word"),
        ("a foo*", 1, 3, "no wildcards"),
        ("title:a", 1, 1, "one field"),
        ("a !b", 1, 3, "! does not exclude"),
        ('"a b"~3', 1, 6, "no ~"),
        ("NOT a", 1, 1, "nearly every text"),
        ("-a -b", 1, 1, "nearly every text"),
        ("a OR -b", 1, 6, "nearly every text"),
        ("(a -b) OR\n (-c AND NOT d)", 2, 3, "nearly every text"),
        ("NOT (a OR NOT b) OR (c OR NOT d)", 1, 27, "nearly every text"),
        ("a\nb\n  ) c", 3, 3, "closes nothing"),
        ("x" * 2_001, 1, 2_001, "2,001 characters"),
        ("(" * 51 + "a" + ")" * 51, 1, 51, "50 deep"),
        (" ".join("a" * 201), 1, 401, "200 terms"),
    ],
)
def test_says_where_and_why(text: str, line: int, column: int, message: str) -> None:
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


def test_shows_the_query_with_a_caret_and_a_hint() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse("acme AND")
    assert str(caught.value).splitlines() == [
        "AND has nothing on its right (column 6)",
        "    acme AND",
        "         ^",
        "Add a word there. To search for the word itself, write it in lower case or in quotes.",
    ]


def test_the_hints_suggestion_can_be_written() -> None:
    """What a message tells users to write must not lead to the next message."""
    for text in ('"foo*"', '"title:a"', "-b a", "and", '"AND"', "acme -jobs", 'acme OR "acme db"'):
        parse(text)


_PIECES = 'a|b-c|AND|OR|NOT|-|(|)|"|“| |and|C++|é|東京|*|😂|\n|title:|~|x.y|ß|（|–|&&|\u3000|#t|\x00|\ud800'
_SYNTAX = st.lists(st.sampled_from(_PIECES.split("|")), max_size=40).map("".join)


@given(st.one_of(st.text(), _SYNTAX, _SYNTAX.map(lambda part: part * 50)))
def test_raises_nothing_but_its_own_error(text: str) -> None:
    error = None
    try:
        parse(text)
    except QuerySyntaxError as caught:
        error = caught
    if error is not None:
        lines = text.split("\n")
        assert 1 <= error.line <= len(lines)
        assert 1 <= error.column <= len(lines[error.line - 1]) + 1
        assert error.hint in str(error)


_TERMS = st.sampled_from(["a", "b", '"AND"', '"a b"', "C++", "b-c", "東京", '".net #x"', "ẞ", '"it’s"'])
_QUERIES = st.recursive(
    _TERMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" ", " AND ", " OR ", " -", " NOT "]), inner).map("".join),
        inner.map("({})".format),
        inner.map("NOT ({})".format),
    ),
    max_leaves=12,
)


@given(_QUERIES)
def test_prints_as_a_query_with_the_same_tree(text: str) -> None:
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
        ("“Acme DB” c++", '"Acme DB" AND "c++"'),
        ('"OR" or', '"OR" AND or'),
    ],
)
def test_prints_as(text: str, printed: str) -> None:
    assert str(parse(text)) == printed
    assert parse(printed) == parse(text)


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("acme", "ACME's new thing", "ACME"),
        ("acme", "acmeology", None),
        ("don", "I don't", None),
        ("don't", "I DON’T", "DON’T"),
        ("c++", "I love C++!", "C++"),
        ("c++", r"I love C\+\+", r"C\+\+"),
        ("c++", "vitamin C, C+ and C#", None),
        ("c", "C++", "C"),
        ("c++11", "in C++11", "C++11"),
        (".net", "ASP or .NET", ".NET"),
        (".net", "slashdot.net", None),
        ("@name", "mail me@name.com", None),
        ("#tag", "a #tag", "#tag"),
        ("tag", "a #tag", "tag"),
        ("e-mail", "E\u2011mail", "E\u2011mail"),
        ("foo-bar", "foobar", None),
        ("node.js", "Node.JS", "Node.JS"),
        ("acme.com", "see https://www.acme.com/x", "acme.com"),
        ("京都", "東京都庁", "京都"),
        ("ไทย", "ประเทศไทย", "ไทย"),
        ("taste", "distaste", None),
        ("strasse", "die Straße", "Straße"),
        ("fine", "ﬁne", "ﬁne"),
        ("東京 OR 'acme'", "acme", "acme"),
    ],
)
def test_finds(query: str, text: str, found: str | None) -> None:
    hit = matches(parse(query), {"body": text})
    if found is None:
        assert hit is None
    else:
        assert hit is not None
        assert [text[start:end] for _, start, end in hit.highlights] == [found]


def test_a_query_of_the_allowed_length_is_read() -> None:
    assert parse(("a" * 9 + " ") * (MAX_CHARACTERS // 10))
