"""What the formats of feeds have in common, and an entry as an item. Pure."""

from __future__ import annotations

import hashlib
from urllib.parse import urljoin, urlsplit

import msgspec

from overheard.items import Item
from overheard.sources.feeds.names import SOURCE, public_place
from overheard.sources.sanitize import is_storable_time, sanitized

ENTRIES_MAX = 1_000  # of a window; chosen, not measured: feeds have 10 to 100 entries
GUID_MAX_CHARS = 4_096
LINK_MAX_CHARS = 4_096
NAME_MAX_CHARS = 200  # of an author, a feed or a tag
TAGS_MAX = 20


class FeedEntry(msgspec.Struct, kw_only=True):
    """An entry, its texts plain. Times are None if unknown."""

    guid: str = ""
    link: str = ""  # its own page
    url: str = ""  # where it points to, if that is another page
    title: str = ""
    body: str = ""
    author: str = ""
    tags: tuple[str, ...] = ()
    lang: str = ""
    published: float | None = None
    updated: float | None = None

    @property
    def is_readable(self) -> bool:
        """Return True if it says anything."""
        return bool(self.title or self.body or self.link)

    @property
    def identity(self) -> str:
        """Return what identifies it in its feed: its guid, else its link, else what it says first."""
        return self.guid or self.link or f"{self.title}\n{self.published}\n{'' if self.title else self.body}"


class FeedDocument(msgspec.Struct, kw_only=True):
    """A feed's window."""

    entries: list[FeedEntry]  # the newest first, at most ENTRIES_MAX
    title: str = ""
    author: str = ""
    link: str = ""
    lang: str = ""
    update_seconds: float = 0.0  # how often the publisher wants it read
    unreadable: int = 0  # entries that cannot be parsed
    dropped: int = 0  # entries beyond ENTRIES_MAX …
    dropped_at: float | None = None  # … and the time of the newest of them
    cut_off: bool = False  # the document ends in the middle


class UnreadableFeed(Exception):
    """The document is not a feed. The message is in our own words."""


def item_id(place: str, identity: str) -> str:
    """Return an item's id: two feeds may use the same guid for different things."""
    return _hash(f"{place}\n{identity}")[:32]


def content_mark(entry: FeedEntry) -> str:
    """Return a hash that changes when the entry is edited."""
    return _hash(f"{entry.title}\n{entry.body}")[:12]


def sameness_mark(entry: FeedEntry) -> str:
    """Return a hash that an entry shares with itself under another guid."""
    return _hash(f"{entry.title}\n{entry.body}\n{entry.link}\n{entry.published}")[:12]


def to_item(
    entry: FeedEntry, document: FeedDocument, place: str, *, created_at: float, edited_at: float | None
) -> Item:
    """Return the entry as an item of the feed ``place``."""
    own_id = item_id(place, entry.identity)
    tags = ", ".join(entry.tags[:TAGS_MAX])
    return Item(
        source=SOURCE,
        id=own_id,
        kind="post",
        place=place,
        author=entry.author or document.author or document.title or urlsplit(place).hostname,
        title=entry.title,
        body=entry.body,
        url=entry.url,
        permalink=entry.link or document.link or site_of(place),
        thread=own_id,
        texts={"tags": tags} if tags else {},
        lang=entry.lang or document.lang,
        created_at=created_at,
        edited_at=edited_at,
    )


def base_of(url: str) -> str:
    """Return what relative links of a feed are resolved against: its URL without anything secret."""
    parts = urlsplit(url)
    plain = parts._replace(query="", fragment="").geturl()
    return plain if public_place(plain) == plain else site_of(url)


def site_of(url: str) -> str:
    """Return the home page of a URL's server."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def absolute_link(base: str, link: str) -> str:
    """Return a link as an http(s) address; empty if it is not one."""
    link = sanitized(link[: LINK_MAX_CHARS + 1]).strip()
    if not link:
        return ""
    try:
        parts = urlsplit(whole := urljoin(base, link))
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and len(whole) <= LINK_MAX_CHARS
    except ValueError:
        return ""
    return whole if valid else ""


def as_name(text: str) -> str:
    """Return the name of an author, a feed or a tag: in one line, shortened and safe to store."""
    return " ".join(sanitized(text[: 10 * NAME_MAX_CHARS]).split())[:NAME_MAX_CHARS]


def valid_time(seconds: float | None) -> float | None:
    """Return a time that can be stored; None for one that no clock had."""
    return seconds if seconds is not None and is_storable_time(seconds) else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
