"""What is shown of a feed's URL."""

from __future__ import annotations

import pytest

from overheard.errors import InvalidInput
from overheard.items import place_key
from overheard.sources.feeds.masking import HIDDEN
from overheard.sources.feeds.names import URL_MAX_CHARS, check_place, public_place
from overheard.sources.registry import place_label

PUBLIC = (
    "https://lobste.rs/newest.rss",
    "https://lobste.rs/t/rust,python.rss",
    "https://www.youtube.com/feeds/videos.xml?channel_id=UCBJycsmduvYEL83R_U4JriQ",
    "https://www.youtube.com/feeds/videos.xml?playlist_id=PLrAXtmErZgOeiKm4sgNOknGvNjby9efdf",
    "https://news.google.com/rss/search?q=%22acme+db%22+when:7d&hl=en-US&gl=US&ceid=US:en",
    "https://www.reddit.com/r/python/new/.rss",
    "https://github.com/dramatiq/dramatiq/releases.atom",
    "https://github.com/orgs/community/discussions.atom?discussions_q=sort:date_created",
    "https://example.org/?feed=rss2",
    "https://meta.discourse.org/c/support/6.rss",
    "https://dev.to/feed/tag/postgres",
    "https://stackoverflow.com/feeds/tag?tagnames=postgresql&sort=newest",
    "https://lemmy.world/feeds/c/selfhosted.xml?sort=New",
    "https://blog.example.org/2026/11/27/how-we-moved-to-acme-db-in-3-days/feed/",
    "https://medium.com/feed/@someone/tagged/python",
    "https://feeds.example.org/windows11update/v2/podcast128k.xml",
    "http://127.0.0.1:8080/feed.xml",
    "https://rsshub.app/twitter/user/DIYgod?filter_title=Hello",
)

SECRET = {
    "https://www.reddit.com/.rss?feed=0a1b2c3d4e5f60718293a4b5c6d7e8f901234567&user=alice": "0a1b2c3d4e5f6071",
    "https://gitlab.com/acme/db/-/issues.atom?feed_token=glft-AbCdEfGhIjKl1234": "AbCdEf",
    "https://gitlab.com/acme/db/-/issues.atom?feed_token=short": "short",
    "https://github.com/alice.private.atom?token=AAABBBCCCDDD": "AAABBB",
    "https://www.patreon.com/rss/acme?auth=AbCd_ef-123&show=12": "AbCd",
    "https://api.substack.com/feed/podcast/1234/private/550e8400-e29b-41d4-a716-446655440000.rss": "446655440000",
    "https://example.org/feeds/dGhpcyBpcyBhIHNlY3JldA/rss.xml": "dGhpc",
    "https://example.org/feeds/jkqwhzmxnbvplsoeiruty/rss.xml": "jkqwhz",
    "https://calendar.example.org/private-0123456789abcdef0123456789abcdef/basic.xml": "0123456789abcdef",
    "https://www.google.com/alerts/feeds/01234567890123456789/9876543210987654": "9876543210987654",
    "https://example.org/feed?apikey=ab": "=ab",
    "https://example.org/feed?accessToken=pw1": "pw1",
    "https://example.org/feed?9f8e7d6c5b4a39281706f5e4d3c2b1a0": "9f8e7d",
    "https://example.org/token/hunter2/feed.xml": "hunter2",
    "https://example.org/feed?s=eyJhbGciOiJIUzI1NiJ9.eyJ1IjoxfQ.x0yZ": "eyJhbG",
}


@pytest.mark.parametrize("url", PUBLIC)
def test_a_public_feed_is_shown_as_it_is(url: str) -> None:
    assert check_place(url) == url
    assert public_place(url) == url
    assert place_label("feeds", url) == url


@pytest.mark.parametrize("url", SECRET)
def test_a_secret_is_hidden(url: str) -> None:
    assert check_place(url) == url
    shown = public_place(url)
    assert SECRET[url] not in shown
    assert HIDDEN in shown
    assert public_place(shown) == shown
    assert place_label("feeds", url) == place_label("feeds", shown) == shown


def test_what_identifies_a_secret_feed_stays_and_two_are_told_apart() -> None:
    one, two = (f"https://www.reddit.com/.rss?feed={digit * 40}&user=alice" for digit in ("1a", "2b"))
    assert public_place(one).startswith("https://www.reddit.com/.rss?feed=***&user=alice#")
    assert public_place(one) != public_place(two)


def test_a_place_keeps_its_case_but_for_scheme_and_host() -> None:
    url = check_place(" HTTPS://Example.ORG/Feed.XML?Tag=A ")
    assert url == "https://example.org/Feed.XML?Tag=A"
    assert check_place(url) == place_key(url) == url
    assert check_place("https://example.org") == "https://example.org/"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("all", "its URL"),
        ("python", "its URL"),
        ("", "its URL"),
        ("ftp://example.org/feed", "must start with https"),
        ("https://user:hunter2@example.org/feed", "user name"),
        ("https://example.org/feed?token=hunter2#top", "'#'"),
        ("https://example.org/a b?token=hunter2", "space"),
        ("https://[hunter2/feed", "cannot be parsed"),
        ("https://example.org/\ud800?token=hunter2", "surrogate"),
        (f"https://example.org/?token=hunter2{'x' * URL_MAX_CHARS}", "characters"),
        ("https://www.reddit.com/.rss?feed=***&user=alice#1a2b", "export --secrets"),
    ],
)
def test_a_wrong_place_is_refused_without_its_secrets(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as caught:
        check_place(text)
    assert "hunter2" not in str(caught.value)
