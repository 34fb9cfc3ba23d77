"""Sources: when each was last read, and since when it gives no answer. What fetch sees here all can see.

A feed that is refused is an answer; a source that answers nobody is away.
"""

from __future__ import annotations

import msgspec
from peewee import Case

from overheard.db.database import Db
from overheard.db.models import Feed, SourceStatus, Watch, Workspace
from overheard.db.storable_text import storable
from overheard.items import ALL

RECORD_INTERVAL_SECONDS = 5.0  # seconds between two notes of a source that can be read
FORGET_FAILURE_SECONDS = 900.0  # seconds after which a failure that nobody has tried again says nothing any more
ANSWERING = {
    SourceStatus.failing_since: None,
    SourceStatus.retry_at: None,
    SourceStatus.reason: None,
    SourceStatus.revoked: False,
}


class SourceState(msgspec.Struct, frozen=True):
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
        if self.failing_since is None or now > (self.retry_at or 0.0) + FORGET_FAILURE_SECONDS:
            return 0.0
        return max(now - self.failing_since, 0.0)


def state(db: Db, name: str) -> SourceState:
    """What is known of the source."""
    columns = (
        SourceStatus.read_at,
        SourceStatus.failing_since,
        SourceStatus.retry_at,
        SourceStatus.reason,
        SourceStatus.revoked,
    )
    row = SourceStatus.select(*columns).where(SourceStatus.name == name).tuples().first(db.peewee)
    return SourceState() if row is None else SourceState(*row)


def record_read(db: Db, name: str, now: float) -> None:
    """It was read. A source that is read all the time is noted once in some seconds."""
    noted = (SourceStatus.read_at >= now - RECORD_INTERVAL_SECONDS) & SourceStatus.failing_since.is_null()
    if SourceStatus.select(SourceStatus.name).where(SourceStatus.name == name, noted).exists(db.peewee):
        return
    well = {SourceStatus.read_at: now, **ANSWERING}
    SourceStatus.insert(name=name, read_at=now).on_conflict(conflict_target=[SourceStatus.name], update=well).execute(
        db.peewee
    )


def record_answer(db: Db, name: str) -> None:
    """It has refused what was asked for: it is there."""
    SourceStatus.update(ANSWERING).where(SourceStatus.name == name, SourceStatus.failing_since.is_null(False)).execute(
        db.peewee
    )


def record_failure(db: Db, name: str, reason: str, now: float, retry_at: float, *, revoked: bool = False) -> None:
    """It gave no answer, or none to work with; ``reason`` is in our own words.

    ``revoked``: it refused the login (LoginRefused). Trying again helps only if the operator, or the source, acts.
    """
    reason = storable(reason)
    anew = SourceStatus.failing_since.is_null() | (SourceStatus.retry_at < now - FORGET_FAILURE_SECONDS)
    failing = {
        SourceStatus.failing_since: Case(None, [(anew, now)], SourceStatus.failing_since),
        SourceStatus.retry_at: retry_at,
        SourceStatus.reason: reason,
        SourceStatus.revoked: revoked,
    }
    first = {"failing_since": now, "retry_at": retry_at, "reason": reason, "revoked": revoked}
    SourceStatus.insert(name=name, **first).on_conflict(conflict_target=[SourceStatus.name], update=failing).execute(
        db.peewee
    )


def workspaces_watching_all(db: Db, name: str, limit: int) -> list[str]:
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
