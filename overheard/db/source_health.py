"""Source health: when each source was last read, and since when it gives no answer. Status and alerts read it.

A refused feed is an answer; a source that answers no request is failing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from peewee import Case

from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Feed, SourceStatus, Watch, Workspace
from overheard.db.storable_text import storable
from overheard.items import ALL, FeedKind

RECORD_INTERVAL_SECONDS = 5.0  # between two writes of a readable source: one for each page would make its row hot
FORGET_FAILURE_SECONDS = 900.0  # a failure without a further try is ignored after that
ANSWERING = {
    SourceStatus.failing_since: None,
    SourceStatus.retry_at: None,
    SourceStatus.reason: None,
    SourceStatus.revoked: False,
}


class SourceState(msgspec.Struct, frozen=True):
    """``read_at``: when the source last gave what was requested. ``failing_since``: since when every try has failed.

    ``reason`` is that of the last try; ``retry_at`` its time, or the later one until which the source wants no
    requests. ``revoked``: the last try failed because the source refused the login, not because it was unreachable.
    """

    read_at: float | None = None
    failing_since: float | None = None
    retry_at: float | None = None
    reason: str | None = None
    revoked: bool = False

    def failing_for(self, now: float) -> float:
        """Return for how many seconds the source has not answered; 0 if it answers, or the last try was long ago."""
        if self.failing_since is None or now > (self.retry_at or 0.0) + FORGET_FAILURE_SECONDS:
            return 0.0
        return max(now - self.failing_since, 0.0)


def state(db: Db, name: str) -> SourceState:
    """Return the source's state."""
    for read_at, failing_since, retry_at, reason, revoked in _state(db, name=name):
        return SourceState(read_at, failing_since, retry_at, reason, bool(revoked))
    return SourceState()


@compiled
def _state(db: Db, name: Any) -> Any:
    columns = (
        SourceStatus.read_at,
        SourceStatus.failing_since,
        SourceStatus.retry_at,
        SourceStatus.reason,
        SourceStatus.revoked,
    )
    return SourceStatus.select(*columns).where(SourceStatus.name == name)


def revoked(db: Db, names: Collection[str]) -> set[str]:
    """Return those of the sources, or clients of one, that were refused at their last login."""
    rows = SourceStatus.select(SourceStatus.name).where(SourceStatus.name.in_(list(names)), SourceStatus.revoked)
    return {name for (name,) in rows.tuples().execute(db.peewee)}


def record_read(db: Db, name: str, now: float) -> None:
    """Record that the source was read; at most once every RECORD_INTERVAL_SECONDS while it can be read."""
    if _recorded(db, name=name, since=now - RECORD_INTERVAL_SECONDS):
        return
    answering = {SourceStatus.read_at: now, **ANSWERING}
    SourceStatus.insert(name=name, read_at=now).on_conflict(
        conflict_target=[SourceStatus.name], update=answering
    ).execute(db.peewee)


@compiled
def _recorded(db: Db, name: Any, since: Any) -> Any:
    recorded = (SourceStatus.read_at >= since) & SourceStatus.failing_since.is_null()
    return SourceStatus.select(SourceStatus.name).where(SourceStatus.name == name, recorded)


def record_answer(db: Db, name: str) -> None:
    """Record that the source has answered, with a refusal of what was requested."""
    SourceStatus.update(ANSWERING).where(SourceStatus.name == name, SourceStatus.failing_since.is_null(False)).execute(
        db.peewee
    )


def record_failure(db: Db, name: str, reason: str, now: float, retry_at: float, *, revoked: bool = False) -> None:
    """Record that the source gave no usable answer; ``reason`` is in our own words.

    ``revoked``: it refused the login (LoginRefused). A retry helps only after the operator, or the source, has acted:
    however long ago the last refusal was, it is the same one.
    """
    reason = storable(reason)
    forgotten = SourceStatus.retry_at < now - FORGET_FAILURE_SECONDS
    if revoked:
        forgotten &= ~SourceStatus.revoked
    first_failure = SourceStatus.failing_since.is_null() | forgotten
    failing = {
        SourceStatus.failing_since: Case(None, [(first_failure, now)], SourceStatus.failing_since),
        SourceStatus.retry_at: retry_at,
        SourceStatus.reason: reason,
        SourceStatus.revoked: revoked,
    }
    first = {"failing_since": now, "retry_at": retry_at, "reason": reason, "revoked": revoked}
    SourceStatus.insert(name=name, **first).on_conflict(conflict_target=[SourceStatus.name], update=failing).execute(
        db.peewee
    )


def workspaces_watching_all(db: Db, name: str, kind: FeedKind, limit: int) -> list[str]:
    """Return up to ``limit`` slugs of the active workspaces that watch everything of a kind of the source, in order."""
    rows = (
        Workspace.select(Workspace.slug)
        .join(Watch, on=(Watch.workspace == Workspace.id))
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Workspace.active, Feed.source == name, Feed.place == ALL, Feed.kind == kind)
        .distinct()
        .order_by(Workspace.slug)
        .limit(limit)
    )
    return [slug for (slug,) in rows.tuples().execute(db.peewee)]
