"""The cursors of groups: they move with the last part of a poll that is stored, in its transaction (I2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from peewee import Case, fn

from overheard.db import feed_rates, gaps, leases
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup
from overheard.messages import PollTarget

BEFORE_ALL = -1.0  # even before a feed that was never read


def advance(db: Db, poll: str, started_at: float, targets: Sequence[PollTarget], now: float) -> list[tuple[str, str]]:
    """Move the cursors of a poll whose parts are all stored; return (source, reason) of each gap that it leaves.

    Runs inside store's transaction. The poll counts even if its lease ran out before all was stored, as long as the
    group has no feed that was not read, and no later reading is stored already. A second look moves no cursor, and
    leaves no gap.
    """
    left = []
    for target in sorted(targets, key=lambda target: target.group_id):
        stored = _locked(db, group=target.group_id)
        members = {feed for (feed,) in _members(db, group=target.group_id)}
        if not stored or not members <= set(target.feed_ids):
            continue
        if target.look:
            _looked(db, group=target.group_id, at=started_at)
            continue
        source, began_at, fresh_before = stored[0]
        if began_at > started_at:
            continue
        read = {"cursor": target.cursor, "read_at": target.read_at, "room": target.room, "pace": target.pace}
        until = _read_until(target, started_at)
        fresh = max(fresh_before, until)
        _move(db, group=target.group_id, began_at=started_at, fresh_at=fresh, **read)
        _refresh(db, group=target.group_id, until=until, retry_at=target.retry_at)
        feed_rates.update(db, target, fresh_before, fresh)
        missed = [gap for gap in (target.missed, *target.gaps) if gap is not None]
        if missed:
            gaps.record(db, source, target.feed_ids, missed, now)
            left += [(source, gap.reason) for gap in missed]
    leases.free(db, poll=poll)
    return left


def _read_until(target: PollTarget, started_at: float) -> float:
    if not target.behind:
        return started_at
    # What is left of a long backlog is as old as before.
    return BEFORE_ALL if target.lag is None else started_at - target.lag


@compiled
def _locked(db: Db, group: Any) -> Any:
    row: Any = FeedGroup.select(FeedGroup.source, FeedGroup.began_at, FeedGroup.fresh_at).where(FeedGroup.id == group)
    return row if db.sqlite else row.for_update()


@compiled
def _members(db: Db, group: Any) -> Any:
    return Feed.select(Feed.id).where(Feed.group == group)


@compiled
def _move(db: Db, group: Any, began_at: Any, fresh_at: Any, cursor: Any, read_at: Any, room: Any, pace: Any) -> Any:
    known = fn.coalesce(pace, FeedGroup.pace)
    times = {"began_at": began_at, "fresh_at": fresh_at, "read_at": read_at}
    return FeedGroup.update(cursor=cursor, room=room, pace=known, **times).where(FeedGroup.id == group)


@compiled
def _looked(db: Db, group: Any, at: Any) -> Any:
    return FeedGroup.update(looked_at=db.greatest(FeedGroup.looked_at, at)).where(FeedGroup.id == group)


@compiled
def _refresh(db: Db, group: Any, until: Any, retry_at: Any) -> Any:
    """Let the feeds be as fresh as their group, which is read ``until`` then: few rows have to change for that."""
    read = Feed.fresh_at <= until
    fresh = Case(None, [(read, None)], Feed.fresh_at)
    other = read | (Feed.failures > 0) | Feed.reason.is_null(False) | (Feed.retry_at != retry_at)
    return Feed.update(fresh_at=fresh, failures=0, reason=None, retry_at=retry_at).where(Feed.group == group, other)
