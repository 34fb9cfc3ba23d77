"""Channels as the notify stage needs them: read from the database, marked healthy, failing or disabled."""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import Case, fn

from overheard.db import incidents, visibility
from overheard.db.channel_locks import lock_channels
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import HELD, MENTION, PENDING, Channel, Delivery, Workspace
from overheard.db.storable_text import storable
from overheard.routing import HELD_BY_DIGEST, HELD_BY_DISABLED

ENABLE_BATCH_ROWS = 5_000


class ChannelRow(msgspec.Struct, frozen=True):
    """A channel. ``url`` and ``secret`` are secrets: only ``open_transport`` gets them."""

    id: int
    workspace: str
    name: str
    url: str
    secret: str | None
    mode: str
    disabled_at: float | None
    failing_since: float | None
    reason: str | None
    failures: int = 0
    not_before: float = 0.0
    internal: bool = False


COLUMNS = (
    Channel.id,
    Workspace.slug,
    Channel.name,
    Channel.url,
    Channel.secret,
    Channel.mode,
    Channel.disabled_at,
    Channel.failing_since,
    Channel.reason,
    Channel.failures,
    Channel.not_before,
    Workspace.internal,
)
# What a channel has after a success.
HEALTHY: dict[Any, Any] = {
    Channel.failing_since: None,
    Channel.reason: None,
    Channel.failures: 0,
    Channel.not_before: 0,
}


def get(db: Db, channel_id: int) -> ChannelRow | None:
    """Return the channel; None if it was removed."""
    rows = _by_id(db, channel_id=channel_id)
    return ChannelRow(*rows[0]) if rows else None


@compiled
def _by_id(db: Db, channel_id: Any) -> Any:
    query = Channel.select(*COLUMNS).join(Workspace, on=(Channel.workspace == Workspace.id))
    return query.where(Channel.id == channel_id)


def listing(db: Db, workspace: str | None = None) -> list[ChannelRow]:
    """Return all public channels, or one workspace's, by workspace and name."""
    query = Channel.select(*COLUMNS).join(Workspace, on=(Channel.workspace == Workspace.id))
    query = query.where(visibility.workspace_condition(workspace))
    return [ChannelRow(*row) for row in query.order_by(Workspace.slug, Channel.name).tuples().execute(db.peewee)]


def mark_healthy(db: Db, channel_id: int) -> None:
    """Record that the channel accepted a delivery."""
    Channel.update(HEALTHY).where(Channel.id == channel_id, Channel.failing_since.is_null(False)).execute(db.peewee)


def record_failure(db: Db, channel_id: int, reason: str, now: float, *, fault: bool = True) -> tuple[float, int]:
    """Record a failed try; return since when none succeeded, and how many failed by the channel's own ``fault``."""
    rows = list(
        Channel.update(
            failing_since=fn.coalesce(Channel.failing_since, now),
            reason=storable(reason),
            failures=Channel.failures + int(fault),
        )
        .where(Channel.id == channel_id)
        .returning(Channel.failing_since, Channel.failures)
        .tuples()
        .execute(db.peewee)
    )
    return (float(rows[0][0]), int(rows[0][1])) if rows else (now, 1)


def postpone(db: Db, channel_id: int, until: float) -> None:
    """Postpone the channel: until then, claims get nothing."""
    Channel.update(not_before=until).where(Channel.id == channel_id).execute(db.peewee)


def disable(db: Db, channel_id: int, reason: str, now: float) -> None:
    """Send nothing there any more; what waits for it is held until it is enabled or saved again."""
    reason = storable(reason)
    with db.transaction():
        row = get(db, channel_id)
        Channel.update(disabled_at=now, reason=reason).where(Channel.id == channel_id).execute(db.peewee)
        Delivery.update(state=HELD, held_by=HELD_BY_DISABLED, lease_until=0).where(
            Delivery.channel == channel_id, Delivery.state == PENDING
        ).execute(db.peewee)
        if row is not None and row.disabled_at is None:
            incidents.record(db, "channel disabled", f"{row.workspace}/{row.name}", now)


def enable(db: Db, channel_id: int, now: float) -> None:
    """Enable the channel. What was held meanwhile is due now, and folded; a digest channel's waits for its digest.

    Most of it becomes due before: then the lock, for which store waits, is held for a short time only.
    """
    while _held_is_due(db, channel_id, now) == ENABLE_BATCH_ROWS:
        pass
    with db.transaction():
        enabled: Any = Channel.select(Channel.id).where(Channel.id == channel_id)
        # Stores that read the channel as disabled have committed when this lock is granted.
        list((enabled if db.sqlite else enabled.for_update()).execute(db.peewee))
        while _held_is_due(db, channel_id, now):
            pass
        changes = {**HEALTHY, Channel.disabled_at: None, Channel.wake_at: 0}
        Channel.update(changes).where(Channel.id == channel_id).execute(db.peewee)


def _held_is_due(db: Db, channel_id: int, now: float) -> int:
    """Make a batch of what is held for the disabled channel due, keeping what held it; return how many."""
    held = (Delivery.channel == channel_id) & (Delivery.state == HELD) & (Delivery.held_by == HELD_BY_DISABLED)
    batch = Delivery.select(Delivery.id).where(held).limit(ENABLE_BATCH_ROWS)
    mode = Channel.select(Channel.mode).where(Channel.id == channel_id)
    for_digest = (mode == "digest") & (Delivery.kind == MENTION)
    changes = {
        Delivery.state: Case(None, [(for_digest, HELD)], PENDING),
        Delivery.held_by: Case(None, [(for_digest, HELD_BY_DIGEST)], Delivery.held_by),
        Delivery.due_at: now,
    }
    with db.transaction():
        lock_channels(db, Channel.id == channel_id)
        return int(Delivery.update(changes).where(Delivery.id.in_(batch)).execute(db.peewee))


def waiting(db: Db, channel_id: int) -> int:
    """Return how many deliveries of the channel are pending or held."""
    states = Delivery.state.in_([PENDING, HELD])
    return int(Delivery.select(fn.count(Delivery.id)).where(Delivery.channel == channel_id, states).scalar(db.peewee))


class FailingChannel(msgspec.Struct, frozen=True):
    """A channel that accepts nothing, since when, and why."""

    workspace: str
    name: str
    disabled: bool
    since: float
    reason: str


def failing_or_disabled(db: Db, limit: int) -> list[FailingChannel]:
    """Return up to ``limit`` channels that fail or are disabled, the disabled first, by workspace and name."""
    off = Channel.disabled_at.is_null(False)
    # By id first: sorting very many by name takes long.
    first = (
        Channel.select(Channel.id)
        .where(off | Channel.failing_since.is_null(False))
        .order_by(off.desc(), Channel.id)
        .limit(limit)
    )
    rows = (
        Channel.select(Workspace.slug, Channel.name, Channel.disabled_at, Channel.failing_since, Channel.reason)
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(Channel.id.in_(first))
        .order_by(off.desc(), Workspace.slug, Channel.name)
    )
    return [
        FailingChannel(slug, name, disabled_at is not None, disabled_at or failing_since or 0.0, reason or "")
        for slug, name, disabled_at, failing_since, reason in rows.tuples().execute(db.peewee)
    ]


def states(db: Db) -> dict[str, int]:
    """Return how many of the public channels are ok, failing or disabled."""
    disabled = fn.sum(Case(None, [(Channel.disabled_at.is_null(False), 1)], 0))
    failing_now = fn.sum(Case(None, [(Channel.disabled_at.is_null() & Channel.failing_since.is_null(False), 1)], 0))
    public = Channel.workspace.in_(Workspace.select(Workspace.id).where(visibility.IS_PUBLIC_WORKSPACE))
    rows = Channel.select(fn.count(Channel.id), disabled, failing_now).where(public).tuples().execute(db.peewee)
    total, off, failing = (int(count or 0) for count in rows[0])
    return {"ok": total - off - failing, "failing": failing, "disabled": off}
