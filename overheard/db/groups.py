"""Feed groups: the feeds that one request names stay together from one reading to the next (one lease, one cursor).

A group is divided when its source refuses it (one of the feeds is the reason) and when it has more new items than the
source lists, unless it was just read too late and what it missed can be looked up by number: both parts keep the
cursor. Feeds that no active workspace watches are split off in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db import feed_rates
from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup
from overheard.items import ALL, FeedKind
from overheard.reading.packing import BY_NUMBER_BIN
from overheard.sources.registry import source_type


class FeedRow(msgspec.Struct, frozen=True):
    """A feed as fetch needs it. ``failures`` counts refusals in a row; ``bin`` and ``rate``: see ``models.Feed``."""

    id: int
    kind: FeedKind
    place: str
    failures: int
    source: str
    group_id: int
    bin: int | None = None
    rate: float | None = None


class Group(msgspec.Struct, frozen=True):
    """A group: the columns of ``FeedGroup``, and its feeds. ``chosen``: to be read by its items' numbers."""

    id: int
    source: str
    kind: FeedKind
    cursor: str | None
    began_at: float
    read_at: float
    room: int | None
    looked_at: float = 0.0
    fresh_at: float = 0.0
    chosen: bool = False
    feeds: tuple[FeedRow, ...] = ()

    @property
    def places(self) -> tuple[str, ...]:
        """The places to request from the source."""
        return tuple(feed.place for feed in self.feeds)

    @property
    def by_number(self) -> bool:
        """Return True if its items are read by their numbers: it has everything of a source, or was chosen for that."""
        if source_type(self.source).numbered_size is None:
            return False
        chosen = self.chosen and all(feed.bin == BY_NUMBER_BIN for feed in self.feeds)
        return chosen or any(feed.place == ALL for feed in self.feeds)


# In place of a poll's id: the group is free and its reading did not happen. The sweep must find it, and demand a
# reading for the workspaces that waited for it. The stored text is older than the constant's name.
FREE_UNREAD = "given up"

KEPT = ("source", "kind", "cursor", "began_at", "read_at", "looked_at", "fresh_at")  # by both parts of a divided group
COLUMNS = (*(getattr(FeedGroup, name) for name in Group.__struct_fields__[:-2]), FeedGroup.by_number)


def feed_columns(db: Db) -> Sequence[Any]:
    """Return the columns of a ``FeedRow``."""
    columns = (Feed.id, Feed.kind, Feed.place, Feed.failures, Feed.source, Feed.group, Feed.bin)
    return *columns, feed_rates.current(db)


def make(db: Db, source: str, kind: FeedKind, count: int, now: float) -> list[int]:
    """Make so many groups, each for a feed of this kind that is watched from now on; return their ids."""
    rows = [{"source": source, "kind": kind, "began_at": now, "read_at": now, "looked_at": now}] * count
    made = FeedGroup.insert_many(rows).returning(FeedGroup.id).tuples().execute(db.peewee)
    return [group_id for (group_id,) in made]


def load(db: Db, group_ids: Sequence[int]) -> list[Group]:
    """Return the groups with their feeds, in the order of ``group_ids``; those that are gone are left out."""
    if not group_ids:
        return []
    feeds: dict[int, list[FeedRow]] = {group_id: [] for group_id in group_ids}
    for row in _feeds(db, groups=list(group_ids)):
        feed = FeedRow(*row)
        feeds[feed.group_id].append(feed)
    by_id = {row[0]: Group(*(*row, tuple(feeds[row[0]]))) for row in _groups(db, ids=list(group_ids))}
    return [by_id[group_id] for group_id in group_ids if group_id in by_id]


@compiled
def _feeds(db: Db, groups: Any) -> Any:
    return Feed.select(*feed_columns(db)).where(among(Feed.group, groups)).order_by(Feed.id)


@compiled
def _groups(db: Db, ids: Any) -> Any:
    return FeedGroup.select(*COLUMNS).where(among(FeedGroup.id, ids))


def of_feeds(db: Db, group_id: int, feed_ids: Sequence[int]) -> Group | None:
    """Return those of the feeds that still exist as a group without a cursor; None if there are none any more."""
    query = Feed.select(*feed_columns(db)).where(Feed.id.in_(list(feed_ids))).order_by(Feed.id)
    feeds = tuple(FeedRow(*row) for row in query.tuples().execute(db.peewee))
    if not feeds:
        return None
    return Group(group_id, feeds[0].source, feeds[0].kind, None, 0.0, 0.0, None, feeds=feeds)


def divide(
    db: Db, group: Group, feed_ids: Sequence[int], *, room: int | None = None, poll: str | None = FREE_UNREAD
) -> int:
    """Move these feeds of the claimed group into a new one with the same cursor and no lease; return its id.

    ``room`` limits both groups from now on; None: as before. ``poll`` None: nobody waits for the new one's reading.
    """
    values = {name: getattr(group, name) for name in KEPT}
    with db.transaction():
        made = int(FeedGroup.insert(**values, room=room or group.room, poll=poll).execute(db.peewee))
        Feed.update(group=made).where(Feed.id.in_(list(feed_ids)), Feed.group == group.id).execute(db.peewee)
        if room is not None:
            FeedGroup.update(room=room).where(FeedGroup.id == group.id).execute(db.peewee)
    return made


def delete_empty(db: Db, now: float) -> int:
    """Delete groups whose feeds are all gone; return how many."""
    used = fn.EXISTS(Feed.select(Feed.id).where(Feed.group == FeedGroup.id))
    # A new group is made a moment before its feed, so an hour spares it.
    empty = ~used & (FeedGroup.lease_until < now) & (FeedGroup.began_at < now - 3600.0)
    return int(FeedGroup.delete().where(empty).execute(db.peewee))
