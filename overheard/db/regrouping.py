"""Regrouping: a group takes in others, and gives away feeds, until it is what the plan wants to be read together.

A group's cursor covers all its feeds, so a feed must not join a group that was read later than the feed was: the items
that the feed had in between would count as read. The rule compares our own readings, never what a source says:
**a group joins another when its own latest reading began after the other's latest reading had its first page.** Then
everything in the joining feeds that is still unread is listed above all that the cursor remembers. A feed that was
never read counts as read when it was first watched: older items are not new. The times are those of the reading
machines, so their clocks have to agree to less than the time between two readings.

Where a source's items have numbers, one group of a kind may be read by these. All feeds of BY_NUMBER_BIN join it, each
group after its next reading, by the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from peewee import fn

from overheard.db import feed_rates, freshness, groups, leases
from overheard.db.database import Db
from overheard.db.groups import Group
from overheard.db.models import Feed, FeedGroup
from overheard.items import ALL
from overheard.reading.packing import BY_NUMBER_BIN


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
        taken = groups.load(db, leases.take(db, [other.id for other in others], poll, now, lease))
        by_id = {other.id: other for other in others}
        # Between reading and leasing them, another poll may have read or changed one.
        chosen = [other for other in taken if other == by_id[other.id]]
        back = [other.id for other in taken if other not in chosen]
        FeedGroup.update(poll=groups.FREE_UNREAD, lease_until=0).where(FeedGroup.id.in_(back)).execute(db.peewee)
        if not chosen:
            return group
        ids = [other.id for other in chosen]
        # They stay as fresh and as busy as the groups said that they leave, which are deleted next.
        moved = {Feed.group: group.id, Feed.fresh_at: freshness.fresh_at()}
        rated = {Feed.rate: feed_rates.current(db), Feed.rated_at: group.fresh_at}
        Feed.update(moved | rated).where(Feed.group.in_(ids)).execute(db.peewee)
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
    return groups.load(db, [group.id])[0]


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
            if not leases.take(db, [group_id], groups.FREE_UNREAD, now, 0.0):
                continue  # a poll has claimed it meanwhile, and divides it when it is its turn again
            group = groups.load(db, [group_id])[0]
            _, *others = sorted({feed.bin for feed in group.feeds}, key=lambda number: (number is None, number))
            for other in others:
                groups.divide(db, group, [feed.id for feed in group.feeds if feed.bin == other], poll=None)
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
