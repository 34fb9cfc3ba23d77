"""A poll under way: which group it reads, and how far it has come."""

from __future__ import annotations

import msgspec

from overheard.db.groups import Group
from overheard.messages import GapBounds, PollProgress, PollTarget
from overheard.sources import Page, ReadRequest


class GroupPoll(msgspec.Struct):
    """One poll of a group's feeds, page by page. ``at`` is how far it has come: what a message carries to go on."""

    group: Group
    at: PollProgress

    @property
    def gist(self) -> dict[str, str | int]:
        """What log lines say of it."""
        return {
            "poll": self.at.poll_id,
            "source": self.group.source,
            "kind": self.group.kind,
            "feeds": len(self.group.feeds),
            "pages": self.at.pages,
        }

    def request(self) -> ReadRequest:
        """What to ask the source for: the next page."""
        group = self.group
        return ReadRequest(
            kind=group.kind,
            places=group.places,
            cursor=group.cursor,
            position=self.at.position,
            since=group.began_at,
        )

    def turn(self, page: Page, now: float) -> None:
        """Note that a page was read: so the feeds are not refused, or not any more."""
        at = self.at
        self.at = msgspec.structs.replace(
            at,
            position=page.position,
            pages=at.pages + 1,
            read_at=at.read_at if at.pages else now,
            refused_at=None,
        )

    def next_part(self) -> int:
        """Return the number of the part that is sent next."""
        part = self.at.parts
        self.at = msgspec.structs.replace(self.at, parts=part + 1)
        return part

    def target(self, page: Page, missed: GapBounds | None, room: int | None) -> PollTarget:
        """Where the group stands when all of this, of which ``page`` was the last, is stored."""
        feeds = tuple(feed.id for feed in self.group.feeds)
        return PollTarget(self.group.id, feeds, page.cursor, self.at.read_at, room, missed)
