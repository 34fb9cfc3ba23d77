"""What is markup, what is text, and where the addresses are; positions are those of the original text."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.matching import markup
from overheard.matching.markup import BREAK, IGNORED, address_mask, flow, needs_mask
from overheard.matching.text.scripts import ENCODED_REST


def shown(masked: str) -> str:
    """Return a mask for the eye; runs of more than four ignored characters are shortened to four."""
    return re.sub("·{4,}", "····", re.sub(f"[{IGNORED}{ENCODED_REST}]", "·", masked).replace(BREAK, "¶"))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        # Emphasis: only in pairs, as CommonMark pairs them.
        ("**Ac**me", "··Ac··me"),
        ("*Acme* and __DB__, ***both***", "·Acme· and ··DB··, ···both···"),
        ("_Acme_, foo_bar_baz, _foo_bar_", "·Acme·, foo_bar_baz, ·foo_bar·"),
        ("~~Acme~~ ~5 min, ~10 ~~a~~~~b~~", "··Acme·· ~5 min, ~10 ··a····b··"),
        ("2 * 3 * 4 and a*b", "2 * 3 * 4 and a*b"),
        ("*open and **more", "*open and **more"),
        ("**«Acme»** ist **da**!", "··«Acme»·· ist ··da··!"),
        ("**C**++ and **AT**&T", "··C··++ and ··AT··&T"),
        ("**हिन्दी**में", "··हिन्दी··में"),
        ('**said "f*ck it"** and f*ck', '··said "f*ck it"·· and f*ck'),
        ("*a **b* c**", "·a ··b· c··"),
        # Escapes and entities.
        (r"\*no\* C\# snake\_case \\ C:\foo", "·*no·* C·# snake·_case ·\\ C:\\foo"),
        ("AT&amp;T it&#8217;s &#x27;q&#X27; R&D &copy &nope;", "AT&····T it’····s '····q'···· R&D &copy &nope;"),
        ("a&nbsp;b &#x200B; &amp;#x200B;", "a\xa0····b \u200b···· \u200b····"),
        ("&#0; &#xD800; &#1; &#30;", "\ufffd··· \ufffd···· \ufffd··· \ufffd····"),
        # Code: no marks inside.
        ("`a*b*c` ``x`y`` lonely ` tick", "·a*b*c· ··x`y·· lonely ` tick"),
        (r"`\*` and `&amp;`", r"·\*· and ·&amp;·"),
        ("```\nfoo **x**\n\n> y\n```\n**z**", "···\nfoo **x**¶\n> y¶···¶··z··"),
        ("```python\nx\n```", "····\nx¶···"),
        ("~~~\n*x*\n~~~~\n*y*", "···\n*x*¶····¶·y·"),
        ("text\n\n    *code* \\_\n\ttab_*x*\n\n*text*", "text¶¶    *code* \\_\n\ttab_*x*¶¶·text·"),
        # Links: the target leaves the flow.
        ("[Acme](https://x.y/z) DB", "·Acme···· DB"),
        ('[Acme]( <https://x.y/a b> "The title" ) DB', "·Acme···· DB"),
        ("[a *b* [c\\]] (d)](u) [e]", "·a ·b· [c·]] (d)···· [e]"),
        ("![alt](src.png) [![a](b)](c)", "··alt···· ···a····"),
        ("[x [y](z)](w)", "[x ·y····](w)"),
        ("[no](a b) [no] (a) [](e)", "[no](a b) [no] (a) ····"),
        (
            "[t][Ref One] [ref  one] [ref one][] [no][nope]\n\n[ref one]: /u 't'",
            "·t···· ·ref  one· ·ref one··· [no][nope]¶\n····",
        ),
        ("[Note]: remember", "[Note]: remember"),
        ("<https://x.y/a_b> <a@b.c> <3", "·https://x.y/a_b· <a@b.c> <3"),
        ("**https://x.y/a_b_c** https://x.y/a\\_b?a&amp;b", "··https://x.y/a_b_c·· https://x.y/a·_b?a&····b"),
        # Blocks.
        ("a\nb\n\nc", "a\nb¶¶c"),
        ("a\r\nb\r\n \r\nc\rd", "a\r\nb\r¶ \r¶c\rd"),
        ("- a\n- b\n  c\n* d\n+ e\n• f", "· a¶· b\n  c¶· d¶· e¶· f"),
        ("1. a\n2) b\n   - c", "·· a¶·· b¶   · c"),
        ("2013. What a year", "2013. What a year"),
        ("２０. a\n٢. b", "２０. a\n٢. b"),
        ("It was in\n1984. Then", "It was in\n1984. Then"),
        ("a\n-\nb\n1.\n", "a¶·¶b\n1.¶"),
        ("see:\n        # not a heading\n    >>> a", "see:\n        # not a heading\n    >>> a"),
        ("# Head ##\ntext\n#tag C# ###### x", "· Head ··¶text\n#tag C# ###### x"),
        ("Head\n====\ntext\n\n***\nx", "Head¶····¶text¶¶···¶x"),
        ("> a\n> b\nc", "· a\n· b¶c"),
        (">>> a\n> > b\n\n&gt; c", "··· a¶· · b¶¶···· c"),
        ("- > a\n- # b", "· · a¶· · b"),
        ("a | b | c", "a | b | c"),
        ("x\n|a|b|\n|:-|-:|\n|*c*|d\\|e|\n\nf|g", "x¶¶a¶b¶¶····¶¶·c·¶d·|e¶¶¶f|g"),
        # Reddit's own, and HTML.
        (">!Snape!< did it, >!no", "··Snape·· did it, >!no"),
        ("&gt;!Snape!&lt; did it", "····Snape···· did it"),
        ("^tiny ^(two words) x^2 ^", "·tiny ·(two words) x^2 ^"),
        ("Acme^TM **Acme**^TM [Acme](u)^TM", "Acme^TM ··Acme··^TM ·Acme····^TM"),
        ("<b>Ac</b>me<br>a<br/> <br>b<p class='x'>c</p>", "···Ac····me\n···a¶····b¶····c¶···"),
        ("List<String> a <b and c> d, 5 < 6 > 4", "List<String> a <b and c> d, 5 < 6 > 4"),
        ('<a href="https://x.y">Acme</a> DB', "····Acme···· DB"),
        # Not Markdown.
        ("if (x[i] < y && *p != 0) { a->b_c(d|e); } // $HOME/~me", None),
        ('C:\\foo\\bar a*b 5 < 6 R&D "AT&T" x_y', None),
        ("   /\\_/\\ \n  ( o.o )", "   /·_/\\ \n  ( o.o )"),
        ("\x00 \ud800 \udfff", None),
        ("", None),
    ],
)
def test_marks_are_masked_in_place(text: str, masked: str | None) -> None:
    assert shown(flow(text).masked) == (text if masked is None else masked)


@pytest.mark.parametrize(
    ("text", "targets", "links"),
    [
        ("[a](https://x.y/Foo_(bar)) b", ["https://x.y/Foo_(bar)"], ["https://x.y/Foo_(bar)"]),
        ('[a](/u "Title") ![b](<c d>)', ["/u", "Title", "c d"], ["/u", "c d"]),
        ("[a][r]\n\n[r]: https://x.y (T)\n[s]: <u>", ["https://x.y", "T", "u"], ["https://x.y", "u"]),
        ("[https://a.b](https://x.y)", ["https://x.y"], ["https://a.b", "https://x.y"]),
        ("<a href='https:&#x2F;&#x2F;x.y' title=t>", ["https:&#x2F;&#x2F;x.y", "t"], ["https:&#x2F;&#x2F;x.y"]),
        ("<HTTPS://X.Y> <mailto:a@b.c>", [], ["HTTPS://X.Y", "mailto:a@b.c"]),
        ("(see https://x.y/a_(b).), www.x.y! WWW.A.B", [], ["https://x.y/a_(b)", "www.x.y", "WWW.A.B"]),
        (
            "https://x.y/?a=1&b=2#c, 'http://x.y/'; **http://z.w/_a_**",
            [],
            ["https://x.y/?a=1&b=2#c", "http://x.y/", "http://z.w/_a"],
        ),
        ("https://web.archive.org/web/https://x.y", [], ["https://web.archive.org/web/https://x.y"]),
        ("请看https://x.y/东京。然后 “http://a.b”", [], ["https://x.y/东京", "http://a.b"]),
        ("_www.x.y_ *www.x.z* a_www.b.c __https://x.y__", [], ["www.x.y", "www.x.z", "https://x.y"]),
        ("xhttp://a.b ftp://a.b http:// https://. a.www.b", [], []),
        ("`http://a.b/*` and\n\n    http://c.d", [], ["http://a.b/", "http://c.d"]),
        ("|http://a.b|c|\n|-|-|", [], ["http://a.b"]),
        (
            "http://a.b/x&#8217; http://a.b/?c&amp;d&amp; http://a.b[1](/u)",
            ["/u"],
            ["http://a.b/x", "http://a.b/?c&amp;d", "http://a.b", "/u"],
        ),
        ("> http://a.b/x&gt; &quot;http://c.d&quot;", [], ["http://a.b/x", "http://c.d"]),
    ],
)
def test_addresses_are_listed(text: str, targets: list[str], links: list[str]) -> None:
    found = flow(text)
    assert [text[start:end] for start, end in found.targets] == targets
    assert [text[start:end] for start, end in found.links] == links


def test_an_address_is_masked_as_such() -> None:
    assert shown(address_mask("https://x.y/a\\_b?c&amp;d=*e*")) == "https://x.y/a·_b?c&····d=*e*"
    assert address_mask("https://x.y/a_b") == "https://x.y/a_b"
    assert shown(address_mask("x.y/a%20b%2Fcaf%C3%A9%e2%82%ac")) == "x.y/a ··b/··café····€····"
    assert shown(address_mask("x.y/100%_%zz%1E%01%E9%2")) == "x.y/100%_%zz ·· ··%E9%2"
    assert shown(flow("50%20 http://x.y/a%20b <http://x.y/%41>").masked) == "50%20 http://x.y/a ··b ·http://x.y/A···"


_PIECES = (
    "a|b|Acme|1|x.y| | |\n|\n\n|*|**|_|__|~~|`|``|```\n|[|]|](|)|(|](u)|![|[r]|[r]: /u\n|<|>|<b>|</b>|<p>|<a href='u'>"
    "|&amp;|&#8217;|&|;|\\|\\_|^|>!|!<|> |- |1. |# |    |\t|-|---|---|.|'|,"
    "|http://a.b/|https://|www.|\r|\r\n|\x01|\x1e|\0|\ud800|é|東|🎉"
)
MARKED_UP = st.lists(st.sampled_from([*_PIECES.split("|"), "|", "|-|-|\n"]), max_size=40).map("".join)
TEXT = st.one_of(st.text(), MARKED_UP)

_WORD = re.compile(r"[^\W_]+")
_JOINT = re.compile(r"(?=(?<![^\W_])([^\W_]+)([-.',’])([^\W_]+))")


def _read(masked: str) -> tuple[set[str], set[tuple[str, str]], set[tuple[str, str, str]]]:
    """Return the words, the neighbours within a paragraph, and what one sign joins."""
    words: set[str] = set()
    neighbours: set[tuple[str, str]] = set()
    joints: set[tuple[str, str, str]] = set()
    for paragraph in re.sub("[\x01\u200b]", "", masked).split(BREAK):
        found = _WORD.findall(paragraph)
        words.update(found)
        neighbours.update(pairwise(found))
        joints.update(_JOINT.findall(paragraph))
    return words, neighbours, joints


@given(TEXT)
def test_positions_are_kept(text: str) -> None:
    masked, targets, links = flow(text)
    assert len(masked) == len(text)
    assert needs_mask(text) in (True, False)
    for spans in (targets, links):
        assert list(spans) == sorted(spans)
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    # Nothing of a target is left in the flow.
    assert all(not masked[start:end].strip(IGNORED + BREAK) for start, end in targets)
    assert len(address_mask(text)) == len(text)


@given(TEXT)
def test_a_text_that_needs_no_mask_contains_what_its_mask_contains(text: str) -> None:
    if not needs_mask(text):
        for of_mask, of_text in zip(_read(flow(text).masked), _read(text), strict=True):
            assert of_mask <= of_text


@pytest.mark.parametrize(
    "text",
    [
        "a [b](c) d",
        "[a] b\n\n[a]: /c",
        "a <b>c</b>",
        "a <b> c </b>",
        "a &amp; b",
        "a &#8217; b",
        "**Ac**me",
        "**wi**-fi",
        "`a`.b",
        "~~a~~b",
        "a\\-b",
        "a *b*-c",
        "_a_-b",
        "a-*" + "." * 30 + "*b",
    ],
)
def test_a_text_whose_marks_hide_something_needs_a_mask(text: str) -> None:
    assert needs_mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "Acme, and DB. It's 5 < 6, R&D [yes] (no) 2 * 3!",
        "**Acme** and *DB*, `x` ~~y~~ foo_bar https://x.y/a_b?c&d",
        "# Acme\n\n- a\n1. b\n> c\n\n|a|b|\n|-|-|\n\n```\nd\n```",
        "<3 -> ^_^ \\o/",
    ],
)
def test_a_text_whose_marks_are_at_the_edges_of_words_needs_no_mask(text: str) -> None:
    assert not needs_mask(text)


@given(st.text(alphabet="ab .,!?'\"()-\n"))
def test_plain_text_keeps_its_words(text: str) -> None:
    assert _WORD.findall(flow(text).masked) == _WORD.findall(text)


def test_no_group_is_possessive() -> None:
    """Python before 3.11.5 matches such groups wrongly: https://github.com/python/cpython/issues/106052.

    Except where each repetition is a single character, which cannot fail half-way.
    """
    package = Path(markup.__file__).parent
    possessive = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+(?!\\S)")
    found = [path.name for path in package.glob("*.py") if possessive.search(path.read_text())]
    assert found == []
