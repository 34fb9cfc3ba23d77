"""The groups of streamed sources: which one a producer may read now, and whether what it sent is stored."""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import fn

from overheard.db import groups
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Poll, Watch, Workspace


class StreamedGroup(msgspec.Struct, frozen=True):
    """A watched group of a streamed source. ``read_until``: everything until then is stored.

    ``watched_since``: when the first of the present watches began. ``abandoned``: its last reader has stopped.
    """

    id: int
    cursor: str | None
    read_until: float
    watched_since: float
    abandoned: bool
    leased: bool

    def may_be_taken(self, *, last_cursor: str | None, before: float) -> bool:
        """Return True if a producer may claim the group: nothing else reads it, as far as can be seen.

        Between two polls the lease is free for a moment, so that a second producer has to look at the time, too.
        ``last_cursor`` is the one that the caller has stored itself; without a reading since ``before``, others may
        take over.
        """
        if self.leased:
            return False
        return self.cursor in (None, last_cursor) or self.abandoned or self.read_until < before


def watched(db: Db, source: str, now: float) -> StreamedGroup | None:
    """Return the source's group; None if no active workspace watches it."""
    for group_id, cursor, read_until, since, poll, lease_until in _watched(db, source=source):
        abandoned = poll == groups.FREE_UNREAD
        return StreamedGroup(group_id, cursor, read_until, since, abandoned, leased=lease_until >= now)
    return None


@compiled
def _watched(db: Db, source: Any) -> Any:
    columns = (FeedGroup.id, FeedGroup.cursor, FeedGroup.began_at, fn.MIN(Watch.created_at))
    return (
        FeedGroup.select(*columns, FeedGroup.poll, FeedGroup.lease_until)
        .join(Feed, on=(Feed.group == FeedGroup.id))
        .join(Watch, on=(Watch.feed == Feed.id))
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(FeedGroup.source == source, Workspace.active)
        .group_by(FeedGroup.id)
        .order_by(FeedGroup.id)
        .limit(1)
    )


def is_stored(db: Db, poll: str) -> bool:
    """Return True if all parts of the poll are stored."""
    return bool(_finished(db, poll=poll))


@compiled
def _finished(db: Db, poll: Any) -> Any:
    return Poll.select(Poll.id).where(Poll.id == poll, Poll.finished_at.is_null(False))


def free(db: Db, poll: str) -> None:
    """Free the poll's group without a demand for another reading: the producer comes back by itself."""
    with db.transaction():
        FeedGroup.update(poll=None, lease_until=0).where(FeedGroup.poll == poll).execute(db.peewee)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)
