"""What users may write, what it means, and the error for what means nothing."""

import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark import Token

from overheard.matching import grammar, language
from overheard.matching.index import matches
from overheard.matching.language import MAX_CHARACTERS, QuerySyntaxError, parse, parse_stored, problem_with
from overheard.matching.tree import And, Node, Not, Or, Term


def word(*words: str) -> Term:
    return Term(words)


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
        ('a "and" b "or" not', And((word("a"), word("and"), word("b"), word("or"), word("not")))),
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
        ("a 😂", 1, 3, "no word"),
        ("a && b", 1, 3, "&& is not a word"),
        ("a - b", 1, 3, "- is not a word"),
        ("a foo*", 1, 3, "no wildcards"),
        ("title:a", 1, 1, "one field"),
        ("a !b", 1, 3, "! does not exclude"),
        ('"a b"~3', 1, 6, "~ and ^ are not"),
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
        ("acme NEAR/5 db", 6, "nearby words"),
        ('"acme db"~15', 10, "~ and ^ are not"),
        ("acme|acmedb", 1, "| and && are not"),
        ("a acme||db", 3, "| and && are not"),
        ("acme&&db", 1, "| and && are not"),
        ("/acme(db)x/", 1, "no regular expressions"),
        ("/acme.db/i x", 1, "no regular expressions"),
        ("a /acme db/", 3, "no regular expressions"),
        ("=Acme", 1, "any case"),
        ("x -=Acme", 4, "any case"),
        ("~acme", 1, "~ and ^ are not"),
        ("acme~", 1, "~ and ^ are not"),
        ("acme~0.8", 1, "~ and ^ are not"),
        ("acme^2", 1, "~ and ^ are not"),
        ("acme.*", 1, "no wildcards"),
        ("is:open acme", 1, "one field"),
        ("acme LANG:en", 6, "one field"),
        ("domain:acme.com", 1, "one field"),
        ("-author:bot acme", 2, "one field"),
        ('title:"acme db"', 1, "one field"),
        ("from:me", 1, "one field"),
        ("x subreddit:a", 3, "one field"),
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


@pytest.mark.parametrize(
    "text",
    [
        "foo::bar", "std::vector", "from::x", "http://acme.com", "file:///etc", "https://a.b/c?d=e", "12:30", "acme:db",
        "re:invent", "AT&T", "R&D", "a=b", "a~b", "~/bin", "/r/python", "/r/python/", "/u/acme/", "/etc/nginx",
        "'acme'", "rock 'n' roll", "the '90s", "dogs' acme", "'tis acme", "don't acme", "and", "or", "not",
        "near", "acme OR and", "acme and", "or acme", "near acme", "NEAR", "NEAR protocol", "2 of acme", "of (a b)",
        "3 (of)", '"acme and db"', '"2 of" (a b)', '"title:acme"', '"=X" "~x" "/x/" "a|b" "\'acme db\'"',
        "android oregano nothing", "C++ c# .NET #tag @name $TSLA", "acme --db", "what's up?", "x^y", "60,000",
    ],
)  # fmt: skip
def test_words_that_only_look_like_unsupported_syntax_are_words(text: str) -> None:
    assert (parse(text), None) == parse_stored(text)
    assert problem_with(text) is None


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ('x OR "' + "c++ " * 21 + '"', 6, "a phrase of 21 words, 20 are allowed"),
        ("x " + "a-" * 21, 3, "a phrase of 21 words"),
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


_ALNUM = st.text(
    st.sampled_from("abZ09éßıİǅ½東京ไห한ａ²٣") | st.characters(categories=["L", "N"]), min_size=1, max_size=8
)
_PLAIN = st.one_of(
    _ALNUM,
    st.sampled_from(["AND", "OR", "NOT"]),
    st.lists(_ALNUM, min_size=1).map(lambda phrase: f'"{" ".join(phrase)}"'),
)
_Read = tuple[list[tuple[str, str, int | None]], Node, str]


@given(_PLAIN)
def test_the_shortcut_for_plain_words_agrees_with_the_grammar(text: str) -> None:
    """The shortcut and the grammar give the same tokens, the same tree, the same refusal."""

    def result(parse_with: Callable[[], tuple[Sequence[Token], Node]]) -> _Read | str:
        try:
            tokens, root = parse_with()
        except QuerySyntaxError as error:
            return str(error)
        return [(token.type, str(token), token.start_pos) for token in tokens], root, str(root)

    def shortcut() -> tuple[Sequence[Token], Node]:
        tokens = language._tokens(text)
        return tokens, language._parsed(text, tokens)

    def full_grammar() -> tuple[Sequence[Token], Node]:
        tokens = grammar.lex(text)
        return tokens, grammar.parse_tokens(text, tokens)

    assert result(shortcut) == result(full_grammar)


def test_an_error_shows_the_query_with_a_caret_and_a_hint() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse("acme AND")
    assert str(caught.value).splitlines() == [
        "AND has nothing on its right (column 6)",
        "    acme AND",
        "         ^",
        "Add a word there. To search for the word itself, write it in lower case or in quotes.",
    ]


def test_the_suggestions_of_hints_are_valid_queries() -> None:
    """A query that a hint suggests must not lead to the next error."""
    for text in ('"foo*"', '"title:a"', "-b a", "and", '"AND"', "acme -jobs", 'acme OR "acme db"', 'a "and" b'):
        parse(text)


_PIECES = 'a|b-c|AND|OR|NOT|-|(|)|"|“| |and|C++|é|東京|*|😂|\n|title:|~|x.y|ß|（|–|&&|\u3000|#t|\x00|\ud800'
_UNSUPPORTED = "near|not|of|2|/|=|'|lang:|«|»"
_SYNTAX = st.lists(st.sampled_from(["|", *_PIECES.split("|"), *_UNSUPPORTED.split("|")]), max_size=40).map("".join)


@given(st.one_of(st.text(), _SYNTAX, _SYNTAX.map(lambda part: part * 50)))
def test_parse_raises_only_its_own_error(text: str) -> None:
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
        ("“Acme DB” c++", '"Acme DB" AND "c++"'),
        ('"OR" or', '"OR" AND or'),
    ],
)
def test_a_query_is_printed_in_canonical_form(text: str, printed: str) -> None:
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
        ("acme -beta", "acme alpha", "acme"),
        ("acme -beta", "beta of acme", None),
        ("acme NOT (alpha OR beta)", "acme beta", None),
    ],
)
def test_finds(query: str, text: str, found: str | None) -> None:
    hit = matches(parse(query), {"body": text})
    if found is None:
        assert hit is None
    else:
        assert hit is not None
        assert [text[start:end] for _, start, end in hit.highlights] == [found]


def test_a_query_of_the_allowed_length_is_accepted() -> None:
    assert parse(("a" * 9 + " ") * (MAX_CHARACTERS // 10))
