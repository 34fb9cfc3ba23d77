"""Collect events into a page: the newest state of each post, and what is gone. Pure."""

from __future__ import annotations

import msgspec

from overheard.chunking import item_size
from overheard.items import Item
from overheard.sources import ListingGap, Page
from overheard.sources.bluesky.cursor import StreamCursor
from overheard.sources.bluesky.events import StreamEvent

# Chosen, not measured: a second of the stream at its busiest has 36 posts, so only a reading that catches up is cut.
BATCH_MAX_POSTS = 500
BATCH_MAX_BYTES = 4 << 20
# Without an event at the cursor to begin with, a first one that is later than this means that some are missing: even a
# quiet stream has no silence that is as long.
CLAMPED_SECONDS = 60.0


class Resumption(msgspec.Struct, frozen=True):
    """Where the stream resumes, until its first event has come. ``outdated``: something is known to be missing."""

    cursor: StreamCursor
    outdated: bool = False

    def is_repeated(self, event: StreamEvent) -> bool:
        """Return True if the first event is the one at the cursor, by its number, and so is stored already."""
        return not self.outdated and event.seq is not None and event.seq == self.cursor.seq

    def gap_before(self, event: StreamEvent) -> ListingGap | None:
        """Return what is missing if ``event`` is the first one."""
        if event.seq is None and self.cursor.seen:
            # By time, and with an overlap: if the server still had the event at the cursor, it would not begin later.
            late = event.time_us > self.cursor.time_us
        else:
            late = event.at - self.cursor.at > CLAMPED_SECONDS
        if late or (self.outdated and self.cursor.seen):
            until = event.item.id if event.item is not None else str(event.time_us)
            return ListingGap("outdated", self.cursor.bound, (until, event.at))
        return None


class EventBatch:
    """The events of a page. ``cursor``: after the latest of them, or where the stream stood before."""

    def __init__(self, cursor: StreamCursor) -> None:
        self.cursor = cursor
        self.count = 0
        self.unreadable: list[str] = []
        self.gap: ListingGap | None = None
        self._items: dict[str, Item] = {}
        self._gone: dict[str, None] = {}
        self._gone_authors: dict[str, float] = {}
        self._bytes = 0

    @property
    def full(self) -> bool:
        """True if the next event belongs to the next page."""
        posts = len(self._items) + len(self._gone) + len(self._gone_authors)
        return posts >= BATCH_MAX_POSTS or self._bytes >= BATCH_MAX_BYTES

    def add(self, event: StreamEvent) -> None:
        """Add the next event."""
        self.count += 1
        self.cursor = self.cursor.after(event)
        if event.wrong:
            self.unreadable.append(event.wrong)
        if event.item is not None:
            self._items[event.item.id] = event.item
            self._bytes += item_size(event.item)
        if event.gone is not None:
            self._remove(event.gone)
        if event.gone_author is not None:
            for item in [item for item in self._items.values() if item.author == event.gone_author]:
                self._remove(item.id)
            self._gone_authors[event.gone_author] = event.at

    def _remove(self, item_id: str) -> None:
        self._items.pop(item_id, None)
        self._gone[item_id] = None

    def page(self, *, cursor: str, behind: bool) -> Page:
        """Return the page. ``behind``: the stream has more that is old already."""
        return Page(
            items=tuple(self._items.values()),
            gone=tuple(self._gone),
            gone_authors=tuple(self._gone_authors.items()),
            cursor=cursor,
            gaps=() if self.gap is None else (self.gap,),
            behind=behind,
        )
