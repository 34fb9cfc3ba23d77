"""Schedules: which workspaces are due for a run or a digest, and which have waited too long."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from overheard import schedule
from overheard.db import refreshes
from overheard.db.database import Db
from overheard.db.models import Feed, RefreshDemand, Watch, Workspace
from overheard.errors import InvalidInput

MISSED_SECONDS = 60.0  # a cron expression is not due more often: until then no period was missed


class DueWorkspace(msgspec.Struct, frozen=True):
    """A due workspace as a tick claims it. ``digest_at``: when its digest was due; if claimed, its period's end."""

    id: int
    slug: str
    every: str
    digest: str | None
    timezone: str
    digest_at: float | None


DUE = (Workspace.id, Workspace.slug, Workspace.every, Workspace.digest, Workspace.timezone, Workspace.next_digest_at)


def claim_due(db: Db, now: float, limit: int, following: Callable[[DueWorkspace], float]) -> list[DueWorkspace]:
    """Claim up to ``limit`` workspaces that are due; ``following`` gives each its next due time.

    A conditional UPDATE claims each one: its due time must still be the one that was read, so of two concurrent ticks
    exactly one gets it. The claim also records the demand: if the event is lost, ``refreshes.claim_lost`` finds it.
    """
    with db.transaction():
        claimed = _claim(db, Workspace.next_due_at, lambda due: {}, now, limit, following)
        refreshes.demand(db, [due.id for due in claimed], now)
    return claimed


def claim_digests(db: Db, now: float, limit: int, following: Callable[[DueWorkspace], float]) -> list[DueWorkspace]:
    """Claim up to ``limit`` workspaces whose digest is due; ``digest_at`` of each is the period's end.

    After an outage of several periods they are one, which ends when the last of them was due. The claim records the
    period: if its event is lost, ``claim_lost_digests`` finds it.
    """

    def period(due: DueWorkspace) -> dict[Any, Any]:
        return {Workspace.digest_end: _period_end(due, now), Workspace.digest_asked_at: now}

    with db.transaction():
        claimed = _claim(db, Workspace.next_digest_at, period, now, limit, following)
    return [msgspec.structs.replace(due, digest_at=_period_end(due, now)) for due in claimed]


def _period_end(due: DueWorkspace, now: float) -> float | None:
    if due.digest_at is None or not due.digest or now - due.digest_at < MISSED_SECONDS:
        return due.digest_at
    try:
        latest = schedule.due_before(due.digest, due.timezone, math.nextafter(now, math.inf), due.digest_at)
    except InvalidInput:  # ``unreadable_schedules`` reports it
        return due.digest_at
    return max(latest, due.digest_at)


def _claim(
    db: Db,
    column: Any,
    recorded: Callable[[DueWorkspace], dict[Any, Any]],
    now: float,
    limit: int,
    following: Callable[[DueWorkspace], float],
) -> list[DueWorkspace]:
    due = Workspace.select(*DUE, column).where(Workspace.active, column <= now).order_by(column).limit(limit)
    claimed = []
    for *row, due_at in sorted(due.tuples().execute(db.peewee)):  # by id: one order of locks for all ticks
        workspace = DueWorkspace(*row)
        unclaimed = (Workspace.id == workspace.id) & (column == due_at) & Workspace.active
        claim = Workspace.update({**recorded(workspace), column: following(workspace)}).where(unclaimed)
        if claim.execute(db.peewee) == 1:
            claimed.append(workspace)
    return claimed


def make_due(db: Db, workspace_id: int, now: float) -> None:
    """Make the workspace due for the next tick: how a run is requested without a bus.

    Its feeds lose their freshness, too: a run requested by hand has to read the source.
    """
    with db.transaction():
        Workspace.update(next_due_at=now).where(Workspace.id == workspace_id).execute(db.peewee)
        refreshes.demand(db, [workspace_id], now)
        mark_stale(db, workspace_id)


def is_due(db: Db, workspace_id: int, at: float) -> bool:
    """Return True if a workspace that was due at that time still waits for a tick."""
    waiting = Workspace.select(Workspace.id).where(Workspace.id == workspace_id, Workspace.next_due_at <= at)
    return bool(waiting.exists(db.peewee))


def mark_stale(db: Db, workspace_id: int) -> None:
    """Make the workspace's feeds stale."""
    watched = Watch.select(Watch.feed).where(Watch.workspace == workspace_id)
    Feed.update(fresh_at=0).where(Feed.id.in_(watched)).execute(db.peewee)


def claim_lost_digests(db: Db, now: float, older_than: float, limit: int) -> list[tuple[int, float]]:
    """Claim (workspace, period's end) of digests requested more than ``older_than`` seconds ago and never composed."""
    rows = (
        Workspace.select(Workspace.id, Workspace.digest_end, Workspace.digest_asked_at)
        .where(Workspace.active, Workspace.digest_end.is_null(False), Workspace.digest_asked_at <= now - older_than)
        .limit(limit)
        .tuples()
        .execute(db.peewee)
    )
    return [
        (workspace_id, digest_end)
        for workspace_id, digest_end, requested_at in sorted(rows)
        if Workspace.update(digest_asked_at=now)
        .where(
            Workspace.id == workspace_id, Workspace.digest_asked_at == requested_at, Workspace.digest_end == digest_end
        )
        .execute(db.peewee)
        == 1
    ]


class WaitingWorkspace(msgspec.Struct, frozen=True):
    """A workspace that waits for a run, and since when."""

    slug: str
    since: float


def longest_waiting(db: Db, now: float) -> WaitingWorkspace | None:
    """Return the workspace that has waited longest: due and not claimed, or claimed and not read. None if none."""
    due = (
        Workspace.select(Workspace.next_due_at, Workspace.slug)
        .where(Workspace.active, Workspace.next_due_at <= now)
        .order_by(Workspace.next_due_at)
        .limit(1)
    )
    requested = (
        RefreshDemand.select(RefreshDemand.waiting_since, Workspace.slug)
        .join(Workspace, on=(RefreshDemand.workspace == Workspace.id))
        .where(Workspace.active, RefreshDemand.waiting_since.is_null(False), refreshes.IS_WAITING)
        .order_by(RefreshDemand.waiting_since)
        .limit(1)
    )
    rows = [row for query in (due, requested) for row in query.tuples().execute(db.peewee)]
    if not rows:
        return None
    since, slug = min(rows)
    return WaitingWorkspace(slug, float(since))


def oldest_digest(db: Db, now: float) -> float | None:
    """Return the end of the oldest period whose digest is not composed; None if there is none."""
    due = (
        Workspace.select(Workspace.next_digest_at)
        .where(Workspace.active, Workspace.next_digest_at <= now)
        .order_by(Workspace.next_digest_at)
        .limit(1)
    )
    requested = (
        Workspace.select(Workspace.digest_end)
        .where(Workspace.active, Workspace.digest_end.is_null(False))
        .order_by(Workspace.digest_end)
        .limit(1)
    )
    return min((float(row[0]) for query in (due, requested) for row in query.tuples().execute(db.peewee)), default=None)


class UnreadableSchedule(msgspec.Struct, frozen=True):
    """A workspace's ``every``, ``digest`` or ``timezone`` (``key``) that cannot be read now; ``reason`` quotes it."""

    workspace: str
    key: str
    reason: str


def unreadable_schedules(db: Db) -> list[UnreadableSchedule]:
    """Return what another release, or a machine with other time zones, accepted and this one cannot read."""
    unreadable = []
    for key, check in (("every", schedule.check), ("digest", schedule.check), ("timezone", schedule.zone)):
        column = getattr(Workspace, key)
        texts = Workspace.select(column).where(column.is_null(False)).distinct().tuples().execute(db.peewee)
        reasons = {text: reason for (text,) in texts if (reason := _refusal(check, text)) is not None}
        rows = Workspace.select(Workspace.slug, column).where(column.in_(list(reasons))).order_by(Workspace.slug)
        unreadable += [UnreadableSchedule(slug, key, reasons[text]) for slug, text in rows.tuples().execute(db.peewee)]
    return unreadable


def _refusal(check: Callable[[str], object], text: str) -> str | None:
    try:
        check(text)
    except InvalidInput as error:
        return str(error)
    return None
