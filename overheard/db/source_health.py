"""Sources: when each was last read, and since when it gives no answer. What fetch sees here all can see.

A feed that is refused is an answer; a source that answers nobody is away.
"""

from __future__ import annotations

import msgspec
from peewee import Case

from overheard.db.database import Db
from overheard.db.models import Feed, Source, Watch, Workspace
from overheard.db.storable_text import storable
from overheard.items import ALL

NOTE_EVERY = 5.0  # seconds between two notes of a source that can be read
UNTRIED = 900.0  # seconds after which a failure that nobody has tried again says nothing any more
ANSWERS = {Source.failing_since: None, Source.retry_at: None, Source.reason: None, Source.revoked: False}


class State(msgspec.Struct, frozen=True):
    """``read_at``: when it last gave what was asked for. ``failing_since``: since when each try failed.

    ``reason`` is that of the last try; ``retry_at`` its time, or the later one until which it wants to be left alone.
    ``revoked``: the last try failed because the source refused the login, not because it was away.
    """

    read_at: float | None = None
    failing_since: float | None = None
    retry_at: float | None = None
    reason: str | None = None
    revoked: bool = False

    def failing_for(self, now: float) -> float:
        """Seconds for which it has answered nobody; 0 when it answers, or nobody has asked for long."""
        if self.failing_since is None or now > (self.retry_at or 0.0) + UNTRIED:
            return 0.0
        return max(now - self.failing_since, 0.0)


def state(db: Db, name: str) -> State:
    """What is known of the source."""
    columns = (Source.read_at, Source.failing_since, Source.retry_at, Source.reason, Source.revoked)
    row = Source.select(*columns).where(Source.name == name).tuples().first(db.peewee)
    return State() if row is None else State(*row)


def read(db: Db, name: str, now: float) -> None:
    """It was read. A source that is read all the time is noted once in some seconds."""
    noted = (Source.read_at >= now - NOTE_EVERY) & Source.failing_since.is_null()
    if Source.select(Source.name).where(Source.name == name, noted).exists(db.peewee):
        return
    well = {Source.read_at: now, **ANSWERS}
    Source.insert(name=name, read_at=now).on_conflict(conflict_target=[Source.name], update=well).execute(db.peewee)


def answered(db: Db, name: str) -> None:
    """It has refused what was asked for: it is there."""
    Source.update(ANSWERS).where(Source.name == name, Source.failing_since.is_null(False)).execute(db.peewee)


def failed(db: Db, name: str, reason: str, now: float, retry_at: float, *, revoked: bool = False) -> None:
    """It gave no answer, or none to work with; ``reason`` is in our own words.

    ``revoked``: it refused the login (LoginRefused). Trying again helps only if the operator, or the source, acts.
    """
    reason = storable(reason)
    anew = Source.failing_since.is_null() | (Source.retry_at < now - UNTRIED)
    failing = {
        Source.failing_since: Case(None, [(anew, now)], Source.failing_since),
        Source.retry_at: retry_at,
        Source.reason: reason,
        Source.revoked: revoked,
    }
    first = {"failing_since": now, "retry_at": retry_at, "reason": reason, "revoked": revoked}
    Source.insert(name=name, **first).on_conflict(conflict_target=[Source.name], update=failing).execute(db.peewee)


def followed_whole(db: Db, name: str, limit: int) -> list[str]:
    """Up to ``limit`` slugs of the active workspaces that watch all of the source, in order."""
    rows = (
        Workspace.select(Workspace.slug)
        .join(Watch, on=(Watch.workspace == Workspace.id))
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Workspace.active, Feed.source == name, Feed.place == ALL)
        .distinct()
        .order_by(Workspace.slug)
        .limit(limit)
    )
    return [slug for (slug,) in rows.tuples().execute(db.peewee)]
