"""What is read of documents that no publisher should send."""

from __future__ import annotations

import time
from unittest.mock import ANY

import pytest

from overheard.sources.feeds import document, xml_feed
from overheard.sources.feeds.entries import ENTRIES_MAX, FeedDocument, UnreadableFeed

pytestmark = pytest.mark.thorough

BASE = "https://blog.example/feed.xml"
PARSE_SECONDS = 2.0  # at most, and then the entry that is being parsed
CPU_SECONDS = PARSE_SECONDS + 10.0


def rss(inside: str) -> str:
    return f'<rss version="2.0"><channel><title>a blog</title>{inside}</channel></rss>'


def item(title: str, body: str = "a text") -> str:
    return f"<item><title>{title}</title><description>{body}</description></item>"


def parse(text: str | bytes, content_type: str = "") -> FeedDocument:
    return document.parse(text if isinstance(text, bytes) else text.encode(), content_type, BASE)


def texts(found: FeedDocument) -> list[tuple[str, str]]:
    return [(entry.title, entry.body) for entry in found.entries]


@pytest.mark.parametrize(
    ("bad", "read"),
    [
        ("<item><title>R&D at AT&T</title></item>", [("R&D at AT&T", "")]),
        ("<item><title>caf&eacute;&nbsp;&unknown;</title></item>", [("café &unknown;", "")]),
        (
            "<item><title>bad</title><description>line<br>and <p>more</description></item>",
            [("bad", "line\nand\n\nmore")],
        ),
        ("<item><title>prefix</title><foo:bar x:y='1'>z</foo:bar></item>", [("prefix", "")]),
        ("<item><title>mismatch</b></title></item>", [("mismatch", "")]),
        ("<item><title>control &#0;&#x1;&#xFFFFFFFF; \x01\x0b</title></item>", [("control ��", "")]),
        ("<item><title>no end</title>", [("no end", "")]),
        ("<item><title></item>", []),
        ("<item/>", []),
        ("<item><title>twice</title><title>two</title></item>", [(ANY, "")]),
        (
            "<item><title><![CDATA[<item> & ]]></title><description><![CDATA[</item>]]></description></item>",
            [("<item> &", "")],
        ),
    ],
)
def test_one_bad_entry_costs_no_neighbour(bad: str, read: list[tuple[str, str]]) -> None:
    found = parse(rss(item("before") + bad + item("after")))
    assert texts(found)[0] == ("before", "a text")
    assert texts(found)[-1] == ("after", "a text")
    assert [(title.rstrip(), body) for title, body in texts(found)[1:-1]] == [
        (t if t is ANY else t.rstrip(), b) for t, b in read
    ]


@pytest.mark.parametrize(
    ("data", "content_type"),
    [
        ("café €".encode(), ""),
        ("café €".encode(), "text/xml; charset=iso-8859-1"),
        ("café €".encode("windows-1252"), "text/xml; charset=windows-1252"),
        ("café €".encode("iso-8859-15"), "text/xml; charset=iso-8859-15"),
        ("café €".encode("windows-1252"), "text/xml"),
        ("café €".encode("windows-1252"), "text/xml; charset=nonsense"),
        ("café €".encode("windows-1252"), "text/xml; charset=unicode_escape"),
    ],
)
def test_encodings(data: bytes, content_type: str) -> None:
    before, _, after = rss(item("TITLE")).encode().partition(b"TITLE")
    assert parse(before + data + after, content_type).entries[0].title == "café €"


def test_one_broken_character_does_not_spoil_the_others() -> None:
    found = parse(rss(item("Übergröße", "BODY")).encode().replace(b"BODY", b"\xff"))
    assert texts(found) == [("Übergröße", "\ufffd")]


def test_entities_of_a_doctype_are_never_expanded_or_fetched() -> None:
    laughs = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
    subset = f'<!DOCTYPE rss [<!ENTITY e0 "ha">{laughs}<!ENTITY file SYSTEM "file:///etc/passwd"><!ENTITY % x SYSTEM "http://127.0.0.1/x">%x;]>'
    found = parse(f'<?xml version="1.0"?>{subset}{rss(item("&e19; &file;", "&e19;"))}')
    assert texts(found) == [("&e19; &file;", "&e19;")]


def test_a_warning_before_the_feed_is_skipped() -> None:
    found = parse(f"<br />\n<b>Warning</b>: in x.php <?xml version='1.0'?>{rss(item('a'))}")
    assert texts(found) == [("a", "a text")]


# Each made feedparser, or a first version of ours, compute for minutes.
HOSTILE = {
    "tags without end": rss("<item><title>a</title><description>" + '<x "' * 500_000),
    "titles without end": rss("<item>" + "<title>" * 500_000 + "</item>"),
    "attributes": rss(("<item><title " + " ".join(f"a{n}='b'" for n in range(9000)) + ">a</title></item>") * 20),
    "namespaces": f"<rss {' '.join(f'xmlns:a{n}=' + repr(f'u{n}') for n in range(400))}><channel></channel></rss>",
    "deep": rss("<item><title>a</title>" + "<d>" * 500_000 + "</item>"),
    "ampersands": rss(f"<item><title>{'&' * 2_000_000}</title></item>"),
    "comments": rss("<item><title>a</title>" + "<!--" * 500_000),
    "white space": "\n" * 2_000_000 + rss(item("a")),
    "five megabytes": rss(item("a", "word " * 1_000_000)),
    "open items": rss("<item>" * 300_000),
    "xhtml": "<feed xmlns='http://www.w3.org/2005/Atom'>"
    + ("<entry><title>a</title><content type='xhtml'><div>" + "\n<!---->" * 11_000 + "</div></content></entry>") * 20
    + "</feed>",
    "deep JSON": '{"version": "https://jsonfeed.org/version/1", "items":' + "[" * 1_000_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_read_or_refused_in_bounded_time(text: str) -> None:
    assert PARSE_SECONDS < xml_feed.PARSE_MAX_SECONDS <= 10.0
    began = time.thread_time()
    try:
        found = document.parse(text.encode(), "", BASE, max_seconds=PARSE_SECONDS)
    except UnreadableFeed:
        found = FeedDocument(entries=[])
    assert time.thread_time() - began < CPU_SECONDS
    assert len(found.entries) <= ENTRIES_MAX
    assert all(len(entry.title) + len(entry.body) <= 250_000 for entry in found.entries)


def test_json_feeds_with_bad_items() -> None:
    found = parse(
        '{"version": "https://jsonfeed.org/version/1.1", "title": 7, "items": ['
        '{"id": 1, "title": "number", "content_text": "a"}, 7, null, [], {},'
        '{"id": "2", "title": "half \\ud800", "date_published": 1e999, "tags": "x", "authors": [3]},'
        '{"id": "3", "url": "javascript:alert(1)", "summary": "only a summary", "author": {"name": "bob"}}]}'
    )
    assert texts(found) == [("number", "a"), ("half \ufffd", ""), ("", "only a summary")]
    assert found.unreadable == 4
    assert [entry.link for entry in found.entries] == ["", "", ""]
    assert found.entries[2].author == "bob"
