"""Leases on groups of feeds: at most one poll at a time reads a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overheard.db import groups
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.groups import Group
from overheard.db.models import Feed, FeedGroup, Poll, Watch, Workspace


def claim(db: Db, group_id: int, poll: str, *, now: float, lease: float) -> Group | None:
    """Claim the group's lease for ``poll``; None if it is leased already, or gone.

    Feeds that no active workspace watches are split off, unless there are no others.
    """
    with db.transaction():
        if not take(db, [group_id], poll, now, lease):
            return None
        Poll.insert(id=poll, started_at=now).on_conflict_ignore().execute(db.peewee)
        group = groups.load(db, [group_id])[0]
        wanted = _watched_by_active(db, group)
        if wanted and len(wanted) < len(group.feeds):
            groups.divide(db, group, [feed.id for feed in group.feeds if feed.id not in wanted])
            group = groups.load(db, [group_id])[0]
    return group if group.feeds else None


def take(db: Db, group_ids: Sequence[int], poll: str, now: float, lease: float) -> list[int]:
    """Lease those of the groups that are free; return their ids."""
    unleased: Any = FeedGroup.select(FeedGroup.id).where(FeedGroup.id.in_(list(group_ids)), FeedGroup.lease_until < now)
    if not db.sqlite:
        unleased = unleased.order_by(FeedGroup.id).for_update(skip_locked=True)  # locked: another poll is claiming it
    taken = (
        FeedGroup.update(poll=poll, lease_until=now + lease).where(FeedGroup.id.in_(unleased)).returning(FeedGroup.id)
    )
    return [group_id for (group_id,) in taken.tuples().execute(db.peewee)]


def _watched_by_active(db: Db, group: Group) -> set[int]:
    query = (
        Watch.select(Watch.feed)
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Watch.feed.in_(Feed.select(Feed.id).where(Feed.group == group.id)), Workspace.active)
        .distinct()
    )
    return {feed for (feed,) in query.tuples().execute(db.peewee)}


def of_poll(db: Db, group_id: int, poll: str) -> Group | None:
    """Return the group if ``poll`` still holds its lease."""
    if not FeedGroup.select().where(FeedGroup.id == group_id, FeedGroup.poll == poll).exists(db.peewee):
        return None
    return next(iter(groups.load(db, [group_id])), None)


def extend(db: Db, poll: str, until: float) -> None:
    """Extend the lease of the poll's group: it waits for its turn at the budget."""
    FeedGroup.update(lease_until=until).where(FeedGroup.poll == poll).execute(db.peewee)


def restart(db: Db, poll: str, now: float) -> None:
    """Record that the poll, which had to wait for its turn, begins to read only now."""
    Poll.update(started_at=now).where(Poll.id == poll).execute(db.peewee)


def release(db: Db, poll: str) -> None:
    """Free the group of a poll that gives up; what it has stored stays stored."""
    with db.transaction():
        given_up = {"poll": groups.FREE_UNREAD, "lease_until": 0, "asked_at": 0}
        FeedGroup.update(**given_up).where(FeedGroup.poll == poll).execute(db.peewee)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def leave(db: Db, poll: str) -> None:
    """Free the group of a poll that finds nothing to read there; no workspace waits for it."""
    with db.transaction():
        free(db, poll=poll)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def release_all(db: Db) -> None:
    """Free all groups, none of them asked for: all messages are lost, as they were in the memory of an ended process.

    If one of the polls is under way after all, its group is read twice, and the later reading counts.
    """
    with db.transaction():
        FeedGroup.update(asked_at=0, look_asked_at=0).execute(db.peewee)
        FeedGroup.update(poll=groups.FREE_UNREAD, lease_until=0).where(FeedGroup.poll.is_null(False)).execute(db.peewee)


def postpone(db: Db, poll: str, later: str, *, until: float, lease: float) -> None:
    """Hand the poll's group to the poll ``later``, which begins at ``until``: the source cannot be read just now.

    The new poll has the lease until then and for ``lease`` seconds more. Stored parts of the old one do not count in
    the new one, which begins with the newest page.
    """
    with db.transaction():
        Poll.insert(id=later, started_at=until).execute(db.peewee)
        FeedGroup.update(poll=later, lease_until=until + lease).where(FeedGroup.poll == poll).execute(db.peewee)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


@compiled
def free(db: Db, poll: Any) -> Any:
    """Free the group of a poll, which has ended."""
    return FeedGroup.update(poll=None, lease_until=0).where(FeedGroup.poll == poll)


def sweep(db: Db, now: float, older_than: float, limit: int | None) -> list[int]:
    """Free groups whose lease ran out more than ``older_than`` seconds ago, the oldest first; return their ids."""
    over = FeedGroup.poll.is_null(False) & (FeedGroup.lease_until < now - older_than)
    oldest = FeedGroup.select(FeedGroup.id).where(over).order_by(FeedGroup.lease_until).limit(limit)
    # Not asked for any more: the planner does not wait for the answer of a process that has died.
    unread = FeedGroup.update(poll=None, lease_until=0, asked_at=0).where(FeedGroup.id.in_(oldest), over)
    freed = unread.returning(FeedGroup.id)
    return [group_id for (group_id,) in freed.tuples().execute(db.peewee)]
