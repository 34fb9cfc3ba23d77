"""A poll in progress: the group it reads, and how far it has read."""

from __future__ import annotations

import msgspec

from overheard.db.groups import Group
from overheard.messages import GapBounds, PollProgress, PollTarget
from overheard.sources import Page, ReadRequest


class GroupPoll(msgspec.Struct):
    """One poll of a group's feeds, page by page. ``progress`` is what a message carries to resume it."""

    group: Group
    progress: PollProgress

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

    def request(self) -> ReadRequest:
        """Return the request for the next page."""
        group = self.group
        return ReadRequest(
            kind=group.kind,
            places=group.places,
            cursor=group.cursor,
            position=self.progress.position,
            since=group.began_at,
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

    def record_parts(self, count: int) -> None:
        """Count the parts that were sent."""
        self.progress = msgspec.structs.replace(self.progress, parts=self.progress.parts + count)

    def target(self, page: Page, missed: GapBounds | None, room: int | None) -> PollTarget:
        """Return the state that store gives to the group when all parts are stored; ``page`` is the last one read."""
        feeds = tuple(feed.id for feed in self.group.feeds)
        return PollTarget(self.group.id, feeds, page.cursor, self.progress.read_at, room, missed)
