"""Times that a clock which was ahead has left in the future: nobody would wait for them, and some stop everything.

Each kind of time has a distance from now that it never exceeds by right. What is farther off is taken back.
"""

from __future__ import annotations

import msgspec
from peewee import Case

from overheard.db.budgets import HORIZON
from overheard.db.connect import Db
from overheard.db.deliveries import PENDING
from overheard.db.models import Channel, Delivery, Feed, FeedGroup, Item, Workspace

AHEAD = 300.0  # seconds that the clocks of our machines may differ
LEFT_ALONE = 86400.0  # seconds: the longest that a receiver is not tried again


class Longest(msgspec.Struct, frozen=True):
    """For how many seconds fetch and notify take a lease at most, and a refused feed is left alone."""

    fetch: float
    notify: float
    refused: float


def mend(db: Db, now: float, longest: Longest) -> int:
    """Take back what is farther off than it can be by right; how many changes that took."""
    latest = now + AHEAD
    return _feeds(db, now, latest, longest) + _workspaces(db, now, latest) + _outbox(db, now, latest, longest)


def _feeds(db: Db, now: float, latest: float, longest: Longest) -> int:
    wrong = (
        Feed.update(fresh_at=now).where(Feed.fresh_at > latest),
        # Who stands in line, or is put off, has its lease from when its turn comes.
        FeedGroup.update(lease_until=now).where(FeedGroup.lease_until > latest + HORIZON + longest.fetch),
        # A reading that began in the future would let none that begins now move the cursor.
        FeedGroup.update(began_at=now, read_at=now).where(FeedGroup.began_at > latest),
        Feed.update(retry_at=now).where(Feed.failures == 0, Feed.retry_at > latest),
        Feed.update(retry_at=now).where(Feed.failures > 0, Feed.retry_at > latest + longest.refused),
    )
    return sum(query.execute(db.peewee) for query in wrong)


def _workspaces(db: Db, now: float, latest: float) -> int:
    waits = Workspace.demanded_at > Workspace.served_at
    wrong = (
        # A demand that nobody has served stays one: it is as late as it can be, and no run is after it.
        Workspace.update(
            demanded_at=now,
            served_at=Case(None, [(Workspace.served_at >= now, now - 1.0)], Workspace.served_at),
            waiting_since=Case(None, [(Workspace.waiting_since > now, now)], Workspace.waiting_since),
        ).where(waits, Workspace.demanded_at > latest + HORIZON),
        Workspace.update(
            served_at=now,
            demanded_at=Case(None, [(~waits & (Workspace.demanded_at > now), now)], Workspace.demanded_at),
        ).where(Workspace.served_at > latest),
        Workspace.update(digest_asked_at=now).where(
            Workspace.digest_end.is_null(False), Workspace.digest_asked_at > latest
        ),
    )
    return sum(query.execute(db.peewee) for query in wrong)


def _outbox(db: Db, now: float, latest: float, longest: Longest) -> int:
    """What waits to be sent; and items, when Reddit was last asked about them."""
    untried, pending = Delivery.attempts == 0, Delivery.state == PENDING
    wrong = (
        Delivery.update(due_at=now).where(pending, untried, Delivery.due_at > latest + HORIZON),
        Delivery.update(due_at=now).where(pending, Delivery.due_at > latest + LEFT_ALONE),
        Channel.update(not_before=now).where(Channel.not_before > latest + LEFT_ALONE),
        # One of them keeps its whole channel waiting. A round in line has its lease from when its turn comes.
        Delivery.update(lease_until=now).where(pending, Delivery.lease_until > latest + HORIZON + longest.notify),
        Item.update(checked_at=now).where(Item.checked_at > latest),
    )
    return sum(query.execute(db.peewee) for query in wrong)


def went_back(db: Db, now: float, seconds: float) -> None:
    """The clock went back by so much: what may be far off by right comes nearer by as much.

    What a right clock has put off as far is tried once too early, which costs little. A refused feed is not: each costs
    a request.
    """
    due, held = Delivery.due_at - seconds, Item.lease_until - seconds
    Channel.update(not_before=db.greatest(Channel.not_before - seconds, now)).where(Channel.not_before > now).execute(
        db.peewee
    )
    Delivery.update(due_at=db.greatest(due, now)).where(Delivery.state == PENDING, Delivery.due_at > now).execute(
        db.peewee
    )
    Item.update(lease_until=db.greatest(held, now)).where(Item.lease_until > now).execute(db.peewee)
