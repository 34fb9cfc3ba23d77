"""JSON Feed 1.0 and 1.1 (jsonfeed.org). A bad item costs no other. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from overheard.sources.feeds.entries import (
    ENTRIES_MAX,
    GUID_MAX_CHARS,
    TAGS_MAX,
    FeedDocument,
    FeedEntry,
    UnreadableFeed,
    absolute_link,
    as_name,
)
from overheard.sources.feeds.times import parse_date
from overheard.sources.html_text import html_to_text
from overheard.sources.sanitize import language_tag, sanitized

VERSION = "jsonfeed.org/version/"
LONG_MAX_DIGITS = 18

_decoder = msgspec.json.Decoder()


def parse(text: str, base: str) -> FeedDocument:
    """Return the feed. Raises UnreadableFeed."""
    feed = _decoded(text)
    items = feed.get("items")
    if VERSION not in _text(feed.get("version")) or not isinstance(items, list):
        raise UnreadableFeed("JSON, but not a JSON Feed")
    entries = [_entry(item, base) for item in items[:ENTRIES_MAX]]
    readable = [entry for entry in entries if entry is not None and entry.is_readable]
    return FeedDocument(
        entries=readable,
        title=as_name(_text(feed.get("title"))),
        author=_author(feed),
        link=absolute_link(base, _text(feed.get("home_page_url"))),
        lang=language_tag(feed.get("language")),
        unreadable=len(entries) - len(readable),
        dropped=max(len(items) - ENTRIES_MAX, 0),
        dropped_at=max((at for item in items[ENTRIES_MAX:] if (at := _date(item, "date_published"))), default=None),
    )


def _decoded(text: str) -> dict[str, Any]:
    try:
        try:
            feed = _decoder.decode(text)
        except msgspec.MsgspecError:
            # The standard library accepts what publishers write: half a surrogate pair, NaN, numbers beyond all bounds.
            feed = json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        raise UnreadableFeed("JSON that is not valid, or ends in the middle") from None
    return feed if isinstance(feed, dict) else {}


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= LONG_MAX_DIGITS else float(digits)


def _entry(item: Any, base: str) -> FeedEntry | None:
    if not isinstance(item, dict):
        return None
    html, plain, summary = (_text(item.get(name)) for name in ("content_html", "content_text", "summary"))
    body = html_to_text(html) if html else sanitized(plain)
    link, external = (absolute_link(base, _text(item.get(name))) for name in ("url", "external_url"))
    return FeedEntry(
        guid=sanitized(_identifier(item.get("id"))[:GUID_MAX_CHARS]).strip(),
        link=link or external,
        url=external if link else "",
        title=" ".join(sanitized(_text(item.get("title"))).split()),
        body=body.strip() or sanitized(summary).strip(),
        author=_author(item),
        tags=_tags(item.get("tags")),
        lang=language_tag(item.get("language")),
        published=_date(item, "date_published"),
        updated=_date(item, "date_modified"),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _date(item: Any, name: str) -> float | None:
    return parse_date(_text(item.get(name))) if isinstance(item, dict) else None


def _identifier(value: Any) -> str:
    """Return an id. Some publishers write numbers, which readers have to accept."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _text(value)


def _tags(value: Any) -> tuple[str, ...]:
    tags = value[:TAGS_MAX] if isinstance(value, list) else []
    return tuple(label for each in tags if (label := as_name(_text(each))))


def _author(item: dict[str, Any]) -> str:
    """Return the names of the authors: of ``authors`` (1.1), else of ``author`` (1.0)."""
    several = item.get("authors")
    people = several[:TAGS_MAX] if isinstance(several, list) and several else [item.get("author")]
    names = (_text(person.get("name")) for person in people if isinstance(person, dict))
    return as_name(", ".join(name for name in names if name.strip()))
