"""What the planner of readings needs: the feeds that are watched, their rates, and the state of their groups."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import msgspec
from peewee import Case

from overheard.db import feed_rates
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Revision, Watch, Workspace

UPDATE_ROWS = 400  # for each UPDATE: well under every database's limit of parameters


class FeedState(msgspec.Struct, frozen=True):
    """A watched feed. ``rate``: new items a second, None before its first reading; ``bin``: see ``models.Feed``."""

    id: int
    kind: str
    place: str
    group_id: int
    rate: float | None
    bin: int | None
    failures: int
    retry_at: float


class GroupState(msgspec.Struct, frozen=True):
    """``began_at``: of its latest reading; ``asked_at``: when the planner last asked for one.

    ``fresh_at``: the time until which everything is read, before ``began_at`` if that reading has left a backlog.
    ``chosen``: for a reading by numbers.
    """

    id: int
    began_at: float
    asked_at: float
    retry_at: float
    fresh_at: float
    chosen: bool = False

    @property
    def behind(self) -> bool:
        """Return True if its latest reading has left a backlog: the next one has to follow."""
        return 0.0 < self.fresh_at < self.began_at


def watched_feeds(db: Db, source: str) -> list[FeedState]:
    """Return the feeds of the source that an active workspace watches."""
    rate = feed_rates.current(db, FeedGroup.fresh_at)
    columns = (Feed.id, Feed.kind, Feed.place, Feed.group, rate, Feed.bin, Feed.failures, Feed.retry_at)
    watched = Watch.select(Watch.feed).join(Workspace, on=(Watch.workspace == Workspace.id)).where(Workspace.active)
    rows = Feed.select(*columns).join(FeedGroup, on=(Feed.group == FeedGroup.id))
    rows = rows.where(Feed.source == source, Feed.id.in_(watched)).order_by(Feed.id)
    return [FeedState(*row) for row in rows.tuples().execute(db.peewee)]


def paces(db: Db, source: str) -> dict[str, float]:
    """Return by kind how many items a second the source numbers: the median of what its groups' readings showed."""
    found: dict[str, list[float]] = {}
    rows = FeedGroup.select(FeedGroup.kind, FeedGroup.pace).where(FeedGroup.source == source, FeedGroup.pace > 0.0)
    for kind, pace in rows.tuples().execute(db.peewee):
        found.setdefault(kind, []).append(pace)
    return {kind: median(some) for kind, some in found.items()}


def schedules(db: Db, source: str) -> list[tuple[int, str, str]]:
    """Return (feed, schedule, time zone) of all active workspaces that watch the source, each combination once."""
    rows = (
        Watch.select(Watch.feed, Workspace.every, Workspace.timezone)
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .join_from(Watch, Feed, on=(Watch.feed == Feed.id))
        .where(Workspace.active, Feed.source == source)
        .distinct()
    )
    return list(rows.tuples().execute(db.peewee))


def interests(db: Db) -> int:
    """Return a number that changes with every change to watches, queries and active workspaces."""
    return int(Revision.select(Revision.value).where(Revision.name == "interests").scalar(db.peewee) or 0)


def free_groups(db: Db, source: str, now: float) -> list[GroupState]:
    """Return the groups of the source that were read before and that no poll holds now."""
    return [GroupState(*row) for row in _free(db, source=source, now=now)]


@compiled
def _free(db: Db, source: Any, now: Any) -> Any:
    of_group = Feed.select(Feed.retry_at).where(Feed.group == FeedGroup.id).order_by(Feed.retry_at.desc()).limit(1)
    columns = (FeedGroup.id, FeedGroup.began_at, FeedGroup.asked_at, of_group, FeedGroup.fresh_at, FeedGroup.by_number)
    return FeedGroup.select(*columns).where(
        FeedGroup.source == source, FeedGroup.cursor.is_null(False), FeedGroup.lease_until < now
    )


def ask(db: Db, group: GroupState, now: float) -> bool:
    """Record that a reading of the group is asked for; False if another process has asked since it was loaded."""
    same = (FeedGroup.id == group.id) & (FeedGroup.asked_at == group.asked_at)
    return bool(FeedGroup.update(asked_at=now).where(same).execute(db.peewee))


def withdraw(db: Db, group_id: int, asked_before: float) -> bool:
    """Record that a reading of the group is no longer asked for; False if it was asked for later, or is not at all."""
    asked = (FeedGroup.id == group_id) & (FeedGroup.asked_at > 0.0) & (FeedGroup.asked_at < asked_before)
    return bool(FeedGroup.update(asked_at=0.0).where(asked).execute(db.peewee))


def set_bins(db: Db, bins: Mapping[int, int]) -> None:
    """Store with which feeds each feed is to be read, by its id."""
    feeds = sorted(bins)
    with db.transaction():
        for start in range(0, len(feeds), UPDATE_ROWS):
            some = feeds[start : start + UPDATE_ROWS]
            Feed.update(bin=Case(Feed.id, [(feed, bins[feed]) for feed in some], Feed.bin)).where(
                Feed.id.in_(some)
            ).execute(db.peewee)


def groups_of_bin(
    db: Db, number: int, source: str, kind: str, *, besides: int, read_since: float, now: float
) -> list[int]:
    """Return the groups of the bin, besides one, whose latest reading began at or after ``read_since``; none leased."""
    rows = (
        Feed.select(Feed.group)
        .join(FeedGroup, on=(Feed.group == FeedGroup.id))
        .where(
            Feed.bin == number,
            Feed.source == source,
            Feed.kind == kind,
            FeedGroup.id != besides,
            FeedGroup.lease_until < now,
            FeedGroup.cursor.is_null(False),
            FeedGroup.began_at >= read_since,
        )
        .distinct()
        .order_by(Feed.group)
    )
    return [group_id for (group_id,) in rows.tuples().execute(db.peewee)]
