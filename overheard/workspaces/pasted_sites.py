"""What pages of known sites stand for: a reader for each site, and one for servers that are known by their software."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

from overheard.errors import InvalidInput
from overheard.items import ALL

FEEDS = "feeds"
PLACES_ARE_ADDRESSES = frozenset({FEEDS, "mastodon"})


class PastedWatch(NamedTuple):
    """What an address stands for: a place of a source, as a workspace's watch names it."""

    source: str
    place: str


class Address(NamedTuple):
    """An address from a browser: its host in lower case without ``www.``, the parts of its path, its parameters."""

    url: str
    scheme: str
    netloc: str
    host: str
    parts: tuple[str, ...]
    query: str
    fragment: str

    @property
    def path(self) -> str:
        """Return the path without a slash at its end."""
        return "".join(f"/{part}" for part in self.parts)


def feed(url: str) -> PastedWatch:
    """Return the watch of a feed."""
    return PastedWatch(FEEDS, url)


def how_to_write(source: str, *places: str) -> str:
    """Return how to watch places, in a workspace file and on the command line."""
    names = ", ".join(f'"{place}"' for place in places)
    options = " ".join(f"--watch {shlex.quote(f'{source}:{place}')}" for place in places)
    return f'source = "{source}", places = [{names}] (or {options})'


def _instead(reason: str, source: str, *places: str) -> InvalidInput:
    """Return the error of a page that cannot be watched; it names what can."""
    return InvalidInput(f"{reason}; write {how_to_write(source, *places)}")


def _reddit(address: Address) -> PastedWatch:
    match address.parts:
        case ("r", names, *_) if "+" in names:
            raise InvalidInput(f"this page shows several subreddits; name each by itself: {names.replace('+', ', ')}")
        case ("r", name, *_):
            return PastedWatch("reddit", name.removesuffix(".json"))
        case (("user" | "u"), name, *rest) if "m" not in rest[:1]:
            return PastedWatch("reddit", f"u_{name}")
        case ("prefs", "feeds"):
            raise InvalidInput("this page lists feeds of your own: copy the address of one of its RSS links (--feed)")
        case _:
            raise _instead("this page of Reddit is not a subreddit", "reddit", "NAME")


def _hacker_news(address: Address) -> PastedWatch:
    return feed(address.url) if address.parts[-1:] == ("rss",) else PastedWatch("hackernews", ALL)


def _bluesky(address: Address) -> PastedWatch:
    match address.parts:
        case ("profile", name):
            return feed(f"https://bsky.app/profile/{name}/rss")
        case (*_, "rss"):
            return feed(address.url)
        case _:
            return PastedWatch("bluesky", ALL)


def _lobsters(address: Address) -> PastedWatch:
    match address.parts:
        case ("comments", *_):
            return feed("https://lobste.rs/comments.rss")
        case (("t" | "domains") as page, name, *_):
            return feed(f"https://lobste.rs/{page}/{name}.rss")
        case _:  # the front page, a story, an author: what is new there is in the feed of all stories
            return feed("https://lobste.rs/newest.rss")


def _stack_exchange(address: Address) -> PastedWatch:
    site = address.host.removesuffix(".stackexchange.com").removesuffix(".com")
    match address.parts:
        case ("feeds", *_):
            return feed(address.url)
        case ("questions", "tagged", tag, *_) | ("tags", tag, *_) if not re.search(r"[+ ]|%20", tag):
            return PastedWatch("stackexchange", f"{site}/{unquote(tag)}")
        case () | ("questions",):
            return PastedWatch("stackexchange", site)
        case _:
            raise _instead("of this site, all questions or a tag can be watched", "stackexchange", site, f"{site}/TAG")


def _youtube(address: Address) -> PastedWatch:
    videos = "https://www.youtube.com/feeds/videos.xml"
    playlist = parse_qs(address.query).get("list", [""])[0]
    match address.parts:
        case ("channel", channel_id, *_):
            return feed(f"{videos}?channel_id={channel_id}")
        case ("playlist",) if playlist:
            return feed(f"{videos}?playlist_id={playlist}")
        case _:
            raise _instead(
                "YouTube's feeds are named by the channel's id, which this address does not have: on the channel's"
                ' page, choose "… more", "Share channel", "Copy channel ID"',
                FEEDS,
                f"{videos}?channel_id=UC…",
            )


def _github(address: Address) -> PastedWatch:
    if len(address.parts) < 2 or address.parts[0] in GITHUB_PAGES:
        start = "https://github.com/OWNER/NAME"
        reason = "of GitHub, a repository's releases and discussions can be watched"
        raise _instead(reason, FEEDS, f"{start}/releases.atom", f"{start}/discussions.atom")
    owner, name, *rest = address.parts
    start = f"https://github.com/{owner}/{name.removesuffix('.git')}"
    match rest:
        case [("discussions" | "tags") as page, *_]:
            return feed(f"{start}/{page}.atom")
        case ["commits", *branch]:
            return feed("/".join([start, "commits", *branch]) + ".atom")
        case [("issues" | "pull" | "pulls"), *_]:
            reason = "GitHub has no feed of a repository's issues and pull requests"
            raise _instead(reason, FEEDS, f"{start}/releases.atom", f"{start}/discussions.atom")
        case _:
            return feed(f"{start}/releases.atom")


def _dev_to(address: Address) -> PastedWatch:
    match address.parts:
        case ("feed", *_):
            return feed(address.url)
        case ("t", tag, *_):
            return feed(f"https://dev.to/feed/tag/{tag}")
        case (author, *_):  # of an article, too: what is new of it is its author's
            return feed(f"https://dev.to/feed/{author}")
        case _:
            return feed("https://dev.to/feed")


def _medium(address: Address) -> PastedWatch:
    match address.parts:
        case ("tag", tag, *_):
            return feed(f"https://medium.com/feed/tag/{tag}")
        case (name, *_) if name != "feed":
            return feed(f"https://medium.com/feed/{name}")
        case _:
            return feed(address.url)


def _google_news(address: Address) -> PastedWatch:
    parts = address.parts[1:] if address.parts[:1] == ("rss",) else address.parts
    start = "/".join(["https://news.google.com/rss", *parts])
    return feed(f"{start}?{address.query}" if address.query else start)


def _any_feed(address: Address) -> PastedWatch:
    return feed(address.url)


def _no_source(address: Address) -> PastedWatch:
    raise InvalidInput(f"Overheard cannot read {address.host}: it has no feeds, and no source covers it")


def server_by_path(address: Address) -> PastedWatch | None:
    """Return what a path tells of a server of Mastodon, Lemmy or Discourse; None if it tells nothing."""
    start = f"{address.scheme}://{address.netloc}"
    server = address.netloc if address.scheme == "https" else start
    match address.parts:
        # On blogs, the page of a tag ends with a slash, which Mastodon never writes.
        case ("tags", tag) if not address.url.endswith("/"):
            return PastedWatch("mastodon", f"{server}/#{unquote(tag)}")
        case () | (("public" | "explore"), *_) if MASTODON_HOST.match(address.host):
            return PastedWatch("mastodon", f"{server}/#{address.fragment}" if address.fragment else server)
        case (author,) if author.startswith("@") and author.count("@") == 1:
            return feed(f"{start}/{author}.rss")
        # Lemmy's own order is "hot", which leaves out what is new and quiet.
        case ("c", name):
            return feed(f"{start}/feeds/c/{name}.xml?sort=New")
        case ("c", *_, number) if number.isdecimal():
            return feed(f"{start}{address.path}.rss")
        case ("t", *_, number) if number.isdecimal():
            reason = "this looks like a topic of a Discourse forum, whose topics and posts have feeds"
            raise _instead(reason, FEEDS, f"{start}/latest.rss", f"{start}/posts.rss")
    return None


MASTODON_HOST = re.compile(r"mastodon\.|mstdn\.|(?:fosstodon\.org|hachyderm\.io|infosec\.exchange|mas\.to)$")
# First parts of paths on github.com that are not accounts.
GITHUB_PAGES = frozenset(
    {"about", "apps", "collections", "explore", "features", "login", "marketplace", "notifications", "orgs", "search"}
    | {"settings", "sponsors", "stars", "topics", "trending"}
)

SiteReader = Callable[[Address], PastedWatch]
SITES: Mapping[str, SiteReader] = {
    "reddit.com": _reddit,
    "redd.it": _reddit,
    "news.ycombinator.com": _hacker_news,
    "hn.algolia.com": _hacker_news,
    "hnrss.org": _any_feed,
    "bsky.app": _bluesky,
    "lobste.rs": _lobsters,
    "youtube.com": _youtube,
    "youtu.be": _youtube,
    "github.com": _github,
    "dev.to": _dev_to,
    "medium.com": _medium,
    "news.google.com": _google_news,
    "stackoverflow.com": _stack_exchange,
    "serverfault.com": _stack_exchange,
    "superuser.com": _stack_exchange,
    "askubuntu.com": _stack_exchange,
    "stackapps.com": _stack_exchange,
    "mathoverflow.net": _stack_exchange,
    **dict.fromkeys(("x.com", "twitter.com", "facebook.com", "instagram.com", "threads.net"), _no_source),
    **dict.fromkeys(("linkedin.com", "tiktok.com", "quora.com"), _no_source),
}
SITES_BY_SUFFIX: Mapping[str, SiteReader] = {
    ".reddit.com": _reddit,
    ".youtube.com": _youtube,
    ".stackexchange.com": _stack_exchange,
    ".stackoverflow.com": _stack_exchange,
}
