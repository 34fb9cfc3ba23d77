"""Fields and options: where the terms of a group may stand, and facts of an item that are not texts."""

from __future__ import annotations

import pytest

from overheard.matching.language import QuerySyntaxError, parse
from overheard.matching.language.spelling import spell, spell_exactly
from overheard.matching.tree import (
    DEFAULT_FIELDS,
    VARIATIONS,
    Affix,
    And,
    Attribute,
    Domain,
    FieldName,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Stem,
    Term,
    Variation,
    Where,
)


def word(*chunks: str, at: str = "", links: bool | None = None, exact: tuple[Variation, ...] = ()) -> Term:
    """Return a term that may stand in some fields, and inside or outside of addresses."""
    fields: tuple[FieldName, ...] = tuple(at.split()) or DEFAULT_FIELDS  # type: ignore[assignment]
    return Term(tuple(spell(chunk, exact) for chunk in chunks), None, Where(fields, links), frozenset(exact))


IN_TITLE = Where(("title",))


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("title:acme", word("acme", at="title")),
        ("Title：acme", word("acme", at="title")),
        ("body:acme", word("acme", at="body")),
        ("thread:acme", word("acme", at="thread")),
        ("flair:acme", word("acme", at="flair")),
        ("url:acme", word("acme", links=True)),
        ("url:https://acme.com/x", word("https://acme.com/x", links=True)),
        ('title:"acme db"', word("acme", "db", at="title")),
        ("title:=Rust", Term((spell_exactly("Rust"),), where=IN_TITLE)),
        ('title:="Rust Lang"', Term((spell_exactly("Rust Lang"),), where=IN_TITLE)),
        ('title:"a b"~5', Term((spell("a"), spell("b")), 5, IN_TITLE)),
        ("title:optimi*", Term((Affix("optimi"),), where=IN_TITLE)),
        ("title:~monitor", Term((Stem("monitor"),), where=IN_TITLE)),
        ("title:/a b(c)/ d", And((Pattern("a b(c)", where=IN_TITLE), word("d")))),
        ("title:=/Abc/", Pattern("Abc", True, where=IN_TITLE)),
        ("title:re:invent", word("re:invent", at="title")),
        ("title:OR", word("OR", at="title")),
        ("a -title:b", And((word("a"), Not(word("b", at="title"))))),
        (
            "title:(a OR b -c)",
            Or((word("a", at="title"), And((word("b", at="title"), Not(word("c", at="title")))))),
        ),
        ("title:(a b)", And((word("a", at="title"), word("b", at="title")))),
        (
            "title:(a, b c,d)",
            Or((word("a", at="title"), And((word("b", at="title"), word("c", at="title"))), word("d", at="title"))),
        ),
        ('title:("a b", 1,000)', Or((word("a", "b", at="title"), word("1,000", at="title")))),
        ("title:(a (b, c))", And((word("a", at="title"), Or((word("b", at="title"), word("c", at="title")))))),
        ("title:(a NEAR/3 b)", Near((word("a", at="title"),), (word("b", at="title"),), 3)),
        ("title:a NEAR/3 b", Near((word("a", at="title"),), (word("b"),), 3)),
    ],
)
def test_a_field_says_where_its_terms_stand(text: str, root: Node) -> None:
    assert parse(text) == root


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("acme -in:link", word("acme", links=False)),
        ("-in:link acme", word("acme", links=False)),
        ("acme AND NOT in:link", word("acme", links=False)),
        ("acme in:link", word("acme", links=True)),
        ("acme in:url", word("acme", links=True)),
        ("acme NOT NOT in:links", word("acme", links=True)),
        ("acme in:title", word("acme", at="title")),
        ("acme in:(body, title)", word("acme", at="title body")),
        ("title:acme in:link", word("acme", at="title", links=True)),
        ("acme in:title -in:link", word("acme", at="title", links=False)),
        ("a b -in:link", And((word("a", links=False), word("b", links=False)))),
        ("a OR b -in:link", Or((word("a"), word("b", links=False)))),
        ("(a OR b) -in:link", Or((word("a", links=False), word("b", links=False)))),
        ("(a (b in:link)) -in:link", And((word("a", links=False), word("b", links=True)))),
        ("(a in:body) in:title b", And((word("a", at="body"), word("b", at="title")))),
        ("(body:a OR b) in:title", Or((word("a", at="body"), word("b", at="title")))),
        ("url:a b -in:link", And((word("a", links=True), word("b", links=False)))),
        ("a -(b in:link)", And((word("a"), Not(word("b", links=True))))),
        ("(a NEAR/3 b) -in:link", Near((word("a", links=False),), (word("b", links=False),), 3)),
        ("/abc/ -in:link", Pattern("abc", where=Where(in_links=False))),
        ("acme domain:a.com -in:link", And((word("acme", links=False), Domain("a.com")))),
        ("wi-fi exact:hyphens", word("wi-fi", exact=("hyphens",))),
        ("wi-fi exact:Hyphens exact:dots", word("wi-fi", exact=("hyphens", "dots"))),
        ("wi-fi exact:(hyphens, dots)", word("wi-fi", exact=("hyphens", "dots"))),
        ("café exact:all", word("café", exact=VARIATIONS)),
        ("(a exact:dots) b exact:accents", And((word("a", exact=("dots", "accents")), word("b", exact=("accents",))))),
        ("=Café exact:all", Term((spell_exactly("Café"),))),
    ],
)
def test_an_option_is_about_the_terms_of_its_group(text: str, root: Node) -> None:
    assert parse(text) == root


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("place:Python", Attribute("place", "python")),
        ("subreddit:r/Python", Attribute("place", "python")),
        ("place:/r/python/", Attribute("place", "python")),
        ("place:mastodon.social/#Tag", Attribute("place", "mastodon.social/#tag")),
        ('place:"https://a.com/Feed.xml"', Attribute("place", "https://a.com/feed.xml")),
        ("place:https://a.com/feed/", Attribute("place", "https://a.com/feed/")),
        ("place:learn* x", And((Attribute("place", "learn*"), Term((spell("x"),))))),
        ("author:u/Bob", Attribute("author", "bob")),
        ("author:/user/bob", Attribute("author", "bob")),
        ("author:@bob@mastodon.social", Attribute("author", "bob@mastodon.social")),
        ("x author:*bot", And((Term((spell("x"),)), Attribute("author", "*bot")))),
        ('author:"Jane Doe"', Attribute("author", "jane doe")),
        ("place:(a, r/b c OR d)", Or(tuple(Attribute("place", name) for name in "abcd"))),
        ('place:(a,b,"c d")', Or(tuple(Attribute("place", name) for name in ("a", "b", "c d")))),
        ("-author:(a, b) x", And((Not(Or((Attribute("author", "a"), Attribute("author", "b")))), Term((spell("x"),))))),
        ("author:auto-mod* x", And((Attribute("author", "auto-mod*"), Term((spell("x"),))))),
        ("place:(a?b, c|d)", Or((Attribute("place", "a?b"), Attribute("place", "c|d")))),
        ("domain:*.acme.com", Domain("acme.com")),
        ("x source:Reddit", And((word("x"), Attribute("source", "reddit")))),
        ("x is:post", And((word("x"), Attribute("kind", "post")))),
        ("x is:comment", And((word("x"), Attribute("kind", "comment")))),
        ("x IS:nsfw", And((word("x"), Attribute("is", "nsfw")))),
        ("x is:(self, link)", And((word("x"), Or((Attribute("is", "self"), Attribute("is", "link")))))),
        ("x lang:pt_BR", And((word("x"), Attribute("lang", "pt-br")))),
        ("domain:(a.com, www.b.com c.com/x)", Or((Domain("a.com"), Domain("b.com"), Domain("c.com")))),
        ("domain:https://www.Acme.com/x", Domain("acme.com")),
    ],
)
def test_a_field_of_values_is_a_fact_of_the_item(text: str, root: Node) -> None:
    assert parse(text) == root


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ("title: acme", 1, "title: has nothing right after it", "title:acme, without a space"),
        ("acme body:", 6, "body: has nothing right after it", "body:word"),
        ("(title:) x", 2, "title: has nothing right after it", "title:word"),
        ("title:-acme", 7, "a - after title:", "-title:acme"),
        ("place:-acme", 7, "a - after place:", "-place:acme"),
        ("title:body:x", 7, "body: right after title:", "one field"),
        ("title:(a body:x)", 10, "body: inside the brackets of title:", "outside"),
        ("title:(a is:post)", 10, "is: inside the brackets of title:", "outside"),
        ("title:()", 7, "nothing between", "word"),
        ("title:(a,)", 9, ", has nothing on its right", "word"),
        ("title:(a", 7, "never closed", ")"),
        ("place:()", 7, "nothing between", "word"),
        ("place:(a", 7, "never closed", ")"),
        ("place:(a,)", 9, ", has nothing on its right", "word"),
        ("place:(OR a)", 8, "OR has nothing on its left", "word"),
        ("place:(a -b)", 10, "- inside the brackets of place:", "-place:(one, two)"),
        ("place:(a or b)", 10, "or is not an operator", "OR"),
        ("place:(a AND b)", 10, "AND inside the brackets of place:", "place:(one, two)"),
        ("place:(a (b))", 10, "( inside the brackets of place:", "place:(one, two)"),
        ("place:/a.c/", 7, "takes a name", "place:name"),
        ('place:"a"~3', 7, "takes a name", "place:name"),
        ("author:=Bob", 8, "takes a name", "any case"),
        ("author:@", 8, "needs a name", "author:name"),
        ("x place:*", 9, "needs a name", "place:name"),
        ("x author:a*b", 10, "inside a name", "author:*bot"),
        ("x author:*bot*", 10, "both its ends", "author:*bot"),
        ("x author:*b", 10, "nearly every author", "3 characters"),
        ("x source:hacker-news", 10, "not the name of a source", "source:reddit"),
        ("x is:psot", 6, "is:psot does not exist", "Did you mean post?"),
        ("x is:open", 6, "is:open does not exist", "comment"),
        ("x lang:english", 8, "not the code of a language", "lang:en"),
        ("x lang:GERMAN", 8, "not the code of a language", "lang:de"),
        ("x lang:e", 8, "not the code of a language", "codes"),
        ("domain:acme", 8, "not the name of a host", "domain:acme.com"),
        ("domain:acme..com", 8, "not the name of a host", "domain:acme.com"),
        ("in:link", 1, "has no term to be about", "acme in:link"),
        ("acme OR -in:link", 9, "has no term to be about", "(a OR b) in:link"),
        ("acme (exact:dots)", 7, "has no term to be about", "acme exact:dots"),
        ("domain:a.com in:link", 14, "has no term to be about", "fields"),
        ("/abc/ exact:dots", 7, "has no term to be about", "word"),
        ("a in:link NEAR/3 b", 11, "joins words, not options", "last"),
        ("acme in:link -in:link", 14, "contradicts", "Leave one"),
        ("acme in:title in:body", 15, "contradicts", "in:(title, body)"),
        ("acme in:(link, title)", 10, "cannot be one of several", "apart"),
        ("acme -in:title", 6, "only in:link can be excluded", "-title:word"),
        ("acme -in:url", 6, "in:url cannot be excluded", "-in:link"),
        ("acme in:lnk", 9, "in:lnk does not exist", "Did you mean link?"),
        ("acme exact:case", 12, "is written with =", "=Word"),
        ("acme exact:hyphen", 12, "exact:hyphen does not exist", "Did you mean hyphens?"),
        ("acme -exact:dots", 6, "cannot be excluded", "Drop the -"),
        ("title:a NEAR/3 body:b", 9, "never near", "title:(a NEAR/5 b)"),
    ],
)
def test_a_mistake_in_a_field_is_explained(text: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse(text)
    error = caught.value
    assert (error.column, message in error.message, hint in error.hint) == (column, True, True), str(error)
