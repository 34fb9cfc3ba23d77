"""Feeds: which are stale, who polls them now (a lease), and which Reddit refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from peewee import JOIN, Case, fn

from overheard import canary
from overheard.db import incidents
from overheard.db.connect import Db
from overheard.db.models import Feed, Poll, Watch, Workspace
from overheard.db.workspaces import waiting_since
from overheard.items import FeedKind
from overheard.messages import Target

TOLD_AFTER = 3  # refusals in a row, an hour and a half: the operator hears of it then, once
FIRST_BACKOFF = 1800.0  # seconds before a refused feed is asked for again; doubles with each refusal


class FeedRow(msgspec.Struct, frozen=True):
    """A feed as fetch needs it. ``cursor`` is None before its first poll; ``failures`` counts refusals in a row.

    ``created_at`` is when somebody first watched it.
    """

    id: int
    kind: FeedKind
    name: str
    cursor: int | None
    cursor_at: float | None
    failures: int
    created_at: float
    source: str


# What people say. The canary's feed is in no count of theirs: it would look fresh whatever becomes of the others.
PEOPLES = Feed.source != canary.SOURCE

COLUMNS = tuple(getattr(Feed, name) for name in FeedRow.__struct_fields__)


def _rows(query: object, db: Db) -> list[FeedRow]:
    return [FeedRow(*row) for row in query.tuples().execute(db.peewee)]  # type: ignore[attr-defined]


def stale_of(db: Db, workspace_id: int, *, now: float, fresh_since: float) -> list[FeedRow]:
    """The workspace's feeds that nobody has read since ``fresh_since``, nobody is reading, and that may be read."""
    return _rows(
        Feed.select(*COLUMNS)
        .join(Watch, on=(Watch.feed == Feed.id))
        .where(
            Watch.workspace == workspace_id,
            Feed.fresh_at < fresh_since,
            Feed.lease_until < now,
            Feed.retry_at <= now,
        )
        .order_by(Feed.source, Feed.kind, Feed.cursor_at, Feed.id),
        db,
    )


def also_due(
    db: Db, source: str, kind: FeedKind, *, now: float, due_by: float, fresh_for: float, unread_since: float, limit: int
) -> list[FeedRow]:
    """Other healthy feeds of a source and kind that ride along in a request made anyway: each saves its own later.

    Those are the feeds, not read since ``unread_since``, that would be older than ``fresh_for`` seconds when one of
    their workspaces falls due, now or until ``due_by``. New ones come first: whoever imports a thousand workspaces must
    not pay for a request, or two, for each. Then come those that were read the longest ago.
    """
    waits = Workspace.demanded_at > Workspace.served_at
    needed_at = Case(None, [(waits, now)], db.greatest(Workspace.next_due_at, now))
    wanted = (
        Watch.select(Watch.feed, fn.max(needed_at).alias("needed_at"))
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Workspace.active, (Workspace.next_due_at <= due_by) | waits)
        .group_by(Watch.feed)
    )
    return _rows(
        Feed.select(*COLUMNS)
        .join(wanted, on=(wanted.c.feed_id == Feed.id))
        .where(
            Feed.source == source,
            Feed.kind == kind,
            Feed.fresh_at < unread_since,
            Feed.fresh_at < wanted.c.needed_at - fresh_for,
            Feed.lease_until < now,
            Feed.retry_at <= now,
            Feed.failures == 0,
        )
        .order_by(Feed.fresh_at, Feed.id)
        .limit(limit),
        db,
    )


def still_stale(db: Db, workspace_id: int, *, now: float, fresh_since: float) -> bool:
    """Whether one of the workspace's readable feeds is neither fresh nor being read by a poll that makes it so."""
    enough = (Feed.lease_until >= now) & (fn.coalesce(Poll.started_at, 0.0) >= fresh_since)
    query = (
        Feed.select(Feed.id)
        .join(Watch, on=(Watch.feed == Feed.id))
        .join(Poll, JOIN.LEFT_OUTER, on=(Feed.poll == Poll.id))
        .where(Watch.workspace == workspace_id, Feed.fresh_at < fresh_since, Feed.retry_at <= now, ~enough)
    )
    return bool(query.exists(db.peewee))


def by_ids(db: Db, ids: Sequence[int], poll: str) -> list[FeedRow]:
    """Those of the feeds whose lease ``poll`` still holds."""
    return _rows(Feed.select(*COLUMNS).where(Feed.id.in_(list(ids)), Feed.poll == poll), db)


def claim(db: Db, feeds: Iterable[FeedRow], poll: str, *, now: float, lease: float) -> list[FeedRow]:
    """Take the lease of these feeds for ``poll``; returns those that were free. One statement, one winner."""
    rows = list(feeds)
    with db.transaction():
        won = {
            feed_id
            for (feed_id,) in Feed.update(poll=poll, lease_until=now + lease)
            .where(Feed.id.in_([row.id for row in rows]), Feed.lease_until < now)
            .returning(Feed.id)
            .tuples()
            .execute(db.peewee)
        }
        if won:
            # A poll may claim more, when others were quicker with some of what it wanted.
            Poll.insert(id=poll, started_at=now).on_conflict_ignore().execute(db.peewee)
    return [row for row in rows if row.id in won]


def extend(db: Db, poll: str, until: float) -> None:
    """Hold the poll's feeds longer: it waits for its turn at the budget."""
    Feed.update(lease_until=until).where(Feed.poll == poll).execute(db.peewee)


def begin(db: Db, poll: str, now: float) -> None:
    """The poll, which had to wait for its turn, begins to read only now."""
    Poll.update(started_at=now).where(Poll.id == poll).execute(db.peewee)


def release(db: Db, poll: str) -> None:
    """Give the poll's feeds back unread, to whoever comes first.

    They keep its name, as a lease that ran out does: who asked for them meanwhile was told that they are being read,
    so the sweep has to find those that nobody takes.
    """
    with db.transaction():
        Feed.update(lease_until=0).where(Feed.poll == poll).execute(db.peewee)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def put_off(db: Db, poll: str, later: str, *, until: float, lease: float) -> None:
    """The source cannot be read just now: the poll's feeds go to the poll ``later``, which begins at ``until``.

    They are its own until then and for ``lease`` seconds more. The parts of the old one that are stored count for
    nothing in the new one, which begins with the newest page.
    """
    with db.transaction():
        Poll.insert(id=later, started_at=until).execute(db.peewee)
        Feed.update(poll=later, lease_until=until + lease).where(Feed.poll == poll).execute(db.peewee)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def finish(db: Db, poll: str, started_at: float, targets: Sequence[Target]) -> None:
    """Move the cursors of a poll whose parts are all stored. Runs inside store's transaction (I2).

    A cursor only ever moves forward: what a late or repeated poll has stored is stored, whoever read on meanwhile.
    So it is with being fresh: it counts from the poll's beginning, even when its lease ran out before all was stored.
    """
    for target in sorted(targets, key=lambda target: target.feed_id):
        newer = {
            "cursor": db.greatest(fn.coalesce(Feed.cursor, 0), target.cursor),
            "cursor_at": db.greatest(fn.coalesce(Feed.cursor_at, 0.0), target.cursor_at),
            "fresh_at": db.greatest(Feed.fresh_at, started_at),
        }
        Feed.update(**newer).where(Feed.id == target.feed_id).execute(db.peewee)
    Feed.update(poll=None, lease_until=0, failures=0, reason=None, retry_at=0).where(Feed.poll == poll).execute(
        db.peewee
    )


def refuse(db: Db, feed: FeedRow, reason: str, *, now: float, longest: float) -> float:
    """Reddit refuses this feed: leave it alone for a while, longer each time. Returns when to try again."""
    retry_at = now + min(FIRST_BACKOFF * 2.0 ** min(feed.failures, 16), longest)
    Feed.update(poll=None, lease_until=0, failures=feed.failures + 1, reason=reason, retry_at=retry_at).where(
        Feed.id == feed.id
    ).execute(db.peewee)
    if feed.failures + 1 == TOLD_AFTER:
        incidents.note(db, "feed refused", f"r/{feed.name} {feed.kind} ({reason})", now)
    return retry_at


def gap(db: Db, feed_ids: Sequence[int]) -> None:
    """Count that a poll of these feeds could not read back to their cursors."""
    Feed.update(gaps=Feed.gaps + 1).where(Feed.id.in_(list(feed_ids))).execute(db.peewee)


def sweep(db: Db, now: float, older_than: float = 0.0, limit: int | None = None) -> list[int]:
    """Free the feeds of polls whose lease ran out; returns one workspace for each, which will want them read again.

    Up to ``limit`` feeds, whose lease ran out more than ``older_than`` seconds ago, the oldest first.
    """
    over = Feed.poll.is_null(False) & (Feed.lease_until < now - older_than)
    oldest = Feed.select(Feed.id).where(over).order_by(Feed.lease_until).limit(limit)
    with db.transaction():
        freed = [
            feed_id
            for (feed_id,) in Feed.update(poll=None, lease_until=0)
            .where(Feed.id.in_(oldest), over)
            .returning(Feed.id)
            .tuples()
            .execute(db.peewee)
        ]
        if not freed:
            return []
        rows = (
            Watch.select(Watch.feed, fn.min(Watch.workspace))
            .join(Workspace, on=(Watch.workspace == Workspace.id))
            .where(Watch.feed.in_(freed), Workspace.active)
            .group_by(Watch.feed)
            .tuples()
            .execute(db.peewee)
        )
        workspaces = sorted({workspace_id for _, workspace_id in rows})
        # The demand outlives this tick: if it dies before it publishes, the sweep of demands finds these again.
        Workspace.update(demanded_at=now, waiting_since=waiting_since(now)).where(Workspace.id.in_(workspaces)).execute(
            db.peewee
        )
    return workspaces


def states(db: Db) -> dict[str, int]:
    """How many watched feeds are ok, failing or new."""
    failing = fn.sum(Case(None, [(Feed.failures > 0, 1)], 0))
    new = fn.sum(Case(None, [((Feed.failures == 0) & Feed.cursor.is_null(), 1)], 0))
    watched = Feed.id.in_(Watch.select(Watch.feed)) & PEOPLES
    counts = Feed.select(fn.count(Feed.id), failing, new).where(watched).tuples().execute(db.peewee)
    in_all, failing_now, new_now = (int(count or 0) for count in counts[0])
    return {"ok": in_all - failing_now - new_now, "failing": failing_now, "new": new_now}


def oldest_fresh(db: Db) -> float | None:
    """When the least recently read healthy feed of an active workspace was read; None when there is none."""
    watched = (
        Watch.select(Watch.feed)
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Watch.feed == Feed.id, Workspace.active)
    )
    query = (
        Feed.select(Feed.fresh_at)
        .where(PEOPLES, Feed.failures == 0, Feed.fresh_at > 0, fn.EXISTS(watched))
        .order_by(Feed.fresh_at)
        .limit(1)
    )
    value = query.scalar(db.peewee)
    return None if value is None else float(value)


def oldest_poll(db: Db, now: float) -> float | None:
    """When the oldest poll that holds a feed began; None when none is under way: one that was put off has yet to."""
    held = Feed.select(fn.min(Poll.started_at)).join(Poll, on=(Feed.poll == Poll.id)).where(Poll.started_at <= now)
    value = held.scalar(db.peewee)
    return None if value is None else float(value)


def unread_since(db: Db, workspace_id: int, since: float) -> bool:
    """Whether one of the workspace's feeds, refused ones aside, has not been read since ``since``."""
    query = (
        Feed.select(Feed.id)
        .join(Watch, on=(Watch.feed == Feed.id))
        .where(Watch.workspace == workspace_id, Feed.fresh_at < since, Feed.retry_at < since)
    )
    return bool(query.exists(db.peewee))


class Refused(msgspec.Struct, frozen=True):
    """A feed that Reddit refuses; ``retry_at`` is when it is asked for again."""

    kind: FeedKind
    name: str
    reason: str | None
    failures: int
    retry_at: float


def failing(db: Db, limit: int) -> list[Refused]:
    """Up to ``limit`` of the watched feeds that Reddit refuses, by name."""
    rows = (
        Feed.select(Feed.kind, Feed.name, Feed.reason, Feed.failures, Feed.retry_at)
        .where(Feed.failures > 0, PEOPLES, Feed.id.in_(Watch.select(Watch.feed)))
        .order_by(Feed.id)  # not by name: where very many are refused, that would sort them all
        .limit(limit)
    )
    return sorted((Refused(*row) for row in rows.tuples().execute(db.peewee)), key=lambda row: (row.name, row.kind))


def gaps(db: Db) -> int:
    """How often a poll of a watched feed could not read back to where the one before had ended."""
    total = Feed.select(fn.sum(Feed.gaps)).where(Feed.gaps > 0, PEOPLES, Feed.id.in_(Watch.select(Watch.feed)))
    return int(total.scalar(db.peewee) or 0)
