"""The cursor of a feed, and what is new in a window. Pure.

A feed shows its newest entries and no more. The cursor remembers the last window, so the next one says what is new (an
unknown guid), what was edited (a known guid with another text), and what may be missing: when two windows in a row have
no entry in common, entries between them may have come and gone.
"""

from __future__ import annotations

import msgspec

from overheard.items import Item
from overheard.sources import ListingGap
from overheard.sources.feeds.entries import FeedDocument, FeedEntry, content_mark, item_id, sameness_mark, to_item

# Entries remembered beyond the window, for those that leave it and return. Chosen, not measured.
LEFT_WINDOW_MAX = 200
HEADER_MAX_CHARS = 1_000
SEEN_ID_CHARS = 12  # of an item's id, in the cursor


class SeenEntry(msgspec.Struct, array_like=True, frozen=True):
    """A remembered entry: the beginning of its id, and the marks of ``entries``."""

    id: str
    content: str
    same: str


class FeedCursor(msgspec.Struct, omit_defaults=True):
    """What is known of a feed."""

    seen: list[SeenEntry] = []
    etag: str = ""  # of the last response, like ``modified``
    modified: str = ""
    moved: str = ""  # where permanent redirects lead
    asked_at: float = 0.0  # when the feed's own address was last requested, if it has moved
    update_seconds: float = 0.0  # how often the publisher wants it read
    newest: tuple[str, float] | None = None  # id and time of the last window's newest entry; None if it was empty

    def encode(self) -> str:
        """Return the cursor's text."""
        return msgspec.json.encode(self).decode()


class WindowNews(msgspec.Struct, frozen=True):
    """What a window has that the cursor did not know: new and edited entries, the oldest first; and a gap, if any."""

    items: tuple[Item, ...]
    gap: ListingGap | None


_CURSOR = msgspec.json.Decoder(FeedCursor)


def decode(text: str | None) -> FeedCursor | None:
    """Return the cursor; None for a first reading, or a text that this version cannot read."""
    try:
        return _CURSOR.decode(text) if text else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def read_window(
    document: FeedDocument, cursor: FeedCursor, place: str, *, first: bool, since: float, now: float
) -> WindowNews:
    """Return the window's news, and move ``cursor`` past it. ``since``: the last reading, or the watch's beginning."""
    by_id = {seen.id: seen for seen in cursor.seen}
    known_texts = {seen.same for seen in cursor.seen}
    window: dict[str, SeenEntry] = {}
    items: list[Item] = []
    dated: list[tuple[float, str]] = []
    overlaps = False
    for entry in document.entries:
        own_id = item_id(place, entry.identity)
        seen = SeenEntry(own_id[:SEEN_ID_CHARS], content_mark(entry), sameness_mark(entry))
        if seen.id in window:
            continue  # the same guid twice
        before = by_id.get(seen.id)
        window[seen.id] = seen
        # A publisher may give every entry a new guid with every request.
        known = before is not None or seen.same in known_texts
        overlaps = overlaps or known
        created_at = _created_at(entry, now if not first else min(since, now) - 1.0, now)
        dated.append((created_at, own_id))
        edited = before is not None and before.content != seen.content
        if edited or not known:
            items.append(to_item(entry, document, place, created_at=created_at, edited_at=now if edited else None))
    gap = _gap(document, cursor, dated, first=first, overlaps=overlaps, since=since)
    left = [seen for seen in cursor.seen if seen.id not in window][:LEFT_WINDOW_MAX]
    cursor.seen = [*window.values(), *left]
    cursor.newest = max(((own_id, at) for at, own_id in dated), key=lambda pair: pair[1], default=None)
    return WindowNews(tuple(reversed(items)), gap)


def _created_at(entry: FeedEntry, otherwise: float, now: float) -> float:
    """Return when the entry was published, else updated, else first seen; never in the future."""
    stated = entry.published or entry.updated
    return min(stated, now) if stated else otherwise


def _gap(
    document: FeedDocument,
    cursor: FeedCursor,
    dated: list[tuple[float, str]],
    *,
    first: bool,
    overlaps: bool,
    since: float,
) -> ListingGap | None:
    if not dated or document.cut_off:
        return None
    if first:
        # Nothing was promised of what is older than the watch.
        missed = document.dropped_at is not None and document.dropped_at > since
    else:
        missed = cursor.newest is not None and not overlaps
    if not missed:
        return None
    oldest_at, oldest = min(dated)
    return ListingGap("horizon", cursor.newest, (oldest, oldest_at))
