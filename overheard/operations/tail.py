"""Mentions from the database: those that are there, and those that come."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from overheard.db import mentions as stored
from overheard.db.database import Db
from overheard.notices import PublicMention

PAGE_ROWS = 1000
POLL_SECONDS = 1.0
VISIBLE_SECONDS = 60.0  # that a transaction may take between its first id and its end

NumberedMention = tuple[int, PublicMention]


def all_of(db: Db, workspace: str | None, since: float | None) -> Iterator[NumberedMention]:
    """Read page by page: millions are neither held in memory nor read in one long transaction."""
    after = 0
    while True:
        page = list(
            stored.listing(db, workspace=workspace, since=since, after_id=after, limit=PAGE_ROWS, newest_first=False)
        )
        yield from page
        if len(page) < PAGE_ROWS:
            return
        after = page[-1][0]


def newest_of(db: Db, workspace: str | None, since: float | None, limit: int) -> Iterator[NumberedMention]:
    """Return the newest ``limit``, oldest first."""
    return reversed(list(stored.listing(db, workspace=workspace, since=since, limit=limit)))


class Arrivals:
    """Mentions as they are stored, from when this was made, each once; never ends.

    Ids rise, but of two transactions the one that took its ids first may be the last to become visible. So those of
    the last minute are looked at again each time, and what was shown is remembered as long.
    """

    def __init__(self, db: Db, workspace: str | None) -> None:
        self._db = db
        self._workspace = workspace
        recent = [number for number, _ in stored.listing(db, since=db.clock() - VISIBLE_SECONDS)]
        self._floor = min(recent) - 1 if recent else stored.last_id(db)
        self._seen = dict.fromkeys(recent, db.clock())

    def noted(self, listing: Iterator[NumberedMention]) -> Iterator[PublicMention]:
        """Return the mentions of a listing, which are not to come again."""
        for number, mention in listing:
            if number > self._floor:
                self._seen[number] = self._db.clock()
            yield mention

    def __iter__(self) -> Iterator[PublicMention]:
        pause = threading.Event()
        while True:
            news = stored.listing(self._db, workspace=self._workspace, after_id=self._floor, newest_first=False)
            for number, mention in news:
                if number not in self._seen:
                    self._seen[number] = self._db.clock()
                    yield mention
            self._forget(self._db.clock() - VISIBLE_SECONDS)
            pause.wait(POLL_SECONDS)

    def _forget(self, before: float) -> None:
        self._floor = max([self._floor, *(number for number, at in self._seen.items() if at < before)])
        self._seen = {number: at for number, at in self._seen.items() if number > self._floor}
