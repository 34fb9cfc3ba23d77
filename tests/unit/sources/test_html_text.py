"""HTML becomes the text that a reader sees, in bounded time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.sources.html_text import html_to_text
from overheard.sources.sanitize import TEXT_MAX_CHARS

LONG = "https://example.com/a/very/long/path?with=words&and=more"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain &amp; simple &lt;b&gt; it&#x27;s &quot;so&quot;", 'plain & simple <b> it\'s "so"'),
        ("One.<p>Two <i>really</i> <b>bold</b>.<p>Three.", "One.\n\nTwo really bold.\n\nThree."),
        ("<p>One.</p>\n\n<p>Two.</p>", "One.\n\nTwo."),
        ("one<br>two<br/>\nthree<br><br>four", "one\ntwo\nthree\n\nfour"),
        ("  many \n\t spaces  <b> in </b> here ", "many spaces in here"),
        ("<b>Post</b>greSQL", "PostgreSQL"),
        ("<pre><code>  def f():\n      return 1\n</code></pre><p>after", "  def f():\n      return 1\n\nafter"),
        ("<pre>\na\n<span>\nb</span>\n  c</pre>", "a\n\nb\n  c"),
        ("<ul><li>one</li><li>two</li></ul>after", "one\ntwo\n\nafter"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a<script>alert(1)</script><style>p{}</style><!-- no -->b", "ab"),
        ("<title>no</title><p>yes", "yes"),
        ('<a href="https://example.com/">here</a>', "here"),
        (f'see <a href="{LONG.replace("&", "&amp;")}">https://example.com/a/very/lo...</a>.', f"see {LONG}."),
        (f'<a href="{LONG.replace("/", "&#x2F;")}" rel="nofollow">example.com/a/very…</a>', LONG),
        ('<a href="https://www.example.com/xyz">example.com/x…</a>', "https://www.example.com/xyz"),
        ('<a href="https://example.com/">wait...</a>', "wait..."),
        (
            '<a href="https://example.com/long"><span class="invisible">https://</span>'
            '<span class="ellipsis">example.com/lo</span><span class="invisible">ng</span></a>',
            "https://example.com/long",
        ),
        ("NUL \0, &#0;, lone \ud800 and &#xD800;", "NUL , \ufffd, lone \ufffd and \ufffd"),
        ("a < b and b > c", "a < b and b > c"),
        ("unclosed <a href='x", "unclosed"),
        ("cafe\u0301 \U0001f600 &nbsp;x", "cafe\u0301 \U0001f600 \u00a0x"),
    ],
)
def test_html_becomes_its_text(html: str, text: str) -> None:
    assert html_to_text(html) == text


@given(st.lists(st.sampled_from(["<", ">", "/", "p", "a", "pre", " ", "\n", "&", ";", "br", "=", "…", "x", "!--"])))
def test_any_html_has_a_text_that_can_be_stored(parts: list[str]) -> None:
    html_to_text("".join(parts)).encode()


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 50_000,
        "<p>" + "".join(f"<font size={number}>" for number in range(1_200)) + "<p>x" * 4_800,
        "<p>" + "".join(f"<B a={number}>" for number in range(1_200)) + "<p>x" * 4_800,
        "<a href=x><table><td>" * 10_000 + "x...",
        "<b><div>" * 20_000 + "</b>" * 20_000,
        "<p " + " ".join(f"a{number}=1" for number in range(50_000)),
        "<" * 5_000_000,
        "&lt;" * 1_000_000,
    ],
    ids=lambda html: html[:14],
)
def test_hostile_html_costs_little(html: str) -> None:
    began = time.process_time()
    assert len(html_to_text(html)) <= TEXT_MAX_CHARS
    assert time.process_time() - began < 6, "the square of the input would take minutes, and gigabytes"
