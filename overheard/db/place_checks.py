"""What sources say of watched places before they are read: which to ask for, and what becomes of the bad ones.

A place is asked for with its first reading, when a group that has it is refused, when a refused one is to be tried
again, and once a day. ``feed.place_checked_at`` is the claim: several processes do not ask for the same place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from peewee import Case, fn

from overheard.db import feeds, groups
from overheard.db.database import Db
from overheard.db.groups import FeedRow, feed_columns
from overheard.db.models import Feed, FeedGroup, Watch, Workspace
from overheard.items import ALL

CHECK_SECONDS = 86_400.0  # between two checks of a place that can be read
RECENT_SECONDS = 300.0  # what was asked for so recently is not asked for again
RESOLVE_SECONDS = 600.0  # within which a place is to be asked for, if the budget has spare tokens
ABSENT = "missing or banned"  # the reason of a place that is not in the answer: that alone does not say which
MISSING = "missing"
# Reasons that a reading has given, so that a check is enough to learn whether they still hold.
CHECKABLE = ("private", "quarantined", "banned", MISSING)


class PlaceFeed(msgspec.Struct, frozen=True):
    """A feed of a place that was asked for. ``was_read``: at least once; ``poll`` holds its group's lease, if any."""

    row: FeedRow
    was_read: bool
    reason: str | None
    retry_at: float
    ref: str | None
    poll: str | None


def due_of(db: Db, feed_ids: Collection[int], now: float) -> list[str]:
    """Return the places of these feeds that are to be asked for before the feeds are read."""
    never_asked = (Feed.failures == 0) & (Feed.place_checked_at == 0)
    rows = Feed.select(Feed.place).where(
        Feed.id.in_(list(feed_ids)), Feed.place != ALL, never_asked | _to_be_tried_again(now)
    )
    return list(dict.fromkeys(place for (place,) in rows.order_by(Feed.id).tuples().execute(db.peewee)))


def _to_be_tried_again(now: float) -> Any:
    """Return the condition that a refused feed's back-off has ended, and that it was not asked for since."""
    ended = (Feed.retry_at <= now) & (Feed.place_checked_at < Feed.retry_at)
    return (Feed.failures > 0) & Feed.reason.in_(CHECKABLE) & ended


def others(db: Db, source: str, besides: Collection[str], now: float, limit: int) -> list[str]:
    """Return further watched places for a request that has room: new ones, refused ones, the longest not asked for.

    They cost nothing, and an answer that shows some of them is known to be one.
    """
    if limit <= 0:
        return []
    usable = (Feed.failures == 0) | _to_be_tried_again(now)
    new = (Feed.failures == 0) & (Feed.place_checked_at == 0) & (Feed.fresh_at == 0)
    order = fn.min(Case(None, [(new, 0), (Feed.failures > 0, 1)], 2))
    rows = (
        Feed.select(Feed.place)
        .where(
            Feed.source == source,
            Feed.place != ALL,
            Feed.place.not_in(list(besides)),
            Feed.place_checked_at < now - RECENT_SECONDS,
            usable,
            Feed.id.in_(_watched()),
        )
        .group_by(Feed.place)
        .order_by(order, fn.min(Feed.place_checked_at), Feed.place)
        .limit(limit)
    )
    return [place for (place,) in rows.tuples().execute(db.peewee)]


def _watched() -> Any:
    return Watch.select(Watch.feed).join(Workspace, on=(Watch.workspace == Workspace.id)).where(Workspace.active)


def claim(db: Db, source: str, places: Sequence[str], now: float) -> list[str]:
    """Claim the places that were not asked for recently; return them in the same order."""
    unasked = Feed.place_checked_at < now - RECENT_SECONDS
    free = _in_order(db, source, places, unasked)
    taken = Feed.update(place_checked_at=now).where(Feed.id.in_(free), unasked).returning(Feed.place)
    claimed = {place for (place,) in taken.tuples().execute(db.peewee)}
    return [place for place in places if place in claimed]


def release(db: Db, source: str, places: Sequence[str]) -> None:
    """Give back what was claimed and not asked for."""
    Feed.update(place_checked_at=0).where(Feed.id.in_(_in_order(db, source, places))).execute(db.peewee)


def _in_order(db: Db, source: str, places: Collection[str], *conditions: Any) -> Any:
    """Return the feeds of these places, locked in the order of their ids: store locks them, too."""
    rows: Any = Feed.select(Feed.id).where(Feed.source == source, Feed.place.in_(list(places)), *conditions)
    return rows if db.sqlite else rows.order_by(Feed.id).for_update()


def feeds_of(db: Db, source: str, places: Collection[str], now: float) -> list[PlaceFeed]:
    """Return the feeds of these places."""
    holder = Case(None, [(FeedGroup.lease_until >= now, FeedGroup.poll)], None)
    was_read = Case(None, [(FeedGroup.cursor.is_null(), 0)], 1)
    columns = feed_columns(db)
    rows = (
        Feed.select(*columns, was_read, Feed.reason, Feed.retry_at, Feed.place_ref, holder)
        .join(FeedGroup, on=(Feed.group == FeedGroup.id))
        .where(Feed.source == source, Feed.place.in_(list(places)))
        .order_by(Feed.id)
    )
    size = len(columns)
    return [
        PlaceFeed(FeedRow(*row[:size]), bool(row[size]), *row[size + 1 :]) for row in rows.tuples().execute(db.peewee)
    ]


def set_refs(db: Db, source: str, refs: Mapping[str, str | None]) -> None:
    """Store the source's ids of these places."""
    if not refs:
        return
    places = sorted(refs)
    ref = Case(Feed.place, [(place, refs[place]) for place in places], Feed.place_ref)
    Feed.update(place_ref=ref).where(Feed.id.in_(_in_order(db, source, places))).execute(db.peewee)


def suspect(db: Db, feed: PlaceFeed, reason: str, now: float) -> None:
    """Have a feed that was read so far read alone, at once: the source's answer to that decides."""
    with db.transaction():
        _divide_off(db, feed)
        unchanged = (Feed.id == feed.row.id) & (Feed.failures == 0)
        Feed.update(failures=1, reason=reason, retry_at=now).where(unchanged).execute(db.peewee)


def back_off(db: Db, feed: PlaceFeed, reason: str, *, now: float, longest: float) -> None:
    """Divide a refused feed off its group, and leave it unread for a while."""
    with db.transaction():
        group_id = _divide_off(db, feed)
        row = msgspec.structs.replace(feed.row, group_id=group_id)
        feeds.back_off(db, row, reason, now=now, longest=longest)


def all_back_off(db: Db, feed_ids: Collection[int], now: float) -> bool:
    """Return True if none of these feeds may be read yet."""
    readable = Feed.select(Feed.id).where(Feed.id.in_(list(feed_ids)), Feed.retry_at <= now)
    return not readable.exists(db.peewee)


def is_alone(db: Db, feed: PlaceFeed) -> bool:
    """Return True if the feed has a group of its own."""
    return all(len(group.feeds) == 1 for group in groups.load(db, [feed.row.group_id]))


def _divide_off(db: Db, feed: PlaceFeed) -> int:
    """Give the feed a group of its own, if it has none; return it. A poll that reads the old group may go on."""
    for group in groups.load(db, [feed.row.group_id]):
        if len(group.feeds) > 1:
            return groups.divide(db, group, [feed.row.id], poll=None)
    return feed.row.group_id


def set_reason(db: Db, source: str, place: str, reason: str) -> None:
    """Store why a place cannot be read, which its absence left open."""
    unsaid = (Feed.source == source) & (Feed.place == place) & (Feed.reason == ABSENT)
    Feed.update(reason=reason).where(unsaid).execute(db.peewee)


def clear(db: Db, source: str, place: str) -> None:
    """Let a place be read again: its source has just served it."""
    absent = (Feed.source == source) & (Feed.place == place) & (Feed.reason == ABSENT)
    Feed.update(failures=0, reason=None, retry_at=0).where(absent).execute(db.peewee)


def _unresolved() -> Any:
    """Return the condition that it is open why a place cannot be read, or whether it was renamed."""
    may_be_renamed = Feed.place_ref.is_null(False) & (Feed.reason == MISSING)
    return (Feed.failures > 0) & ((Feed.reason == ABSENT) | may_be_renamed)


def _daily(now: float) -> Any:
    before = now - CHECK_SECONDS
    return (Feed.failures == 0) & (Feed.place_checked_at < before) & (Feed.created_at < before)


def due(db: Db, source: str, now: float, limit: int) -> list[str]:
    """Return watched places to ask for from spare tokens: those that are unresolved, then those of the daily check."""
    rows = (
        Feed.select(Feed.place)
        .where(Feed.source == source, Feed.place != ALL, _unresolved() | _daily(now), Feed.id.in_(_watched()))
        .group_by(Feed.place)
        .order_by(fn.max(Feed.failures).desc(), fn.min(Feed.place_checked_at), Feed.place)
        .limit(limit)
    )
    return [place for (place,) in rows.tuples().execute(db.peewee)]


def unresolved(db: Db, source: str, places: Collection[str]) -> dict[str, tuple[str | None, bool]]:
    """Return of these places those that are unresolved, each with its id, and whether it is open why."""
    rows = (
        Feed.select(Feed.place, fn.max(Feed.place_ref), fn.max(Case(None, [(Feed.reason == ABSENT, 1)], 0)))
        .where(Feed.source == source, Feed.place.in_(list(places)), _unresolved())
        .group_by(Feed.place)
        .order_by(Feed.place)
    )
    return {place: (ref, bool(absent)) for place, ref, absent in rows.tuples().execute(db.peewee)}


def requests_per_second(db: Db, source: str, size: int, now: float) -> float:
    """Return the requests a second that serve what is due, so that it does not wait for long."""
    of_source = (Feed.source == source) & (Feed.place != ALL) & Feed.id.in_(_watched())
    counts = Feed.select(fn.sum(Case(None, [(_unresolved(), 1)], 0)), fn.sum(Case(None, [(_daily(now), 1)], 0))).where(
        of_source
    )
    open_, daily = (int(count or 0) for count in counts.tuples().execute(db.peewee)[0])
    return (open_ + daily / size) / RESOLVE_SECONDS
