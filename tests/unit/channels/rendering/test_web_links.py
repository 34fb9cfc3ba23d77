from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overheard.channels.rendering.web_links import web_link


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://mastodon.social/@me/1", "https://mastodon.social/@me/1"),
        ("https://bsky.app/profile/did:plc:abc/post/3k", "https://bsky.app/profile/did:plc:abc/post/3k"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com/a b?c=d|e#f", "https://example.com/a%20b?c=d%7Ce#f"),
        ("https://example.com/a_(b)*`'\"<>", "https://example.com/a_%28b%29%2A%60%27%22%3C%3E"),
        ("https://bücher.example:8080/ü", "https://xn--bcher-kva.example:8080/%C3%BC"),
    ],
)
def test_an_address_of_the_web_is_written_without_markup(url: str, link: str) -> None:
    assert web_link(url) == link
    assert web_link(link) == link


@pytest.mark.parametrize(
    "url",
    [
        *("", "javascript:alert(1)", "ftp://example.com/", "https://me@example.com/", "https://exa mple.com/"),
        *("//x.y/", "https://[::1]/", "https://x.y:port/", "https://example.com/" + "a" * 2000),
    ],
)
def test_anything_else_is_not_linked(url: str) -> None:
    assert web_link(url) is None


@given(st.text(max_size=60), st.sampled_from(["https://x.y/", "https://", "http://x", ""]))
def test_a_link_has_no_character_of_markup(text: str, start: str) -> None:
    link = web_link(start + text)
    assert link is None or re.fullmatch(r"https?://[a-z0-9_.:-]+/[A-Za-z0-9._~%/?=&+:@#!$,;-]*", link)
