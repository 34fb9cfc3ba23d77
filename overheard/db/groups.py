"""Feed groups: the feeds that one request names stay together from one reading to the next (one lease, one cursor).

A group's cursor covers all its feeds, so a feed must not join a group that was read later than the feed was: the items
that the feed had in between would count as read. The rule compares our own readings, never what a source says:
**a group joins another when its own latest reading began after the other's latest reading had its first page.** Then
everything in the joining feeds that is still unread is listed above all that the cursor remembers. A feed that was
never read counts as read when it was first watched: older items are not new. The times are those of the reading
machines, so their clocks have to agree to less than the time between two readings.

A group is divided when its source refuses it (one of the feeds is the reason) and when it has more new items than the
source lists, unless it was just read too late and what it missed can be looked up by number: both parts keep the
cursor. Feeds that no active workspace watches are split off in the same way.

Where a source's items have numbers, one group of a kind may be read by these. All feeds of BY_NUMBER_BIN join it, each
group after its next reading, by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from peewee import Case, fn

from overheard.db import gaps
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup, Poll, Watch, Workspace
from overheard.items import ALL, FeedKind
from overheard.messages import PollTarget
from overheard.reading import rates
from overheard.reading.packing import BY_NUMBER_BIN
from overheard.reading.rates import MEMORY_SECONDS, FeedRate
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

FEED_COLUMNS = (Feed.id, Feed.kind, Feed.place, Feed.failures, Feed.source, Feed.group, Feed.bin, Feed.rate)
COLUMNS = (*(getattr(FeedGroup, name) for name in Group.__struct_fields__[:-2]), FeedGroup.by_number)


def make(db: Db, source: str, kind: FeedKind, count: int, now: float) -> list[int]:
    """Make so many groups, each for a feed of this kind that is watched from now on; return their ids."""
    rows = [{"source": source, "kind": kind, "began_at": now, "read_at": now, "looked_at": now}] * count
    made = FeedGroup.insert_many(rows).returning(FeedGroup.id).tuples().execute(db.peewee)
    return [group_id for (group_id,) in made]


def claim(db: Db, group_id: int, poll: str, *, now: float, lease: float) -> Group | None:
    """Claim the group's lease for ``poll``; None if it is leased already, or gone.

    Feeds that no active workspace watches are split off, unless there are no others.
    """
    with db.transaction():
        if not _lease(db, [group_id], poll, now, lease):
            return None
        Poll.insert(id=poll, started_at=now).on_conflict_ignore().execute(db.peewee)
        group = load(db, [group_id])[0]
        wanted = _watched_by_active(db, group)
        if wanted and len(wanted) < len(group.feeds):
            divide(db, group, [feed.id for feed in group.feeds if feed.id not in wanted])
            group = load(db, [group_id])[0]
    return group if group.feeds else None


def _lease(db: Db, group_ids: Sequence[int], poll: str, now: float, lease: float) -> list[int]:
    free: Any = FeedGroup.select(FeedGroup.id).where(FeedGroup.id.in_(list(group_ids)), FeedGroup.lease_until < now)
    if not db.sqlite:
        free = free.order_by(FeedGroup.id).for_update(skip_locked=True)  # locked: another poll is claiming it
    taken = FeedGroup.update(poll=poll, lease_until=now + lease).where(FeedGroup.id.in_(free)).returning(FeedGroup.id)
    return [group_id for (group_id,) in taken.tuples().execute(db.peewee)]


def _watched_by_active(db: Db, group: Group) -> set[int]:
    query = (
        Watch.select(Watch.feed)
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Watch.feed.in_(Feed.select(Feed.id).where(Feed.group == group.id)), Workspace.active)
        .distinct()
    )
    return {feed for (feed,) in query.tuples().execute(db.peewee)}


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
    return Feed.select(*FEED_COLUMNS).where(Feed.group.in_(groups)).order_by(Feed.id)


@compiled
def _groups(db: Db, ids: Any) -> Any:
    return FeedGroup.select(*COLUMNS).where(FeedGroup.id.in_(ids))


def of_feeds(db: Db, group_id: int, feed_ids: Sequence[int]) -> Group | None:
    """Return those of the feeds that still exist as a group without a cursor; None if there are none any more."""
    query = Feed.select(*FEED_COLUMNS).where(Feed.id.in_(list(feed_ids))).order_by(Feed.id)
    feeds = tuple(FeedRow(*row) for row in query.tuples().execute(db.peewee))
    if not feeds:
        return None
    return Group(group_id, feeds[0].source, feeds[0].kind, None, 0.0, 0.0, None, feeds=feeds)


def of_poll(db: Db, group_id: int, poll: str) -> Group | None:
    """Return the group if ``poll`` still holds its lease."""
    if not FeedGroup.select().where(FeedGroup.id == group_id, FeedGroup.poll == poll).exists(db.peewee):
        return None
    return next(iter(load(db, [group_id])), None)


def join(
    db: Db,
    group: Group,
    others: Sequence[Group],
    poll: str,
    *,
    now: float,
    lease: float,
    cursor: Callable[[str | None, Sequence[str | None]], str | None],
) -> Group:
    """Move the feeds of the other groups into the claimed ``group``; return the new group.

    Groups that were leased or changed meanwhile are left out. ``cursor`` joins the source's own cursors.
    """
    with db.transaction():
        taken = load(db, _lease(db, [other.id for other in others], poll, now, lease))
        by_id = {other.id: other for other in others}
        # Between reading and leasing them, another poll may have read or changed one.
        chosen = [other for other in taken if other == by_id[other.id]]
        back = [other.id for other in taken if other not in chosen]
        FeedGroup.update(poll=FREE_UNREAD, lease_until=0).where(FeedGroup.id.in_(back)).execute(db.peewee)
        if not chosen:
            return group
        ids = [other.id for other in chosen]
        Feed.update(group=group.id).where(Feed.group.in_(ids)).execute(db.peewee)
        FeedGroup.delete().where(FeedGroup.id.in_(ids)).execute(db.peewee)
        values: dict[Any, Any] = {
            FeedGroup.cursor: cursor(group.cursor, [other.cursor for other in chosen]),
            # The next second look has to cover what none has covered of any of them.
            FeedGroup.looked_at: min(member.looked_at for member in (group, *chosen)),
        }
        if group.cursor is None:  # none of them was read: begin where the oldest of them begins
            since = min(member.began_at for member in (group, *chosen))
            values |= {FeedGroup.began_at: since, FeedGroup.read_at: since}
        FeedGroup.update(values).where(FeedGroup.id == group.id).execute(db.peewee)
    return load(db, [group.id])[0]


def divide(
    db: Db, group: Group, feed_ids: Sequence[int], *, room: int | None = None, poll: str | None = FREE_UNREAD
) -> int:
    """Move these feeds of the claimed group into a new one with the same cursor and no lease; return its id.

    ``room`` limits both groups from now on; None: as before. ``poll`` None: nobody waits for the new one's reading.
    """
    values = {name: getattr(group, name) for name in ("source", "kind", "cursor", "began_at", "read_at", "looked_at")}
    with db.transaction():
        made = int(FeedGroup.insert(**values, room=room or group.room, poll=poll).execute(db.peewee))
        Feed.update(group=made).where(Feed.id.in_(list(feed_ids)), Feed.group == group.id).execute(db.peewee)
        if room is not None:
            FeedGroup.update(room=room).where(FeedGroup.id == group.id).execute(db.peewee)
    return made


def separate(db: Db, source: str, now: float) -> None:
    """Divide the groups that no poll holds and that have feeds of several bins, so that these can join their own.

    A group that has lost all feeds of BY_NUMBER_BIN is a listing's again.
    """
    of_bin = Feed.select(Feed.id).where(Feed.group == FeedGroup.id, Feed.bin == BY_NUMBER_BIN)
    left = (FeedGroup.source == source) & FeedGroup.by_number & ~fn.EXISTS(of_bin)
    FeedGroup.update(by_number=False).where(left).execute(db.peewee)
    bins = fn.count(Feed.bin.distinct())
    mixed = (
        Feed.select(Feed.group)
        .join(FeedGroup, on=(Feed.group == FeedGroup.id))
        .where(FeedGroup.source == source, FeedGroup.lease_until < now)
        .group_by(Feed.group)
        .having(bins > 1)
    )
    for (group_id,) in list(mixed.tuples().execute(db.peewee)):
        with db.transaction():
            if not _lease(db, [group_id], FREE_UNREAD, now, 0.0):
                continue  # a poll has claimed it meanwhile, and divides it when it is its turn again
            group = load(db, [group_id])[0]
            _, *others = sorted({feed.bin for feed in group.feeds}, key=lambda number: (number is None, number))
            for other in others:
                divide(db, group, [feed.id for feed in group.feeds if feed.bin == other], poll=None)
            FeedGroup.update(poll=None, lease_until=0).where(FeedGroup.id == group_id).execute(db.peewee)


def choose_by_number(db: Db, source: str, kind: str) -> None:
    """Choose the group that all others of BY_NUMBER_BIN are to join, unless there is one: the one read last."""
    of_bin = Feed.select(Feed.id).where(Feed.group == FeedGroup.id, Feed.bin == BY_NUMBER_BIN)
    of_kind = (FeedGroup.source == source) & (FeedGroup.kind == kind) & fn.EXISTS(of_bin)
    everything = fn.EXISTS(Feed.select(Feed.id).where(Feed.group == FeedGroup.id, Feed.place == ALL))
    if FeedGroup.select().where(of_kind, FeedGroup.by_number | everything).exists(db.peewee):
        return
    read = of_kind & FeedGroup.cursor.is_null(False)
    last = FeedGroup.select(FeedGroup.id).where(read).order_by(FeedGroup.began_at.desc(), FeedGroup.id).limit(1)
    FeedGroup.update(by_number=True, room=None).where(FeedGroup.id.in_(last)).execute(db.peewee)


def read_as_listing(db: Db, group_id: int) -> None:
    """Undo ``choose_by_number``: the group has lost its feeds of BY_NUMBER_BIN."""
    FeedGroup.update(by_number=False).where(FeedGroup.id == group_id).execute(db.peewee)


def extend(db: Db, poll: str, until: float) -> None:
    """Extend the lease of the poll's group: it waits for its turn at the budget."""
    FeedGroup.update(lease_until=until).where(FeedGroup.poll == poll).execute(db.peewee)


def restart(db: Db, poll: str, now: float) -> None:
    """Record that the poll, which had to wait for its turn, begins to read only now."""
    Poll.update(started_at=now).where(Poll.id == poll).execute(db.peewee)


def release(db: Db, poll: str) -> None:
    """Free the group of a poll that gives up; what it has stored stays stored."""
    with db.transaction():
        given_up = {"poll": FREE_UNREAD, "lease_until": 0, "asked_at": 0}
        FeedGroup.update(**given_up).where(FeedGroup.poll == poll).execute(db.peewee)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def leave(db: Db, poll: str) -> None:
    """Free the group of a poll that finds nothing to read there; no workspace waits for it."""
    with db.transaction():
        _end(db, poll=poll)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def release_all(db: Db) -> None:
    """Free all groups, none of them asked for: all messages are lost, as they were in the memory of an ended process.

    If one of the polls is under way after all, its group is read twice, and the later reading counts.
    """
    with db.transaction():
        FeedGroup.update(asked_at=0, look_asked_at=0).execute(db.peewee)
        FeedGroup.update(poll=FREE_UNREAD, lease_until=0).where(FeedGroup.poll.is_null(False)).execute(db.peewee)


def postpone(db: Db, poll: str, later: str, *, until: float, lease: float) -> None:
    """Hand the poll's group to the poll ``later``, which begins at ``until``: the source cannot be read just now.

    The new poll has the lease until then and for ``lease`` seconds more. Stored parts of the old one do not count in
    the new one, which begins with the newest page.
    """
    with db.transaction():
        Poll.insert(id=later, started_at=until).execute(db.peewee)
        FeedGroup.update(poll=later, lease_until=until + lease).where(FeedGroup.poll == poll).execute(db.peewee)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def finish(db: Db, poll: str, started_at: float, targets: Sequence[PollTarget], now: float) -> list[tuple[str, str]]:
    """Move the cursors of a poll whose parts are all stored; return (source, reason) of each gap that it leaves.

    Runs inside store's transaction. The poll counts even if its lease ran out before all was stored, as long as the
    group has no feed that was not read, and no later reading is stored already. A second look moves no cursor, and
    leaves no gap.
    """
    left = []
    for target in sorted(targets, key=lambda target: target.group_id):
        stored = _locked(db, group=target.group_id)
        members = {row[0] for row in _feeds(db, groups=[target.group_id])}
        if not stored or not members <= set(target.feed_ids):
            continue
        if target.look:
            _looked(db, group=target.group_id, at=started_at)
            continue
        if stored[0][1] > started_at:
            continue
        read = {"cursor": target.cursor, "read_at": target.read_at, "room": target.room, "pace": target.pace}
        _move(db, group=target.group_id, began_at=started_at, **read)
        _update_rates(db, target)
        _refresh(db, group=target.group_id, at=_read_until(target, started_at), retry_at=target.retry_at)
        missed = [gap for gap in (target.missed, *target.gaps) if gap is not None]
        if missed:
            gaps.record(db, stored[0][0], target.feed_ids, missed, now)
            left += [(stored[0][0], gap.reason) for gap in missed]
    _end(db, poll=poll)
    return left


def _read_until(target: PollTarget, started_at: float) -> float:
    if not target.behind:
        return started_at
    # What is left of a long backlog is as old as before.
    return 0.0 if target.lag is None else started_at - target.lag


@compiled
def _locked(db: Db, group: Any) -> Any:
    row: Any = FeedGroup.select(FeedGroup.source, FeedGroup.began_at).where(FeedGroup.id == group)
    return row if db.sqlite else row.for_update()


@compiled
def _move(db: Db, group: Any, began_at: Any, cursor: Any, read_at: Any, room: Any, pace: Any) -> Any:
    known = fn.coalesce(pace, FeedGroup.pace)
    read = FeedGroup.update(cursor=cursor, began_at=began_at, read_at=read_at, room=room, pace=known)
    return read.where(FeedGroup.id == group)


@compiled
def _looked(db: Db, group: Any, at: Any) -> Any:
    return FeedGroup.update(looked_at=db.greatest(FeedGroup.looked_at, at)).where(FeedGroup.id == group)


@compiled
def _refresh(db: Db, group: Any, at: Any, retry_at: Any) -> Any:
    fresh = db.greatest(Feed.fresh_at, at)
    return Feed.update(fresh_at=fresh, failures=0, reason=None, retry_at=retry_at).where(Feed.group == group)


def _update_rates(db: Db, target: PollTarget) -> None:
    if not target.new:
        return
    found = {feed: new for feed, new in zip(target.feed_ids, target.new, strict=True) if new}
    _quiet(db, group=target.group_id, seconds=max(target.seconds, 0.0), besides=[*found, 0])
    before = {feed: FeedRate(*rate) for feed, *rate in _rates(db, feeds=[*found, 0])}
    after = {feed: rates.updated(rate, found[feed], target.seconds) for feed, rate in before.items()}
    if after:
        Feed.update(
            rate=Case(Feed.id, [(feed, rate.rate) for feed, rate in after.items()], Feed.rate),
            rate_seconds=Case(Feed.id, [(feed, rate.seconds) for feed, rate in after.items()], Feed.rate_seconds),
        ).where(Feed.id.in_(list(after))).execute(db.peewee)


@compiled
def _quiet(db: Db, group: Any, seconds: Any, besides: Any) -> Any:
    """``rates.updated`` with no new items, for all feeds at once: hardly any of a large group has news."""
    known = Case(None, [(Feed.rate.is_null(), 0.0)], db.least(Feed.rate_seconds, MEMORY_SECONDS))
    rests_on = known + seconds
    rate = Case(None, [(rests_on > 0.0, fn.coalesce(Feed.rate, 0.0) * known / rests_on)], fn.coalesce(Feed.rate, 0.0))
    quiet = (Feed.group == group) & Feed.id.not_in(besides)
    return Feed.update(rate=rate, rate_seconds=rests_on).where(quiet)


@compiled
def _rates(db: Db, feeds: Any) -> Any:
    return Feed.select(Feed.id, Feed.rate, Feed.rate_seconds).where(Feed.id.in_(feeds))


@compiled
def _end(db: Db, poll: Any) -> Any:
    return FeedGroup.update(poll=None, lease_until=0).where(FeedGroup.poll == poll)


def sweep(db: Db, now: float, older_than: float, limit: int | None) -> list[int]:
    """Free groups whose lease ran out more than ``older_than`` seconds ago, the oldest first; return their ids."""
    over = FeedGroup.poll.is_null(False) & (FeedGroup.lease_until < now - older_than)
    oldest = FeedGroup.select(FeedGroup.id).where(over).order_by(FeedGroup.lease_until).limit(limit)
    # Not asked for any more: the planner does not wait for the answer of a process that has died.
    unread = FeedGroup.update(poll=None, lease_until=0, asked_at=0).where(FeedGroup.id.in_(oldest), over)
    freed = unread.returning(FeedGroup.id)
    return [group_id for (group_id,) in freed.tuples().execute(db.peewee)]


def delete_empty(db: Db, now: float) -> int:
    """Delete groups whose feeds are all gone; return how many."""
    used = fn.EXISTS(Feed.select(Feed.id).where(Feed.group == FeedGroup.id))
    # A new group is made a moment before its feed, so an hour spares it.
    empty = ~used & (FeedGroup.lease_until < now) & (FeedGroup.began_at < now - 3600.0)
    return int(FeedGroup.delete().where(empty).execute(db.peewee))
