"""A poll under way: how far it has read, and how far back it must go."""

from __future__ import annotations

from collections.abc import Sequence

from overheard.db.feeds import FeedRow
from overheard.items import FeedKind, Item
from overheard.messages import Progress, Target


class Reading:
    """One poll of some feeds of a kind, page by page from the newest back."""

    def __init__(self, poll: str, kind: FeedKind, claimed: Sequence[FeedRow]) -> None:
        self.poll = poll
        self.kind: FeedKind = kind
        self.feeds = claimed
        self.after = ""
        self.pages = 0
        self.parts = 0
        self.newest = 0
        self.newest_at = 0.0

    @property
    def source(self) -> str:
        """Whom to ask: a poll has feeds of one source."""
        return self.feeds[0].source

    @property
    def names(self) -> list[str]:
        """What to ask the source for."""
        return [feed.name for feed in self.feeds]

    @property
    def gist(self) -> dict[str, str | int]:
        """What log lines say of it."""
        return {
            "poll": self.poll,
            "source": self.source,
            "kind": self.kind,
            "feeds": len(self.feeds),
            "pages": self.pages,
        }

    def take(self, items: Sequence[Item], after: str | None) -> None:
        """A page was read; ``after`` is where the next one begins."""
        self.pages += 1
        self.after = after or ""
        for item in items:
            if item.number > self.newest:
                self.newest, self.newest_at = item.number, item.created_at

    def covered(self, items: Sequence[Item], overlap: float) -> bool:
        """Whether this page reaches back past every cursor, and by ``overlap`` seconds more.

        Reads overlap because late-approved items appear below newer ones (I3). A feed that was never read has no
        cursor: what was said since somebody watches it is news, however long its first poll had to wait.
        """
        if not items:
            return False
        number = min(item.number for item in items)
        at = min(item.created_at for item in items)
        return all(_covered(feed, number, at, overlap) for feed in self.feeds)

    def targets(self) -> tuple[Target, ...]:
        """Where the feeds' cursors stand when all of this is stored."""
        return tuple(Target(feed.id, self.newest, self.newest_at) for feed in self.feeds)

    def progress(self) -> Progress:
        """What a message carries to go on here later."""
        return Progress(
            poll_id=self.poll,
            kind=self.kind,
            feed_ids=tuple(feed.id for feed in self.feeds),
            after=self.after,
            pages=self.pages,
            parts=self.parts,
            newest=self.newest,
            newest_at=self.newest_at,
        )

    @classmethod
    def resumed(cls, progress: Progress, held: Sequence[FeedRow]) -> Reading:
        """Go on where ``progress`` was, with the feeds whose lease the poll still holds."""
        reading = cls(progress.poll_id, progress.kind, held)
        reading.after, reading.pages, reading.parts = progress.after, progress.pages, progress.parts
        reading.newest, reading.newest_at = progress.newest, progress.newest_at
        return reading


def _covered(feed: FeedRow, number: int, at: float, overlap: float) -> bool:
    if feed.cursor is None:
        return at < int(feed.created_at)  # Reddit's times are whole seconds
    return number <= feed.cursor and at <= (feed.cursor_at or 0.0) - overlap
