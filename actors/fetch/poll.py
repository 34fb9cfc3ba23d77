"""A poll under way: which group it reads, and how far it has come."""

from __future__ import annotations

import uuid

from overheard.db.groups import Group
from overheard.messages import Missed, Progress, Target
from overheard.sources import Page


class GroupPoll:
    """One poll of a group's feeds, page by page. ``position`` and ``cursor`` are the source's own texts."""

    def __init__(self, id: str, group: Group) -> None:
        self.id = id
        self.group = group
        self.position: str | None = None
        self.pages = 0
        self.parts = 0
        self.read_at = 0.0

    @property
    def gist(self) -> dict[str, str | int]:
        """What log lines say of it."""
        return {
            "poll": self.id,
            "source": self.group.source,
            "kind": self.group.kind,
            "feeds": len(self.group.feeds),
            "pages": self.pages,
        }

    def turn(self, page: Page, now: float) -> None:
        """Note that a page was read."""
        self.pages += 1
        self.position = page.position
        if self.pages == 1:
            self.read_at = now

    def target(self, page: Page, missed: Missed | None, room: int | None) -> Target:
        """Where the group stands when all of this, of which ``page`` was the last, is stored."""
        feeds = tuple(feed.id for feed in self.group.feeds)
        return Target(self.group.id, feeds, page.cursor, self.read_at, room, missed)

    def progress(self) -> Progress:
        """What a message carries to go on here later."""
        return Progress(self.id, self.group.id, self.position, self.pages, self.parts, self.read_at)

    def anew(self) -> GroupPoll:
        """The same group, to be read from its newest page by another poll."""
        return GroupPoll(uuid.uuid4().hex, self.group)

    @classmethod
    def resumed(cls, progress: Progress, group: Group) -> GroupPoll:
        """Go on where ``progress`` was, with the group whose lease the poll still holds."""
        poll = cls(progress.poll_id, group)
        poll.position, poll.pages = progress.position, progress.pages
        poll.parts, poll.read_at = progress.parts, progress.read_at
        return poll
