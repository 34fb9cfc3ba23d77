"""Second looks: which groups of feeds are to be read again, past what is known, and what was asked for."""

from __future__ import annotations

import msgspec

from overheard.db.database import Db
from overheard.db.models import Feed, FeedGroup
from overheard.items import ALL


class LookState(msgspec.Struct, frozen=True):
    """A group that may be looked at. See ``models.FeedGroup``; ``asked_at`` is its ``look_asked_at``."""

    id: int
    looked_at: float
    asked_at: float


def free(db: Db, source: str, *, asked_before: float, now: float) -> list[LookState]:
    """Return the groups that were read, those whose second look is the longest ago first.

    Left out are those for which one was asked since ``asked_before`` and is not stored yet, those with a feed that
    backs off, and what is read by the items' numbers.
    """
    under_way = (FeedGroup.look_asked_at > FeedGroup.looked_at) & (FeedGroup.look_asked_at > asked_before)
    left_out = Feed.select(Feed.group).where(Feed.source == source, (Feed.retry_at > now) | (Feed.place == ALL))
    rows = (
        FeedGroup.select(FeedGroup.id, FeedGroup.looked_at, FeedGroup.look_asked_at)
        .where(
            FeedGroup.source == source,
            FeedGroup.cursor.is_null(False),
            ~FeedGroup.by_number,
            ~under_way,
            FeedGroup.id.not_in(left_out.where(Feed.group.is_null(False))),
        )
        .order_by(FeedGroup.looked_at, FeedGroup.id)
    )
    return [LookState(*row) for row in rows.tuples().execute(db.peewee)]


def ask(db: Db, look: LookState, now: float) -> bool:
    """Record that a second look is asked for; False if another process has asked since it was loaded."""
    same = (FeedGroup.id == look.id) & (FeedGroup.look_asked_at == look.asked_at)
    return bool(FeedGroup.update(look_asked_at=now).where(same).execute(db.peewee))


def ask_again(db: Db, group_id: int) -> None:
    """Record that the look that was asked for will not be made: another one may be asked for."""
    FeedGroup.update(look_asked_at=0).where(FeedGroup.id == group_id).execute(db.peewee)
