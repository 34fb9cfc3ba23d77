"""The item whose page an address is."""

from __future__ import annotations

import pytest

from overheard.sources.registry import SOURCES


@pytest.mark.parametrize(
    ("source", "url", "item"),
    [
        ("reddit", "https://www.reddit.com/r/Python/comments/1abc2/a_title/", "t3_1abc2"),
        ("reddit", "https://old.reddit.com/r/Python/comments/1ABC2", "t3_1abc2"),
        ("reddit", "https://reddit.com/comments/1abc2?x=1", "t3_1abc2"),
        ("reddit", "https://www.reddit.com/r/Python/comments/1abc2/a_title/k9x?context=3", "t1_k9x"),
        ("reddit", "https://www.reddit.com/r/Python/comments/1abc2/comment/k9x/", "t1_k9x"),
        ("reddit", "https://www.reddit.com/user/ann/comments/1abc2/a_title/", "t3_1abc2"),
        ("reddit", "https://www.reddit.com/r/Python/", None),
        ("reddit", "https://example.org/r/Python/comments/1abc2/", None),
        ("hackernews", "https://news.ycombinator.com/item?id=8863", "8863"),
        ("hackernews", "https://news.ycombinator.com/item?id=8863#9224", "8863"),
        ("hackernews", "https://news.ycombinator.com/newest", None),
        ("feeds", "https://example.org/1", None),
    ],
)
def test_the_item_of_a_page(source: str, url: str, item: str | None) -> None:
    assert SOURCES[source].item_of_url(url) == item
