"""RSS and Atom: cut a document into its entries, and have feedparser read each of them by itself. Pure.

Each entry is parsed as a document of its own, inside the root element that it had. So an entry that no parser accepts
costs no other one, thousands of entries cost no more than the newest, and what a hostile document can make a parser do
is bounded by the size of an entry. Nothing before the root element reaches a parser: entities that a DOCTYPE declares
are never expanded or fetched. feedparser is given well-formed XML only, because its parser for malformed feeds takes a
time that grows with the square of the text.
"""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from heapq import nlargest
from typing import Any

import feedparser
import msgspec

from overheard.sources.feeds import xml_repair
from overheard.sources.feeds.entries import (
    ENTRIES_MAX,
    GUID_MAX_CHARS,
    TAGS_MAX,
    FeedDocument,
    FeedEntry,
    UnreadableFeed,
    absolute_link,
    as_name,
    site_of,
)
from overheard.sources.feeds.times import parse_date, seconds_of
from overheard.sources.html_text import html_to_text
from overheard.sources.sanitize import TEXT_MAX_CHARS, language_tag, sanitized

ROOTS = {"rss": "item", "rdf": "item", "feed": "entry"}  # of RSS, RSS 0.9 and 1.0, Atom: the name of their entries
ROOT_MAX_CHARS = 10_000  # of its start tag
HEAD_MAX_CHARS = 100_000
# A larger entry, or one with more elements, is reduced to its texts first (``xml_repair.reduced``).
ENTRY_MAX_CHARS = 100_000
ENTRY_MAX_TAGS = 2_000
NAMESPACES_MAX = 50  # of the root element
LISTED_MAX = 20_000  # entries that are looked at, to find the newest
PARSE_MAX_SECONDS = 10.0  # of computing, for a document; chosen, not measured: a thousand usual entries take one

PERIOD_SECONDS = {"hourly": 3600.0, "daily": 86400.0, "weekly": 604800.0, "monthly": 2592000.0, "yearly": 31536000.0}

_TOKEN = re.compile(
    r"<!--|<!\[CDATA\[|<(/?)((?:[A-Za-z_][\w.-]*:)?)(item|entry|rss|feed|rdf|channel)(?=[\s/>])", re.IGNORECASE
)
_START_TAG = re.compile(r"<[^<>\"']*(?:\"[^\"]*\"[^<>\"']*|'[^']*'[^<>\"']*)*>")
_DATE = re.compile(r"<(?:pubDate|published|updated|dc:date|date|modified|issued)\b[^<>]*>([^<]{1,100})", re.IGNORECASE)


class XmlParts(msgspec.Struct):
    """A document in parts. ``root`` and ``channel`` are start tags, ``end`` the matching end tags.

    ``unlisted``: entries beyond LISTED_MAX.
    """

    root: str
    channel: str = ""
    end: str = ""
    head: str = ""
    entries: list[str] = []
    unlisted: int = 0
    complete: bool = False

    def document(self, content: str) -> str:
        """Return the content as a document."""
        return f"{self.root}{self.channel}{content}{self.end}"


def parse(text: str, start: int, root_name: str, base: str, *, max_seconds: float = PARSE_MAX_SECONDS) -> FeedDocument:
    """Return the feed whose root element begins at ``start``. Raises UnreadableFeed, also after ``max_seconds``."""
    parts = _Divider(text, start, root_name).divide()
    feed = _parsed(parts, parts.head).feed
    chosen, dropped = _newest(parts.entries)
    document = FeedDocument(
        entries=[],
        title=as_name(_text(feed, "title")),
        author=as_name(_author(feed)),
        link=absolute_link(base, str(feed.get("link") or "")),
        lang=language_tag(feed.get("language")),
        update_seconds=_update_seconds(feed),
        dropped=len(dropped) + parts.unlisted,
        dropped_at=max((at for each in dropped if (at := _first_date(each)) is not None), default=None),
        cut_off=not parts.complete,
    )
    until = time.thread_time() + max_seconds
    for raw in chosen:
        if time.thread_time() > until:
            raise UnreadableFeed("a document that takes too long to parse")
        entry = _entry(parts, raw, base)
        if entry is None:
            document.unreadable += 1
        else:
            document.entries.append(entry)
    return document


class _Divider:
    """Divides a document in one pass, whether it is well-formed or not."""

    def __init__(self, text: str, start: int, root_name: str) -> None:
        root = _START_TAG.match(text, start)
        if root is None or len(root[0]) > ROOT_MAX_CHARS or root[0].count("xmlns") > NAMESPACES_MAX:
            raise UnreadableFeed("its root element has no end, or is far too long")
        prefix, colon, local = root_name.rpartition(":")
        self._text = text
        self._kind = local.lower()
        self._prefix = prefix + colon
        # RDF's own prefix is not that of RSS: its items show theirs.
        self._entry_prefix = None if self._kind == "rdf" else self._prefix
        self._parts = XmlParts(root[0], end=f"</{root_name}>")
        self._head = root.end()  # where the head begins
        self._head_end: int | None = None
        self._entry: tuple[int, str] | None = None  # where the entry begins that is open, and its name

    def divide(self) -> XmlParts:
        """Return the parts. An entry without an end tag ends where the next one begins."""
        for tag in _tags(self._text, self._head):
            name, closing = tag[3].lower(), bool(tag[1])
            if name == ROOTS[self._kind]:
                self._entry_tag(tag, closing=closing)
            elif name == "channel" and self._kind == "rss" and self._entry is None:
                self._channel_tag(tag, closing=closing)
            elif name == self._kind and closing and tag[2] == self._prefix:
                self._close_entry(tag.start(), whole=False)
                self._end_head(tag.start())
                self._parts.complete = True
                break
        end = self._head + HEAD_MAX_CHARS
        self._parts.head = self._text[self._head : min(end, self._head_end if self._head_end is not None else end)]
        return self._parts

    def _entry_tag(self, tag: re.Match[str], *, closing: bool) -> None:
        if self._entry_prefix is None:
            self._entry_prefix = tag[2]
        if tag[2] != self._entry_prefix:
            return  # of another vocabulary
        if closing:
            self._close_entry(_after(self._text, ">", tag.end()), whole=True)
        else:
            self._close_entry(tag.start(), whole=False)
            self._end_head(tag.start())
            self._entry = tag.start(), f"{tag[2]}{tag[3]}"

    def _close_entry(self, end: int, *, whole: bool) -> None:
        if self._entry is not None:
            start, name = self._entry
            if len(self._parts.entries) < LISTED_MAX:
                self._parts.entries.append(self._text[start:end] + ("" if whole else f"</{name}>"))
            else:
                self._parts.unlisted += 1
        self._entry = None

    def _channel_tag(self, tag: re.Match[str], *, closing: bool) -> None:
        if closing:
            return self._end_head(tag.start())
        start = _START_TAG.match(self._text, tag.start())
        if not self._parts.channel and start is not None and len(start[0]) <= ROOT_MAX_CHARS and start[0][-2] != "/":
            self._parts.channel = start[0]
            self._parts.end = f"</{tag[2]}{tag[3]}>{self._parts.end}"
            self._head = start.end()

    def _end_head(self, end: int) -> None:
        if self._head_end is None:
            self._head_end = end


def _tags(text: str, start: int) -> Iterator[re.Match[str]]:
    """Yield the tags that matter, outside of comments and CDATA sections."""
    at = start
    while (token := _TOKEN.search(text, at)) is not None:
        if token[3] is not None:
            at = token.end()
            yield token
        else:
            at = _after(text, "-->" if token[0] == "<!--" else "]]>", token.end())


def _after(text: str, mark: str, start: int) -> int:
    found = text.find(mark, start)
    return len(text) if found < 0 else found + len(mark)


def _newest(entries: list[str]) -> tuple[list[str], list[str]]:
    """Return the newest ENTRIES_MAX entries, by their dates if most have one, else in their order; and the others."""
    if len(entries) <= ENTRIES_MAX:
        return entries, []
    dates = [_first_date(each) for each in entries]
    if sum(date is not None for date in dates) * 2 < len(entries):
        return entries[:ENTRIES_MAX], entries[ENTRIES_MAX:]
    newest = set(nlargest(ENTRIES_MAX, range(len(entries)), key=lambda number: (dates[number] or 0.0, -number)))
    return (
        [each for number, each in enumerate(entries) if number in newest],
        [each for number, each in enumerate(entries) if number not in newest],
    )


def _first_date(raw: str) -> float | None:
    found = _DATE.search(raw, 0, ENTRY_MAX_CHARS)
    return parse_date(found[1]) if found else None


def _entry(parts: XmlParts, raw: str, base: str) -> FeedEntry | None:
    """Return an entry; None if nothing of it can be read."""
    if len(raw) > ENTRY_MAX_CHARS or raw.count("<") > ENTRY_MAX_TAGS:
        raw = xml_repair.reduced(raw)
    found = _parsed(parts, raw).entries
    try:
        entry = _converted(found[0], base) if found else None
    except (ValueError, TypeError, AttributeError, LookupError):  # a field of a form that no parser should return
        return None
    return entry if entry is not None and entry.is_readable else None


def _parsed(parts: XmlParts, content: str) -> Any:
    """Return what feedparser reads in a part of the document, repaired if it is not well-formed."""
    nothing = feedparser.FeedParserDict(feed=feedparser.FeedParserDict(), entries=[])
    document = parts.document(content)
    if not xml_repair.is_well_formed(document):
        root = xml_repair.with_prefixes(parts.root, parts.channel + content)
        repaired = msgspec.structs.replace(parts, root=root)
        document = repaired.document(xml_repair.repaired(content))
        if not xml_repair.is_well_formed(document):
            document = repaired.document(xml_repair.reduced(content))
        if not xml_repair.is_well_formed(document):
            return nothing
    # Without a base: a guid must stay the same when the feed moves. ``_converted`` completes links.
    headers = {"content-type": "application/xml; charset=utf-8"}
    try:
        return feedparser.parse(
            io.BytesIO(document.encode()), response_headers=headers, resolve_relative_uris=False, sanitize_html=False
        )
    except Exception:  # noqa: BLE001 - whatever feedparser's code runs into; the caller counts the entry
        return nothing


def _converted(found: Any, base: str) -> FeedEntry:
    guid = sanitized(str(found.get("id") or "")[:GUID_MAX_CHARS]).strip()
    link = absolute_link(base, str(found.get("link") or "")) or absolute_link("", guid)
    comments = absolute_link(base, str(found.get("comments") or ""))
    # Of a link elsewhere that people discuss, the discussion is the entry's own page (Lobsters, Lemmy).
    is_discussion = guid and f"{comments}/".startswith(f"{guid}/") and site_of(comments) != site_of(link)
    url = link if is_discussion else ""
    content = next((each for each in found.get("content") or () if each.get("value")), None)
    return FeedEntry(
        guid=guid,
        link=comments if url else link,
        url=url,
        title=" ".join(_text(found, "title").split()),
        body=(_plain(content) if content else "") or _text(found, "summary"),
        author=as_name(_author(found)),
        tags=_labels(found),
        lang=_language(found, content),
        published=seconds_of(found.get("published_parsed") or found.get("created_parsed")),
        updated=seconds_of(dict.get(found, "updated_parsed")),  # its own get() falls back to published,
    )


def _author(found: Any) -> str:
    """Return the author's name, of `ann@example.org (Ann)`, too."""
    return str((found.get("author_detail") or {}).get("name") or found.get("author") or "")


def _text(found: Any, name: str) -> str:
    detail = found.get(f"{name}_detail") or {"value": found.get(name) or "", "type": "text/html"}
    return _plain(detail)


def _plain(detail: Any) -> str:
    value = str(detail.get("value") or "")[:TEXT_MAX_CHARS]
    kind = str(detail.get("type") or "")
    if kind == "text/plain":
        return sanitized(value).strip()
    return html_to_text(value) if kind in ("text/html", "application/xhtml+xml", "") else ""


def _language(found: Any, content: Any) -> str:
    """Return an entry's own language (``dc:language``), else that of its text or title (``xml:lang``)."""
    details = (found, content, found.get("summary_detail"), found.get("title_detail"))
    return next(filter(None, (language_tag((detail or {}).get("language")) for detail in details)), "")


def _labels(found: Any) -> tuple[str, ...]:
    labels = (str(tag.get("label") or tag.get("term") or "") for tag in (found.get("tags") or ())[:TAGS_MAX])
    return tuple(label for each in labels if (label := as_name(each)))


def _update_seconds(feed: Any) -> float:
    """Return how often the publisher wants it read: by ``ttl`` (minutes) or ``sy:…``; 0: it does not say."""
    ttl = _number(feed.get("ttl")) * 60.0
    period = PERIOD_SECONDS.get(str(feed.get("sy_updateperiod") or "").strip().lower(), 0.0)
    return max(ttl, period / (_number(feed.get("sy_updatefrequency")) or 1.0))


def _number(text: object) -> float:
    digits = str(text or "").strip()
    return float(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else 0.0
