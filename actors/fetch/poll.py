"""A poll in progress: the group it reads, and how far it has read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from overheard.db.groups import Group
from overheard.items import Item
from overheard.messages import GapBounds, PollProgress, PollTarget
from overheard.sources import Page, ReadRequest

FULL_PAGE_ITEMS = 100  # of Reddit's listings
FIRST_READING_SECONDS = 300.0  # for which less than a page counts; chosen, not measured


class GroupPoll(msgspec.Struct):
    """One poll of a group's feeds, page by page. ``progress`` is what a message carries to resume it.

    With ``back_to`` it is a second look: see ``ReadRequest``.
    """

    group: Group
    progress: PollProgress
    back_to: float = 0.0
    _items: int = 0
    _oldest_at: float = math.inf
    _resumed: bool = False

    def __post_init__(self) -> None:
        self._resumed = self.progress.pages > 0

    @property
    def log_fields(self) -> dict[str, str | int]:
        """Return the fields that identify the poll in log lines."""
        return {
            "poll": self.progress.poll_id,
            "source": self.group.source,
            "kind": self.group.kind,
            "feeds": len(self.group.feeds),
            "pages": self.progress.pages,
        }

    @property
    def seconds_since_last(self) -> float:
        """Return the time between the last reading and this one."""
        return max(self.progress.read_at - self.group.read_at, 0.0)

    def request(self) -> ReadRequest:
        """Return the request for the next page."""
        group = self.group
        return ReadRequest(
            kind=group.kind,
            places=group.places,
            cursor=group.cursor,
            position=self.progress.position,
            since=group.began_at,
            back_to=self.back_to,
            by_number=group.by_number,
        )

    def record_page(self, page: Page, now: float) -> None:
        """Advance past a page that was read at ``now``, and clear ``refused_at``: the source serves the feeds."""
        before = self.progress
        self.progress = msgspec.structs.replace(
            before,
            position=page.position,
            pages=before.pages + 1,
            read_at=before.read_at if before.pages else now,
            refused_at=None,
        )

    def record_refusal(self, at: float) -> None:
        """Begin again at the newest page: the group is about to lose places that cannot be read."""
        self.progress = msgspec.structs.replace(self.progress, position=None, pages=0, refused_at=at)

    def record_items(self, items: Sequence[Item]) -> None:
        """Remember what the feeds' rates are estimated from."""
        self._items += len(items)
        self._oldest_at = min([self._oldest_at, *(item.created_at for item in items)])

    def record_parts(self, count: int) -> None:
        """Count the parts that were sent."""
        self.progress = msgspec.structs.replace(self.progress, parts=self.progress.parts + count)

    def target(self, page: Page, missed: GapBounds | None, room: int | None) -> PollTarget:
        """Return the state that store gives to the group when all parts are stored; ``page`` is the last one read."""
        feeds = tuple(feed.id for feed in self.group.feeds)
        target = PollTarget(self.group.id, feeds, page.cursor, self.progress.read_at, room, missed)
        return msgspec.structs.replace(target, new=self._new(page), seconds=self._seconds(page), pace=page.pace)

    def look(self) -> PollTarget:
        """Return what store records of a second look when all parts are stored."""
        return PollTarget(self.group.id, self.progress.feeds, "", self.progress.read_at, look=True)

    def _new(self, page: Page) -> tuple[int, ...]:
        """Return how many new items each feed had; () if a poll that was resumed has not counted all."""
        if page.load or len(self.group.feeds) > 1:
            return tuple(page.load.get(feed.place, 0) for feed in self.group.feeds)
        return () if self._resumed else (self._items,)

    def _seconds(self, page: Page) -> float:
        """Return the time in which the new items appeared: since the last reading, or the oldest of the first one."""
        if page.load_seconds is not None:
            return page.load_seconds
        if self.group.cursor is not None:
            until = page.unread.until if page.unread is not None else None
            # Behind a gap, the items read are those of the time since the gap ends.
            covered = max(self.progress.read_at - until[1], 0.0) if until is not None else math.inf
            return min(self.seconds_since_last, covered)
        # Less than a page is all that the feeds have: their oldest item says nothing about how often new ones come.
        least = FIRST_READING_SECONDS if self._items < FULL_PAGE_ITEMS else 0.0
        return max(self.progress.read_at - self._oldest_at, least)
