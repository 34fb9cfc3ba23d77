"""Read stored mentions, and follow new ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from overheard.db import mentions as stored
from overheard.db.database import Db
from overheard.db.mention_filter import MentionFilter
from overheard.notices import PublicMention

PAGE_ROWS = 1000
# Polling, because SQLite cannot notify. The pace is chosen, not measured.
POLL_SECONDS = 1.0
VISIBLE_SECONDS = 60.0  # mentions of a transaction that is open for longer are not followed

NumberedMention = tuple[int, PublicMention]


def all_mentions(db: Db, which: MentionFilter) -> Iterator[NumberedMention]:
    """Yield all, oldest first, page by page: millions must neither fill the memory nor hold a transaction open."""
    after = 0
    while True:
        page = list(stored.listing(db, which, after_id=after, limit=PAGE_ROWS, newest_first=False))
        yield from page
        if len(page) < PAGE_ROWS:
            return
        after = page[-1][0]


def newest_mentions(db: Db, which: MentionFilter, limit: int) -> Iterator[NumberedMention]:
    """Return the newest ``limit`` mentions, oldest first."""
    return reversed(list(stored.listing(db, which, limit=limit)))


class MentionTail:
    """The mentions stored since it was created, each once: those that are new, or all in an endless iterator.

    Ids are taken in ascending order but become visible in the order of commits. So each poll reads the ids of the last
    ``VISIBLE_SECONDS`` again, and the ids already yielded are remembered for that long.
    """

    def __init__(self, db: Db, which: MentionFilter = stored.EVERY_MENTION) -> None:
        self._db = db
        self._which = which
        recent = stored.ids_since(db, db.clock() - VISIBLE_SECONDS)
        self._floor = min(recent) - 1 if recent else stored.last_id(db)
        self._seen = dict.fromkeys(recent, db.clock())

    def remember(self, listing: Iterator[NumberedMention]) -> Iterator[PublicMention]:
        """Yield the mentions of a listing, and remember not to yield them again."""
        for number, mention in listing:
            if number > self._floor:
                self._seen[number] = self._db.clock()
            yield mention

    def new(self) -> Iterator[PublicMention]:
        """Yield those stored since the last time."""
        recent = stored.listing(self._db, self._which, after_id=self._floor, newest_first=False)
        for number, mention in recent:
            if number not in self._seen:
                self._seen[number] = self._db.clock()
                yield mention
        self._forget(self._db.clock() - VISIBLE_SECONDS)

    def __iter__(self) -> Iterator[PublicMention]:
        pause = threading.Event()
        while True:
            yield from self.new()
            pause.wait(POLL_SECONDS)

    def _forget(self, before: float) -> None:
        self._floor = max([self._floor, *(number for number, at in self._seen.items() if at < before)])
        self._seen = {number: at for number, at in self._seen.items() if number > self._floor}
