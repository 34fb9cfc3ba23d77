"""The canary's workspace: created, changed and removed as configured, by whichever process comes first."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import peewee
from peewee import fn

from overheard import canary
from overheard.db import heartbeats, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, Feed, Heartbeat, Mention, StoredItem, Workspace
from overheard.errors import InvalidInput
from overheard.workspaces import ChannelSpec, QuerySpec, WatchSpec, WorkspaceSpec

BEAT = "canary"  # the heartbeat of the last delivered canary, which outlives the delivery's row
DAY_SECONDS = 86400.0
DELETE_BATCH_ROWS = 1000

NextDueTime = Callable[[str, str], float]


class CanaryState(msgspec.Struct, frozen=True):
    """One canary every ``every`` seconds since ``begun_at``; ``delivered_at``: when the last one was delivered."""

    every: int
    begun_at: float
    delivered_at: float | None

    def late_since(self, now: float) -> float | None:
        """Return when a canary should have been delivered that was not; None if none is late."""
        due = max(self.begun_at, self.delivered_at or 0.0) + canary.LATE_AFTER_INTERVALS * self.every
        return due if now > due else None


def state(db: Db) -> CanaryState | None:
    """Return the canary's state; None if it is off."""
    row = (
        Workspace.select(Workspace.every, Workspace.created_at)
        .where(Workspace.internal, Workspace.active)
        .tuples()
        .first(db.peewee)
    )
    if row is None:
        return None
    return CanaryState(int(row[0].removesuffix("s")), row[1], heartbeats.last_at(db, BEAT))


def ensure(db: Db, interval: int, now: float, following: NextDueTime) -> None:
    """Ensure that its workspace exists, due every ``interval`` seconds. Raises InvalidInput if a user has the slug."""
    spec = WorkspaceSpec(
        slug=canary.WORKSPACE,
        name="Overheard's canary",
        every=f"{interval}s",
        watch=(WatchSpec(canary.SOURCE, (canary.PLACE,), ("posts",)),),
        query=(QuerySpec("canary", canary.QUERY),),
        channel=(ChannelSpec("null", "null://", max_per_hour=0),),
    )
    try:
        with db.transaction():
            _require_reserved_slug(db)
            workspace_specs.save(db, spec, now, following=following, secret=lambda channel: None, internal=True)
            # Start anew: earlier deliveries, at another interval, say nothing about lateness.
            ((workspace_id,),) = (
                Workspace.update(created_at=now, next_due_at=now)
                .where(Workspace.internal)
                .returning(Workspace.id)
                .tuples()
                .execute(db.peewee)
            )
            workspace_specs.set_active(db, workspace_id, True)
    except peewee.IntegrityError:
        return  # another tick has just created it


def _require_reserved_slug(db: Db) -> None:
    """A workspace of this slug from before it was reserved is not ours to change."""
    if Workspace.select().where(Workspace.slug == canary.WORKSPACE, ~Workspace.internal).exists(db.peewee):
        raise InvalidInput(
            f"the canary cannot start: a workspace of yours has its slug, {canary.WORKSPACE}; "
            f"give it another one (overheard export, import, workspace remove)"
        )


def record_delivered(db: Db) -> None:
    """Record when the last canary was delivered."""
    latest = db.scalar_time(
        Delivery.select(fn.max(Delivery.sent_at))
        .join(Channel, on=(Delivery.channel == Channel.id))
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(Workspace.internal)
    )
    if latest is not None:
        heartbeats.record_once(db, BEAT, latest)


def prune(db: Db, before: float) -> int:
    """Delete up to a batch of canary items stored before then, with their mentions and deliveries; return how many."""
    old = (
        Mention.select(Mention.item)
        .join(Workspace, on=(Mention.workspace == Workspace.id))
        .where(Workspace.internal, Mention.stored_at < before)
        .limit(DELETE_BATCH_ROWS)
    )
    ids = [item_id for (item_id,) in old.tuples().execute(db.peewee)]
    return int(StoredItem.delete().where(StoredItem.id.in_(ids)).execute(db.peewee)) if ids else 0


def remove(db: Db, now: float) -> bool:
    """Remove the canary with everything that it left; return False if there was none."""
    row = Workspace.select(Workspace.id).where(Workspace.internal).tuples().first(db.peewee)
    if row is None:
        return False
    # A day ahead, so that what is stored meanwhile goes, too.
    while prune(db, now + DAY_SECONDS) == DELETE_BATCH_ROWS:
        pass
    with db.transaction():
        try:
            workspace_specs.remove(db, row[0])
        except InvalidInput:
            return False  # another tick was faster
        Feed.delete().where(Feed.internal).execute(db.peewee)
        Heartbeat.delete().where(Heartbeat.name == BEAT).execute(db.peewee)
    return True
