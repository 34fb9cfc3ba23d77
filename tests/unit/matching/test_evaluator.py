"""The plain evaluator itself: the rules about texts and words, one row for each example."""

from __future__ import annotations

import pytest

from overheard.items import Item
from overheard.matching.tree import (
    Affix,
    And,
    Attribute,
    Domain,
    Near,
    Node,
    Not,
    Or,
    Pattern,
    Spelling,
    Stem,
    Term,
    Where,
    Word,
)
from tests.evaluator.chunks import exactly_finds, phrase_finds
from tests.evaluator.folding import fold
from tests.evaluator.holds import evaluate
from tests.evaluator.masking import BREAK, IGNORED, mask
from tests.evaluator.paragraphs import paragraphs_of
from tests.evaluator.words import Char, forms, read


def item(body: str = "", **further: object) -> Item:
    return Item(
        **{"source": "reddit", "id": "1", "kind": "post", "place": "python", "created_at": 0.0, "body": body} | further
    )  # type: ignore[arg-type]


def plain(text: str) -> str:
    return text.replace(IGNORED, "·").replace(BREAK, "¶")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Ac**me", "··Ac··me"),
        (r"C\+\+ foo\_bar", "C·+·+ foo·_bar"),
        ("AT&amp;T it&#8217;s", "AT&····T it’······s"),
        ("[Acme](https://x.y/z) DB", "·Acme················ DB"),
        ("`a*b*` ``c`d``", "·a*b*· ··c`d··"),
        (">!who!< ~~old~~ x^2", "··who·· ··old·· x·2"),
        ("<b>a</b> <https://a.b>", "···a···· ·https://a.b·"),
        ("a<br>b<br><br>c<p>d", "a\n···b\n···¶···c¶··d"),
        ("a\n\nb", "a¶¶b"),
        ("a\nb", "a\nb"),
        ("- a\n- b\n  c", "¶ a\n¶ b\n  c"),
        ("1. a\n2. b", "¶¶ a\n¶¶ b"),
        ("# a\nb", "¶ a¶b"),
        ("> a\n> b\nc", "· a\n· b¶c"),
        ("a | b\n-|-\nc | d\ne", "a ¶ b¶¶¶¶¶c ¶ d¶e"),
        ("a\n```\n*b*\n```\nc", "a¶¶¶¶¶*b*\n¶¶¶¶c"),
        ("foo_bar __init__ 2 * 3 * 4", "foo_bar ··init·· 2 * 3 * 4"),
        ("https://a.b/c_d_e*f.", "https://a.b/c_d_e*f."),
    ],
)
def test_markup_is_masked_in_place(text: str, expected: str) -> None:
    # A newline beside a break is white space at the edge of a paragraph: as good as a break.
    assert plain(mask(text).flow).replace("\n¶", "¶¶").replace("¶\n", "¶¶") == expected.replace("\n¶", "¶¶").replace(
        "¶\n", "¶¶"
    )


def test_addresses_are_found() -> None:
    text = "[a](https://b.c) <https://d.e> www.f.g, http://h.i/j_k."
    masked = mask(text)
    assert [text[start:end] for start, end in masked.targets] == ["https://b.c"]
    assert [text[start:end] for start, end in masked.links] == [
        "https://b.c",
        "https://d.e",
        "www.f.g",
        "http://h.i/j_k",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I love ACME, don’t you?", ["i", "love", "acme", "dont", "you"]),
        ("pokémon über łódź Çç", ["pokemon", "uber", "lodz", "cc"]),
        ("мой ёж", ["мой", "еж"]),
        ("ΟΔΟΣ οδός", ["οδοσ", "οδοσ"]),
        ("كِتَاب كتـاب أحمد", ["كتاب", "كتاب", "احمد"]),
        ("שָׁלוֹם", ["שלום"]),
        ("東京 ไทย", ["東", "京", "ไ", "ท", "ย"]),
        ("🚀👩🏽\u200d💻❤\ufe0f 🇩🇪™", ["🚀", "👩", "💻", "❤", "🇩🇪"]),
        ("ac\u200bme ac\u00adme \x01ac\x01me", ["acme", "acme", "acme"]),
        ("İstanbul ısı", ["istanbul", "isi"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    paragraph = read([Char(char, at) for at, char in enumerate(text)], "body")
    assert [word.folded for word in paragraph.words] == expected
    assert [fold(word) for word in expected] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wi-fi", ["wifi"]),
        ("node.js I'm", ["nodejs", "im"]),
        ("U.S.A.", ["us", "usa", "sa"]),
        ("wi-fi-based", ["wifi", "wifibased", "fibased"]),
        ("1,000,000", ["1000000"]),
        ("v2.0", ["2"]),
        ("3.11 1,00 a, b a - b", []),
    ],
)
def test_further_forms(text: str, expected: list[str]) -> None:
    paragraph = read([Char(char, at) for at, char in enumerate(text)], "body")
    assert [form.form for at in range(len(paragraph.words)) for form in forms(paragraph, at)] == expected


FOUND_IN = [
    ("wi-fi", "wi-fi|wifi|wi fi|Wi‑Fi|wi\nfi", "wi, fi|wi - fi|wi.fi|wi/fi"),
    ("wifi", "wi-fi|WIFI", "wi fi|wi--fi"),
    ("next.js", "next.js|Next.JS.|nextjs", "next. js|next js|next-js|next.js.org|evil-next.js"),
    ("node.js", "nodejs", "node/js"),
    ("nodejs", "node.js", "node. js"),
    ("acme.com", "www.acme.com|me@acme.com|acme.com/x|acme.com.", "acme.com.evil.org|evil-acme.com"),
    ("3.11", "3.11|3.11.2|python-3.11|(3.11)", "2.3.11|3:11|3 11|311|1:3.11"),
    ("AT&T", "AT&T|at&amp;t", "at t|AT & T"),
    ("r/python", "r/python|/r/python", "r python"),
    ("foo::bar", "foo::bar", "foo:bar|foo bar"),
    ("foo_bar", r"foo_bar|foo\_bar", "foo bar|foobar"),
    ("O'Reilly", "O’Reilly|oreilly", "O Reilly"),
    ("oreilly", "O'Reilly", "o reilly"),
    ("1,000", "1,000|1000", "1.000|1 000"),
    ("1000", "1,000|1'000", "1,00|1.000"),
    ("v2.0", "v2.0|2.0", "v2|20"),
    ("2.0", "2.0|v2.0|2.0.1", "1.2.0|v20"),
    ("U.S.", "U.S.|u.s.|US", "us|Us"),
    ("us", "US|U.S.|us", "u s"),
    ("Acme's", "Acme's|acme’s|Acme|acmes", "ac me"),
    ("acme", "Acme's|ac\u200bme|**Ac**me", "acmes"),
    ("@acme", "@acme|.@acme", "acme|me@acme|@ acme"),
    ("C++", r"C++|C\+\+", "C|C#|C+"),
    ("C", "C++|C#|C", "cc"),
    ("100%", "100%", "100|100 %|100#"),
    (".net", ".NET|C#.net", "net|slashdot.net|...net"),
    ("pokemon", "pokémon", "poke mon"),
    ("pokémon", "pokemon", "pokemons"),
    ("東京", "大東京都", "京東"),
    ("🚀", "to the🚀!", "rocket"),
    ("👩\u200d💻", "👩🏽\u200d💻", "👩"),
]


@pytest.mark.parametrize(("chunk", "found", "missed"), FOUND_IN)
def test_what_a_chunk_finds(chunk: str, found: str, missed: str) -> None:
    for text in found.split("|"):
        assert any(phrase_finds(chunk, paragraph) for paragraph in paragraphs_of(item(text))), text
    for text in missed.split("|"):
        assert not any(phrase_finds(chunk, paragraph) for paragraph in paragraphs_of(item(text))), text


@pytest.mark.parametrize(
    ("chunk", "exact", "found", "missed"),
    [
        ("pokemon", "accents", "Pokemon", "pokémon"),
        ("pokémon", "accents", "POKÉMON|poke\u0301mon", "pokemon"),
        ("wi-fi", "hyphens", "wi-fi|Wi‑fi", "wi fi|wifi"),
        ("wifi", "hyphens", "wifi|wi.fi", "wi-fi"),
        ("node.js", "dots", "node.js", "nodejs"),
        ("oreilly", "apostrophes", "oreilly", "o'reilly"),
        ("1000", "numbers", "1000", "1,000"),
        ("2.0", "numbers", "2.0", "v2.0"),
        ("v2.0", "numbers", "v2.0", "2.0"),
        ("Acme's", "possessives", "Acme's|acmes", "Acme"),
    ],
)
def test_a_variation_is_switched_off(chunk: str, exact: str, found: str, missed: str) -> None:
    for text in found.split("|"):
        assert any(phrase_finds(chunk, paragraph, [exact]) for paragraph in paragraphs_of(item(text))), text
    for text in missed.split("|"):
        assert not any(phrase_finds(chunk, paragraph, [exact]) for paragraph in paragraphs_of(item(text))), text


@pytest.mark.parametrize(
    ("wanted", "found", "missed"),
    [
        ("Rust", "Rust|**Ru**st!|Ru\u200bst", "rust|RUST|Rusty|Rüst"),
        ("Rust Lang", "the Rust\nLang", "Rust-Lang|Rust lang|RustLang|Rust\n\nLang"),
        ("wi-fi", "wi-fi|wi‑fi", "wifi|wi fi"),
        ("O'Reilly", "O'Reilly|O’Reilly", "OReilly|o’reilly"),
        ("Don't", "Don’t", "don’t|Dont"),
        ("C#", r"C#|C\#", "C|C ##"),
    ],
)
def test_what_is_exactly_said(wanted: str, found: str, missed: str) -> None:
    for text in found.split("|"):
        assert any(exactly_finds(wanted, paragraph) for paragraph in paragraphs_of(item(text))), text
    for text in missed.split("|"):
        assert not any(exactly_finds(wanted, paragraph) for paragraph in paragraphs_of(item(text))), text


def word(text: str, **further: object) -> Word:
    return Word((Spelling((text,), **further),))  # type: ignore[arg-type]


def term(text: str, **further: object) -> Term:
    return Term(tuple(map(word, text.split())), **further)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "text", "covered"),
    [
        (term("acme db"), "an **Acme** [DB](https://x.y)!", "Acme** [DB"),
        (term("acme db"), "acme\n\ndb", None),
        (term("acme db"), "- acme\n- db", None),
        (term("a b"), "a b a b", "a b|a b"),
        (term("free wifi"), "free wi-fi", "free wi-fi"),
        (term("rate limit", within=2), "limit of the rate", "limit|rate"),
        (term("rate limit", within=1), "limit of the rate", None),
        (term("rate limit", within=9), "limit\n\nrate", None),
        (Near((term("a b"),), (term("c"),), 1), "c x a b", "c|a b"),
        (Near((term("a b"),), (term("c"), term("d")), 0), "a b x c", None),
        (Near((term("a b"),), (term("b c"),), 5), "a b c", None),
        (Term((Affix("optimi"),)), "optimise Optimizer optim", "optimise|Optimizer"),
        (Term((Affix("sql", at_end=True),)), "MySQL sqlite", "MySQL"),
        (Term((Stem("monitor"),)), "Monitoring monitors", "Monitoring|monitors"),
        (Pattern("a.?me"), "an **A**cme", "A**cme"),
        (Pattern("^b$"), "a\n\nb", "b"),
        (Pattern("acme", case=True), "Acme", None),
        (Domain("acme.com"), "www.acme[.]com/x and me@acme.com not acme.com.org", "www.acme[.]com|acme.com"),
        (Term((word("rust", originals=("Rust",), joinable=False),)), "Rust rust", "Rust"),
        (And((term("a"), Not(term("b")))), "a", "a"),
        (Or((term("a"), Not(term("b")))), "c", ""),
        (And((term("a"), Attribute("kind", "post"))), "a", "a"),
        (term("a", where=Where(in_links=True)), "a https://x.y/a", "a"),
        (term("x", where=Where(in_links=False)), "https://x.y [b](https://x.y)", None),
        (term("a", where=Where(("title",))), "a", None),
    ],
)
def test_what_a_tree_finds(query: Node, text: str, covered: str | None) -> None:
    verdict = evaluate(query, item(text))
    assert verdict.holds is (covered is not None)
    if covered is None:
        return
    shown, before = "", -1
    for _, at in sorted(verdict.covered):
        shown += ("|" if before >= 0 and at != before + 1 else "") + text[at]
        before = at
    assert shown == covered


def test_the_fields_of_an_item() -> None:
    post = item("", title="Rust", url="https://acme.com/db", texts={"flair": "Help"}, author="u/Ann")
    comment = item("x", kind="comment", thread_title="Rust")
    assert evaluate(term("rust", where=Where(("thread",))), post).holds
    assert evaluate(term("rust", where=Where(("thread",))), comment).holds
    assert not evaluate(term("rust"), comment).holds
    assert evaluate(term("acme db"), post).holds is False
    assert evaluate(term("acme com db"), post).covered == {("url", at) for at in range(8, 19)}
    assert not evaluate(term("acme", where=Where(in_links=False)), post).holds
    assert evaluate(term("help", where=Where(("flair",))), post).holds
    assert evaluate(Domain("acme.com"), post).holds
    assert evaluate(Attribute("is", "link"), post).holds
    assert not evaluate(Attribute("is", "self"), comment).holds
    assert evaluate(Attribute("author", "a*"), post).holds
    assert evaluate(Attribute("place", "r/python"), post).holds
