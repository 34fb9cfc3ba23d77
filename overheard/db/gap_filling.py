"""Filling gaps: the numbers that are left to look up, which process does it, and what has been stored of them.

All open gaps of a source's feeds of one kind are filled together, the highest numbers first: feeds that stopped at the
same time have the same numbers to look up, and these are looked up once; and a gap of a minute ago does not wait for
one of days. Those that were found long ago have every second minute for themselves: under lasting shortage, newer ones
would come first until they are given up. ``Gap.last_number`` moves down in the transaction that stores the items (I2),
so what is lost on the way is looked up again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from peewee import Case, Window, fn

from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.gaps import FILLED, LOST, OPEN
from overheard.db.models import Feed, Gap, GapFilling, Poll, Watch, Workspace
from overheard.items import ALL, FeedKind
from overheard.messages import NumbersRead
from overheard.reading.numbers import EMPTY_NUMBERS, HOLE, HOLE_SECONDS, JUMP, JUMP_NUMBERS, NumberRange


def ask(db: Db, source: str, kind: FeedKind, now: float, lost_after: float) -> bool:
    """Record that gaps are to be filled now; False if none have numbers left, or it is under way already.

    A message that no process has served for ``lost_after`` seconds counts as lost.
    """
    if not _any_left(db, source=source, kind=kind, holes_before=now - HOLE_SECONDS):
        return False
    return bool(_ask(db, source=source, kind=kind, now=now, lost_before=now - lost_after))


@compiled
def _any_left(db: Db, source: Any, kind: Any, holes_before: Any) -> Any:
    return _left(source, kind, holes_before).limit(1)


@compiled
def _ask(db: Db, source: Any, kind: Any, now: Any, lost_before: Any) -> Any:
    free = (GapFilling.lease_until < now) & ((GapFilling.asked_at < lost_before) | (GapFilling.asked_at > now))
    asked = GapFilling.insert(source=source, kind=kind, asked_at=now).on_conflict(
        conflict_target=[GapFilling.source, GapFilling.kind], update={GapFilling.asked_at: now}, where=free
    )
    return asked.returning(GapFilling.source)


def claim(db: Db, source: str, kind: FeedKind, poll: str, *, now: float, lease: float) -> bool:
    """Claim the filling of these gaps for ``poll``; False if another poll holds it."""
    with db.transaction():
        mine = {"poll": poll, "lease_until": now + lease}
        taken = GapFilling.insert(source=source, kind=kind, **mine).on_conflict(
            conflict_target=[GapFilling.source, GapFilling.kind],
            update={GapFilling.poll: poll, GapFilling.lease_until: now + lease},
            where=(GapFilling.lease_until < now),
        )
        if not list(taken.returning(GapFilling.source).tuples().execute(db.peewee)):
            return False
        Poll.insert(id=poll, started_at=now).execute(db.peewee)
    return True


def extend(db: Db, poll: str, until: float) -> bool:
    """Extend the lease of the poll; False if another poll has taken over."""
    return bool(GapFilling.update(lease_until=until).where(GapFilling.poll == poll).execute(db.peewee))


def release(db: Db, poll: str) -> None:
    """Free what the poll has claimed: it has looked up nothing, or what it has is lost."""
    with db.transaction():
        _end(db, poll)
        Poll.delete().where(Poll.id == poll).execute(db.peewee)


def release_all(db: Db) -> None:
    """Free everything: the messages of all polls are lost with the memory of a process that has ended."""
    GapFilling.update(poll=None, lease_until=0, asked_at=0).execute(db.peewee)


def _end(db: Db, poll: str) -> None:
    GapFilling.update(poll=None, lease_until=0, asked_at=0).where(GapFilling.poll == poll).execute(db.peewee)


def to_look_up(
    db: Db, source: str, kind: FeedKind, count: int, now: float, *, found_before: float | None = None
) -> list[NumberRange]:
    """Return ranges with the highest ``count`` numbers that watched feeds' open gaps have left; they may overlap.

    ``found_before``: only of those gaps.
    """
    left = _left(source, kind, now - HOLE_SECONDS)
    if found_before is not None:
        left = left.where(Gap.found_at < found_before)
    rows = (
        left.select(fn.MIN(_first_of_these(db)), Gap.last_number)
        .group_by(Gap.last_number)
        .order_by(Gap.last_number.desc())
        .limit(count)  # each of them has at least one number, and the further ones only lower ones
    )
    return list(rows.tuples().execute(db.peewee))


def _left(source: Any, kind: Any, holes_before: Any) -> Any:
    watched = Watch.select(Watch.feed).join(Workspace, on=(Watch.workspace == Workspace.id)).where(Workspace.active)
    gaps = (
        _open(holes_before)
        & Gap.last_number.is_null(False)
        & Gap.feed.in_(_feeds(source, kind))
        & Gap.feed.in_(watched)
    )
    return Gap.select(Gap.id).where(gaps)


def _open(holes_before: Any) -> Any:
    """Return the condition of gaps whose numbers may be looked up; ``holes_before``: those of holes and jumps."""
    return (Gap.state == OPEN) & (Gap.reason.not_in([HOLE, JUMP]) | (Gap.found_at <= holes_before))


def _first_of_these(db: Db) -> Any:
    """Return the lowest number of a gap that is to be looked up next: of a jump, a few at a time."""
    of_jump = db.greatest(Gap.first_number, Gap.last_number + 1 - JUMP_NUMBERS)
    return Case(None, [(Gap.reason == JUMP, of_jump)], Gap.first_number)


def _feeds(source: Any, kind: Any) -> Any:
    return Feed.select(Feed.id).where(Feed.source == source, Feed.kind == kind)


def watched_places(db: Db, source: str, kind: FeedKind, places: Collection[str]) -> set[str]:
    """Return those of the places (keys), or ALL, of which an active workspace watches this kind."""
    return {place for (place,) in _watched(db, source=source, kind=kind, places=[*places, ALL])}


@compiled
def _watched(db: Db, source: Any, kind: Any, places: Any) -> Any:
    return (
        Feed.select(Feed.place)
        .join(Watch, on=(Watch.feed == Feed.id))
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Feed.source == source, Feed.kind == kind, among(Feed.place, places), Workspace.active)
        .distinct()
    )


def advance(db: Db, poll: str, read: NumbersRead, now: float) -> int:
    """Move the gaps below the numbers that were looked up; return how many are filled now.

    Runs inside store's transaction, and ends the poll's lease. A gap that was found meanwhile moves only past numbers
    that were looked up after all. A jump that has enough numbers in a row without an item is filled.
    """
    _lock(db, read.source)
    filled = 0
    for first, last in read.ranges:
        numbers = Gap.last_number.between(first, last)
        reached = _open(now - HOLE_SECONDS) & numbers & Gap.feed.in_(_feeds(read.source, read.kind))
        for begin, end in read.empty:
            if first <= begin and end <= last and end + 1 - begin >= EMPTY_NUMBERS:
                holds = (Gap.reason == JUMP) & (Gap.first_number <= begin) & (Gap.last_number >= end)
                empty = Gap.update(state=FILLED, filled_at=now).where(reached, holds)
                filled += int(empty.execute(db.peewee))
        done = {Gap.last_number: first - 1, Gap.state: FILLED, Gap.filled_at: now}
        filled += int(Gap.update(done).where(reached, Gap.first_number >= first).execute(db.peewee))
        Gap.update({Gap.last_number: first - 1}).where(reached).execute(db.peewee)
    _end(db, poll)
    return filled


def _lock(db: Db, source: str) -> None:
    """Let one transaction at a time change the source's gaps: two would lock their rows in different orders."""
    if not db.sqlite:
        rows = GapFilling.select().where(GapFilling.source == source).order_by(GapFilling.kind).for_update()
        list(rows.execute(db.peewee))


def give_up(
    db: Db,
    source: str,
    why: str,
    *,
    found_before: float | None = None,
    longer_than: int | None = None,
    numbered: bool = True,
) -> int:
    """Mark open gaps as lost: those found before a time, or with more numbers left than ever can be looked up.

    ``numbered``: only those with numbers, or only those without. ``why`` is added to their reason. Return how many.
    """
    lost = (Gap.state == OPEN) & Gap.feed.in_(Feed.select(Feed.id).where(Feed.source == source))
    lost &= Gap.last_number.is_null(not numbered)
    if found_before is not None:
        lost &= Gap.found_at < found_before
    if longer_than is not None:
        lost &= (Gap.last_number - Gap.first_number >= longer_than) & (Gap.reason != JUMP)
    with db.transaction():
        _lock(db, source)
        return int(Gap.update(state=LOST, reason=Gap.reason.concat(f", {why}")).where(lost).execute(db.peewee))


def backlog(db: Db, source: str) -> int:
    """Return how many numbers the open gaps of the source have left, each counted once."""
    earlier = fn.MAX(Gap.last_number).over(
        partition_by=[Feed.kind],
        order_by=[_first_of_these(db), Gap.id],
        frame_type=Window.ROWS,
        start=Window.preceding(),
        end=Window.preceding(1),
    )
    watched = Watch.select(Watch.feed).join(Workspace, on=(Watch.workspace == Workspace.id)).where(Workspace.active)
    gaps = (
        Gap.select(
            _first_of_these(db).alias("first_number"),
            Gap.last_number,
            fn.COALESCE(earlier, -1).alias("earlier"),
        )
        .join(Feed, on=(Gap.feed == Feed.id))
        .where(Gap.state == OPEN, Gap.last_number.is_null(False), Feed.source == source, Feed.id.in_(watched))
        .alias("gaps")
    )
    new = gaps.c.last_number + 1 - db.greatest(gaps.c.first_number, gaps.c.earlier + 1)
    return int(Gap.select(fn.SUM(db.greatest(new, 0))).from_(gaps).scalar(db.peewee) or 0)
