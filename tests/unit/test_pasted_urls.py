"""Addresses from a browser: what they stand for, and what to write where they stand for nothing."""

from __future__ import annotations

import time

import pytest

from overheard.errors import InvalidInput
from overheard.sources.registry import SOURCES
from overheard.workspaces.pasted_urls import ADDRESS_MAX_CHARS, pasted
from overheard.workspaces.validation import canonical_place

VIDEOS = "https://www.youtube.com/feeds/videos.xml"


@pytest.mark.parametrize(
    ("url", "source", "place"),
    [
        ("https://www.reddit.com/r/Python/", "reddit", "Python"),
        ("https://old.reddit.com/r/rust/comments/1abc/a_title/?sort=new", "reddit", "rust"),
        ("https://new.reddit.com/r/rust/new", "reddit", "rust"),
        ("https://www.reddit.com/r/rss/", "reddit", "rss"),
        ("reddit.com/r/rust", "reddit", "rust"),
        ("https://www.reddit.com/user/some_body/submitted", "reddit", "u_some_body"),
        ("https://www.reddit.com/r/rust/.rss", "feeds", "https://www.reddit.com/r/rust/.rss"),
        ("https://www.reddit.com/new/.rss?feed=t0ken&user=me", "feeds", "https://www.reddit.com/new/.rss?feed=t0ken&user=me"),
        ("https://news.ycombinator.com/", "hackernews", "all"),
        ("https://news.ycombinator.com/item?id=8863", "hackernews", "all"),
        ("news.ycombinator.com", "hackernews", "all"),
        ("https://lobste.rs/", "feeds", "https://lobste.rs/newest.rss"),
        ("https://lobste.rs/s/abc123/some_story", "feeds", "https://lobste.rs/newest.rss"),
        ("https://lobste.rs/comments", "feeds", "https://lobste.rs/comments.rss"),
        ("https://lobste.rs/t/databases,rust", "feeds", "https://lobste.rs/t/databases,rust.rss"),
        ("https://stackoverflow.com/questions/tagged/postgresql", "stackexchange", "stackoverflow/postgresql"),
        ("https://stackoverflow.com/questions/tagged/c%2b%2b?tab=Newest", "stackexchange", "stackoverflow/c++"),
        ("https://dba.stackexchange.com/questions/tagged/backup", "stackexchange", "dba/backup"),
        ("https://askubuntu.com/tags/apt/info", "stackexchange", "askubuntu/apt"),
        ("https://es.stackoverflow.com/questions/tagged/java", "stackexchange", "es.stackoverflow/java"),
        ("https://mathoverflow.net/questions/tagged/knots", "stackexchange", "mathoverflow.net/knots"),
        ("https://unix.stackexchange.com/", "stackexchange", "unix"),
        ("https://superuser.com/questions", "stackexchange", "superuser"),
        ("https://stackoverflow.com/feeds/tag/rust", "feeds", "https://stackoverflow.com/feeds/tag/rust"),
        ("https://www.youtube.com/channel/UC123/videos", "feeds", f"{VIDEOS}?channel_id=UC123"),
        ("https://m.youtube.com/playlist?list=PL1&si=x", "feeds", f"{VIDEOS}?playlist_id=PL1"),
        (f"{VIDEOS}?channel_id=UC123", "feeds", f"{VIDEOS}?channel_id=UC123"),
        ("https://github.com/python/cpython", "feeds", "https://github.com/python/cpython/releases.atom"),
        ("https://github.com/DIYgod/rss", "feeds", "https://github.com/DIYgod/rss/releases.atom"),
        ("https://github.com/o/r/tree/main/docs", "feeds", "https://github.com/o/r/releases.atom"),
        ("https://github.com/o/r/discussions/12", "feeds", "https://github.com/o/r/discussions.atom"),
        ("https://github.com/o/r/commits/main", "feeds", "https://github.com/o/r/commits/main.atom"),
        ("https://dev.to/t/python", "feeds", "https://dev.to/feed/tag/python"),
        ("https://dev.to/ben", "feeds", "https://dev.to/feed/ben"),
        ("https://medium.com/@ann", "feeds", "https://medium.com/feed/@ann"),
        ("https://mastodon.social/tags/Python", "mastodon", "mastodon.social/#Python"),
        ("https://mastodon.social/tags/caf%C3%A9", "mastodon", "mastodon.social/#café"),
        ("https://any.example/tags/x", "mastodon", "any.example/#x"),
        ("https://mastodon.social/public/local", "mastodon", "mastodon.social"),
        ("https://mastodon.social/@Gargron", "feeds", "https://mastodon.social/@Gargron.rss"),
        ("https://bsky.app/search?q=acme", "bluesky", "all"),
        ("https://bsky.app/profile/a.example", "feeds", "https://bsky.app/profile/a.example/rss"),
        ("https://bsky.app/profile/a.example/rss", "feeds", "https://bsky.app/profile/a.example/rss"),
        ("https://lemmy.world/c/rust@programming.dev", "feeds",
         "https://lemmy.world/feeds/c/rust@programming.dev.xml?sort=New"),
        ("https://news.google.com/search?q=acme%20db&hl=en-US", "feeds",
         "https://news.google.com/rss/search?q=acme%20db&hl=en-US"),
        ("https://news.google.com/rss/search?q=acme", "feeds", "https://news.google.com/rss/search?q=acme"),
        ("https://meta.discourse.org/c/support/6", "feeds", "https://meta.discourse.org/c/support/6.rss"),
        ("https://blog.example/feed/", "feeds", "https://blog.example/feed/"),
        ("https://blog.example/index.xml", "feeds", "https://blog.example/index.xml"),
        ("https://blog.example/feed.json", "feeds", "https://blog.example/feed.json"),
        ("blog.example/news.atom", "feeds", "https://blog.example/news.atom"),
        ("https://blog.example/?feed=rss2", "feeds", "https://blog.example/?feed=rss2"),
        ("  https://lobste.rs/newest.rss\n", "feeds", "https://lobste.rs/newest.rss"),
    ],
)  # fmt: skip
def test_a_page_becomes_the_watch_that_it_stands_for(url: str, source: str, place: str) -> None:
    assert pasted(url) == (source, place)
    SOURCES[source].check_place(place)


@pytest.mark.parametrize(
    ("url", "hints"),
    [
        ("https://www.reddit.com/", ['source = "reddit", places = ["NAME"]', "--watch reddit:NAME"]),
        ("https://www.reddit.com/r/a+b/new", ["several subreddits", "a, b"]),
        ("https://www.reddit.com/prefs/feeds/", ["RSS links"]),
        ("https://www.youtube.com/@handle", ["Copy channel ID", f'places = ["{VIDEOS}?channel_id=UC…"]']),
        ("https://www.youtube.com/feed/subscriptions", ["Copy channel ID"]),
        ("https://stackoverflow.com/questions/1/x", ['places = ["stackoverflow", "stackoverflow/TAG"]']),
        ("https://stackoverflow.com/questions/tagged/a+b", ['"stackoverflow/TAG"]']),
        ("https://github.com/python", ["https://github.com/OWNER/NAME/releases.atom"]),
        ("https://github.com/o/r/issues", ["no feed", '"https://github.com/o/r/releases.atom"']),
        ("https://meta.discourse.org/t/a-topic/12", ["Discourse", '"https://meta.discourse.org/latest.rss", "https://m']),
        ("https://x.com/acme", ["cannot read x.com"]),
        ("https://blog.example/t0ken", ["https://blog.example/***", "--feed ADDRESS", "RSS"]),
        ("https://[half", ["not an address"]),
        ("ftp://user:t0ken@host.example/x", ["not an address"]),
        ("python", ["'python' is not an address", "SOURCE:PLACE"]),
        ("", ["not an address"]),
        ("https://a.example/" + "x" * ADDRESS_MAX_CHARS, ["not an address"]),
    ],
)  # fmt: skip
def test_other_pages_are_refused_with_what_to_write(url: str, hints: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        pasted(url)
    for hint in hints:
        assert hint in str(refused.value)
    assert "t0ken" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "text", "place"),
    [
        ("reddit", "https://www.reddit.com/r/Rust/", "Rust"),
        ("feeds", "https://github.com/o/r", "https://github.com/o/r/releases.atom"),
        # On a server that the table does not have, any address may be a feed: it is left as it is.
        ("feeds", "http://127.0.0.1:8000/c/x", "http://127.0.0.1:8000/c/x"),
        ("feeds", "https://any.example/tags/x", "https://any.example/tags/x"),
        ("hackernews", "https://news.ycombinator.com/newest", "all"),
        ("bluesky", "bsky.app", "all"),
        ("mastodon", "https://mastodon.social/tags/x", "mastodon.social/#x"),
        ("mastodon", "mastodon.social/#x", "mastodon.social/#x"),
        ("mastodon", "http://127.0.0.1:3000/#x", "http://127.0.0.1:3000/#x"),
        ("stackexchange", "https://stackoverflow.com/questions/tagged/x", "stackoverflow/x"),
        ("stackexchange", "mathoverflow.net/x", "mathoverflow.net/x"),
        # What was recorded of feeds can be replayed under their addresses.
        ("replay", "https://lobste.rs/newest.rss", "https://lobste.rs/newest.rss"),
    ],
)
def test_a_place_may_be_a_page_of_its_source(source: str, text: str, place: str) -> None:
    assert canonical_place(source, text) == place
    assert canonical_place(source, place) == place


@pytest.mark.parametrize(
    ("source", "text", "hint"),
    [
        ("reddit", "https://lobste.rs/", 'lobste.rs is not a place of reddit; write source = "feeds", places = ["https://l'),
        ("reddit", "https://www.reddit.com/.rss?feed=t0ken&user=x", 'is a feed, not a place of reddit'),
        ("hackernews", "https://lobste.rs/", 'write source = "feeds", places = ["https://lobste.rs/newest.rss"]'),
        ("feeds", "https://www.reddit.com/r/rust", 'source = "reddit", places = ["rust"] (or --watch reddit:rust)'),
        ("feeds", "https://www.youtube.com/@handle", "Copy channel ID"),
        ("mastodon", "https://stackoverflow.com/tags/x", 'source = "stackexchange", places = ["stackoverflow/x"]'),
        ("stackexchange", "https://news.ycombinator.com", 'source = "hackernews", places = ["all"]'),
    ],
)  # fmt: skip
def test_a_page_of_another_source_is_refused_with_the_watch_that_it_stands_for(
    source: str, text: str, hint: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        canonical_place(source, text)
    assert hint in str(refused.value)
    assert "t0ken" not in str(refused.value)


def test_long_text_takes_no_time() -> None:
    began = time.process_time()
    for text in ("a." * 1_000_000, "https://" + "a/" * 1_000_000, "a-" * 1000, "https://a.example/" + "/" * 2000):
        with pytest.raises(InvalidInput):
            pasted(text)
    assert time.process_time() - began < 2
