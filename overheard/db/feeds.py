"""Feeds: which are stale, which may join a request that is made anyway, and which their source refuses."""

from __future__ import annotations

from math import inf
from typing import Any

import msgspec
from peewee import JOIN, Case, fn

from overheard.db import feed_rates, freshness, groups, incidents, leases, refreshes, visibility
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.groups import FeedRow, Group, feed_columns
from overheard.db.models import Feed, FeedGroup, Poll, RefreshDemand, Watch, Workspace
from overheard.items import ALL, FeedKind
from overheard.sources.registry import place_label, public_place, streamed

ALERT_AFTER_REFUSALS = 3  # in a row, over an hour and a half: reported to the operator then, once
INITIAL_BACKOFF_SECONDS = 1800.0  # before a refused feed is requested again; doubles with each refusal


def stale_of(db: Db, workspace_id: int, source: str, *, now: float, fresh_since: float) -> list[FeedRow]:
    """Return the workspace's feeds of a source that are older than ``fresh_since``, not leased, and may be read.

    Ordered by kind; groups that were read before come first, as new feeds may join them.
    """
    return [
        FeedRow(*row) for row in _stale(db, workspace=workspace_id, source=source, now=now, fresh_since=fresh_since)
    ]


@compiled
def _stale(db: Db, workspace: Any, source: Any, now: Any, fresh_since: Any) -> Any:
    return (
        Feed.select(*feed_columns(db))
        .join(Watch, on=(Watch.feed == Feed.id))
        .join(FeedGroup, on=(Feed.group == FeedGroup.id))
        .where(
            Watch.workspace == workspace,
            Feed.source == source,
            freshness.fresh_at() < fresh_since,
            FeedGroup.lease_until < now,
            Feed.retry_at <= now,
        )
        .order_by(Feed.kind, FeedGroup.cursor.is_null(), FeedGroup.began_at, Feed.id)
    )


def never_read(db: Db, group: Group, *, now: float, room: int) -> list[Group]:
    """Return groups of watched feeds that were never read either, for up to ``room`` feeds to join a first reading.

    An import of a thousand workspaces must not cost a request, or two, for each feed.
    """
    watched = (
        Watch.select(Watch.feed)
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Watch.feed == Feed.id, Workspace.active)
    )
    # Each group begins elsewhere: two that are claimed at the same time seldom want the same feeds.
    scattered = (Feed.id - group.id).bin_and(15)
    # First those that are to be read together later.
    of_bin = Case(None, [(Feed.bin.in_([feed.bin for feed in group.feeds if feed.bin is not None]), 1)], 0)
    rows = (
        Feed.select(Feed.group)
        .join(FeedGroup, on=(Feed.group == FeedGroup.id))
        .where(
            FeedGroup.id != group.id,
            FeedGroup.source == group.source,
            FeedGroup.kind == group.kind,
            FeedGroup.cursor.is_null(),
            FeedGroup.lease_until < now,
            Feed.retry_at <= now,
            fn.EXISTS(watched),
        )
        .order_by(of_bin.desc(), scattered, Feed.id)
        .limit(2 * room)  # rows are feeds: several may be of one group, and some groups are dropped below
    )
    loaded = groups.load(db, list(dict.fromkeys(group_id for (group_id,) in rows.tuples().execute(db.peewee))))
    return [other for other in loaded if not any(feed.failures or feed.place == ALL for feed in other.feeds)]


def has_stale(
    db: Db, workspace_id: int, source: str, *, now: float, fresh_since: float, in_progress: bool = False
) -> bool:
    """Return True if a readable feed of the source is not fresh, and no poll under way will make it so.

    ``in_progress``: feeds count even if a poll is under way.
    """
    # A poll never begins at infinity.
    since = inf if in_progress else fresh_since
    rows = _stale_and_unread(
        db, workspace=workspace_id, source=source, now=now, fresh_since=fresh_since, begun_since=since
    )
    return bool(rows)


@compiled
def _stale_and_unread(db: Db, workspace: Any, source: Any, now: Any, fresh_since: Any, begun_since: Any) -> Any:
    being_read = (FeedGroup.lease_until >= now) & (fn.coalesce(Poll.started_at, 0.0) >= begun_since)
    return (
        Feed.select(Feed.id)
        .join(Watch, on=(Watch.feed == Feed.id))
        .join(FeedGroup, on=(Feed.group == FeedGroup.id))
        .join(Poll, JOIN.LEFT_OUTER, on=(FeedGroup.poll == Poll.id))
        .where(
            Watch.workspace == workspace,
            Feed.source == source,
            freshness.fresh_at() < fresh_since,
            Feed.retry_at <= now,
            ~being_read,
        )
        .limit(1)
    )


def back_off(db: Db, feed: FeedRow, reason: str, *, now: float, longest: float, delay: float | None = None) -> float:
    """Leave a refused feed, alone in its group, unread for a while; return when to try again.

    For ``delay`` seconds if its source named a time, else longer with each refusal, at most ``longest`` seconds.
    """
    # The exponent is bounded, as 2.0 ** n overflows; ``longest`` is reached long before.
    backoff = INITIAL_BACKOFF_SECONDS * 2.0 ** min(feed.failures, 16)
    retry_at = now + min(backoff if delay is None else delay, longest)
    Feed.update(failures=feed.failures + 1, reason=reason, retry_at=retry_at).where(Feed.id == feed.id).execute(
        db.peewee
    )
    FeedGroup.update(poll=None, lease_until=0).where(FeedGroup.id == feed.group_id).execute(db.peewee)
    if feed.failures + 1 == ALERT_AFTER_REFUSALS:
        incidents.record(db, "feed refused", f"{place_label(feed.source, feed.place)} {feed.kind} ({reason})", now)
    return retry_at


def sweep(db: Db, now: float, older_than: float = 0.0, limit: int | None = None) -> list[tuple[int, str]]:
    """Free the groups of polls whose lease ran out; demand a reading, and return its (workspace, source), one a feed.

    Up to ``limit`` groups, whose lease ran out more than ``older_than`` seconds ago, the oldest first.
    """
    with db.transaction():
        freed = leases.sweep(db, now, older_than, limit)
        if not freed:
            return []
        rows = (
            Watch.select(fn.min(Watch.workspace), Feed.source)
            .join(Workspace, on=(Watch.workspace == Workspace.id))
            .join(Feed, on=(Watch.feed == Feed.id))
            .where(Feed.group.in_(freed), Workspace.active)
            .group_by(Watch.feed, Feed.source)
            .tuples()
            .execute(db.peewee)
        )
        wanted = sorted({(workspace_id, source) for workspace_id, source in rows})
        # The demand outlives this tick: if it dies before it publishes, the sweep of demands finds these again.
        for name in sorted({source for _, source in wanted}):
            refreshes.demand(db, [workspace_id for workspace_id, source in wanted if source == name], now, source=name)
    return wanted


def states(db: Db) -> dict[str, int]:
    """Return how many watched feeds are ok, failing or new."""
    failing = fn.sum(Case(None, [(Feed.failures > 0, 1)], 0))
    new = fn.sum(Case(None, [((Feed.failures == 0) & FeedGroup.cursor.is_null(), 1)], 0))
    watched = Feed.id.in_(Watch.select(Watch.feed)) & visibility.IS_PUBLIC_FEED
    counts = (
        Feed.select(fn.count(Feed.id), failing, new)
        .join(FeedGroup, JOIN.LEFT_OUTER, on=(Feed.group == FeedGroup.id))
        .where(watched)
        .tuples()
        .execute(db.peewee)
    )
    total, failing_now, new_now = (int(count or 0) for count in counts[0])
    return {"ok": total - failing_now - new_now, "failing": failing_now, "new": new_now}


def oldest_fresh(db: Db, now: float, source: str | None = None, *, unmet_after: float | None = None) -> float | None:
    """Return when the least recently read healthy feed of an active workspace was read; None if there is none.

    Of one source, or of all. Feeds that their source does not want to be read yet are left out. ``unmet_after``: only
    feeds of which a workspace has demanded a reading so many seconds later, or more: until then, an earlier one may
    serve it.
    """
    own = Feed.select(Feed.fresh_at).where(Feed.fresh_at > 0)
    of_groups = Feed.select(FeedGroup.fresh_at).join(FeedGroup, on=(Feed.group == FeedGroup.id))
    of_groups = of_groups.where(Feed.fresh_at.is_null(), FeedGroup.fresh_at > 0)
    readable = visibility.IS_PUBLIC_FEED & (Feed.failures == 0) & (Feed.retry_at <= now)
    found = []
    # Two statements, as each can stop at the first row of an index: of feeds, and of groups.
    for query, fresh_at in ((own, Feed.fresh_at), (of_groups, FeedGroup.fresh_at)):
        watched = fn.EXISTS(_watched(now, fresh_at, unmet_after))
        oldest = query.where(readable, watched).order_by(fresh_at).limit(1)
        found.append(db.scalar_time(oldest if source is None else oldest.where(Feed.source == source)))
    return min((at for at in found if at is not None), default=None)


def _watched(now: float, fresh_at: Any, unmet_after: float | None) -> Any:
    """Return the watches of a feed by active workspaces: all, or those with an unmet demand (see ``oldest_fresh``)."""
    watched = (
        Watch.select(Watch.feed)
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Watch.feed == Feed.id, Workspace.active)
    )
    if unmet_after is None:
        return watched
    of_workspace = (RefreshDemand.workspace == Workspace.id) & (RefreshDemand.source == Feed.source)
    unmet = (RefreshDemand.demanded_at > fresh_at + unmet_after) & (RefreshDemand.demanded_at <= now)
    return watched.join(RefreshDemand, on=of_workspace & unmet)


def oldest_poll(db: Db, now: float) -> float | None:
    """Return when the oldest poll that holds feeds began; None if none is under way, or all are postponed."""
    held = (
        FeedGroup.select(fn.min(Poll.started_at))
        .join(Poll, on=(FeedGroup.poll == Poll.id))
        .where(Poll.started_at <= now)
    )
    return db.scalar_time(held)


def has_unread(db: Db, workspace_id: int, since: float) -> bool:
    """Return True if one of the workspace's feeds has not been read since ``since``, and may be read by now.

    Feeds of streamed sources do not count: they are read all the time.
    """
    query = (
        Feed.select(Feed.id)
        .join(Watch, on=(Watch.feed == Feed.id))
        .where(
            Watch.workspace == workspace_id,
            freshness.fresh_at() < since,
            Feed.retry_at < since,
            Feed.source.not_in(streamed()),
        )
    )
    return bool(query.exists(db.peewee))


def paused(db: Db, workspace_id: int, since: float) -> tuple[int, float | None]:
    """Return how many healthy feeds of the workspace their publishers do not want to be read yet at ``since``.

    And when the first of them may be read again; None without any.
    """
    query = (
        Feed.select(fn.count(Feed.id.distinct()), fn.min(Feed.retry_at))
        .join(Watch, on=(Watch.feed == Feed.id))
        .where(
            Watch.workspace == workspace_id, Feed.failures == 0, freshness.fresh_at() < since, Feed.retry_at >= since
        )
    )
    count, first = query.tuples().execute(db.peewee)[0]
    return int(count), first


def rates(db: Db) -> dict[str, float]:
    """Return the new items a minute of all feeds that are watched and were read, by source."""
    total = fn.sum(feed_rates.current(db, FeedGroup.fresh_at)) * 60.0
    rows = (
        Feed.select(Feed.source, total)
        .join(FeedGroup, on=(Feed.group == FeedGroup.id))
        .where(Feed.rate.is_null(False), Feed.id.in_(Watch.select(Watch.feed)))
    )
    return dict(rows.group_by(Feed.source).tuples().execute(db.peewee))


class FailingFeed(msgspec.Struct, frozen=True):
    """A feed that its source refuses; ``retry_at`` is when it is requested again."""

    source: str
    kind: FeedKind
    name: str
    reason: str | None
    failures: int
    retry_at: float


def failing(db: Db, limit: int) -> list[FailingFeed]:
    """Return up to ``limit`` of the watched feeds that their sources refuse, by name."""
    rows = (
        Feed.select(Feed.source, Feed.kind, Feed.place, Feed.reason, Feed.failures, Feed.retry_at)
        .where(Feed.failures > 0, visibility.IS_PUBLIC_FEED, Feed.id.in_(Watch.select(Watch.feed)))
        .order_by(Feed.id)  # not by name: that would sort them all, however many are refused
        .limit(limit)
    )
    found = (
        FailingFeed(source, kind, public_place(source, place), *others)
        for source, kind, place, *others in rows.tuples().execute(db.peewee)
    )
    return sorted(found, key=lambda row: (row.name, row.kind))
