"""Deliveries: the outbox between store and the world. Claimed by lease, sent, marked (I4)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db import mentions
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import FAILED, PENDING, SENT, Channel, Delivery, Mention, Workspace
from overheard.db.storable_text import storable
from overheard.notices import Notice, NoticeType, PublicMention
from overheard.routing import NewMention, Route, route

INSERT_ROWS = 400  # an INSERT
DIGEST_MAX_MENTIONS = 200  # mentions, the newest; the others are only counted
CLAIMED = (Delivery.id, Delivery.mention, Delivery.period_end, Delivery.attempts, Delivery.created_at)


class ClaimedDelivery(msgspec.Struct, frozen=True):
    """A delivery that is ours to send: of a mention, or of a digest (whose period ended at ``period_end``).

    ``failing``: its channel was when it was claimed, as far as is known.
    """

    id: str
    mention: int | None
    period_end: float | None
    attempts: int
    created_at: float
    failing: bool = True


class DeliveryContents(msgspec.Struct, frozen=True):
    """What a delivery says. ``born`` are the items' creation times, for the metrics."""

    notice: Notice
    born: tuple[float, ...]


def new_delivery_id() -> str:
    """The stable id of a delivery, which the receiver sees."""
    return f"msg_{uuid.uuid4().hex}"


def add(db: Db, mentions: Sequence[NewMention], now: float) -> dict[int, str]:
    """Insert the deliveries of these mentions; return the channels to notify now, each with its workspace's slug.

    Runs inside store's transaction.
    """
    workspaces = sorted({mention.workspace_id for mention in mentions if not mention.backfilled})
    if not workspaces:
        return {}
    routing = route(mentions, [Route(*row) for row in _routes(db, workspaces=workspaces)], now)
    rows = [
        {
            "id": new_delivery_id(),
            "channel": each.channel_id,
            "mention": each.mention_id,
            "state": each.state,
            "due_at": each.due_at,
            "created_at": now,
        }
        for each in routing.deliveries
    ]
    for start in range(0, len(rows), INSERT_ROWS):
        _add(db, rows=rows[start : start + INSERT_ROWS])
    return routing.prompts


@compiled
def _routes(db: Db, workspaces: Any) -> Any:
    columns = (Channel.id, Channel.workspace, Workspace.slug, Channel.mode, Channel.disabled_at.is_null(False))
    channels = (
        Channel.select(*columns, Channel.not_before)
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(Channel.workspace.in_(workspaces))
        .order_by(Channel.id)
    )
    return db.kept(channels)


@compiled
def _add(db: Db, rows: Any) -> Any:
    return Delivery.insert_many(rows).on_conflict_ignore()


def claim(db: Db, channel_id: int, *, now: float, limit: int, lease: float) -> list[ClaimedDelivery]:
    """Claim up to ``limit`` deliveries of the channel that are due. Of two claimers one gets them.

    What was tried least comes first, oldest first: however many the receiver refuses again and again, they hold up
    nothing that it would take. Last comes the one that was tried most: these, too, have their turn, and their end.
    While somebody holds a claim on a channel, nobody else gets one: a receiver that hangs must not take more than one
    of our threads (I6). Who holds it asks ``more_due`` when done. Before its ``not_before`` a channel has none, and
    while it fails a claim is of one delivery, the probe.
    """
    while True:
        with db.transaction():
            # Store, which only refers to the row, does not wait for this lock. A claimer that finds it taken does not
            # wait either: who holds it may be dead, and claims until the database notices.
            ready = (Channel.id == channel_id) & (Channel.not_before <= now)
            channel: Any = Channel.select(Channel.failures, Channel.failing_since).where(ready)
            if not db.sqlite:
                channel = channel.for_update("FOR NO KEY UPDATE SKIP LOCKED")
            found = list(channel.tuples().execute(db.peewee))
            if not found:
                return []
            ((failures, failing_since),) = found
            rows = _claim(db, channel_id, now=now, limit=1 if failures else limit, lease=lease)
            failing = failing_since is not None
            claimed = _in_turn(msgspec.structs.replace(ClaimedDelivery(*row), failing=failing) for row in rows)
        # What was stored while we held the lock, and found nothing, had a claimer that went away because of it.
        if claimed or is_claimed(db, channel_id, now) or not more_due(db, channel_id, now):
            return claimed


def _claim(db: Db, channel_id: int, *, now: float, limit: int, lease: float) -> list[tuple[Any, ...]]:
    """Claim, in one statement that sees what was committed before the lock: nothing while another claim holds."""
    oldest = (Delivery.due_at, Delivery.created_at, Delivery.mention)
    first = _due(channel_id, now).order_by(Delivery.attempts, *oldest).limit(max(limit - 1, 1))
    chosen = Delivery.id.in_(first)
    if limit > 1:
        rest = _due(channel_id, now).where(Delivery.id.not_in(first))
        chosen |= Delivery.id.in_(rest.order_by(Delivery.attempts.desc(), *oldest).limit(1))
    unclaimed = fn.coalesce(_latest_lease(channel_id), 0.0) < now
    return list(
        Delivery.update(lease_until=now + lease, attempts=Delivery.attempts + 1)
        .where(chosen, unclaimed)
        .returning(*CLAIMED)
        .tuples()
        .execute(db.peewee)
    )


def defer(db: Db, channel_id: int, *, now: float, until: float) -> bool:
    """Put a channel off whose deliveries nobody can try now; False: nothing is due there, or others see to it."""
    if not more_due(db, channel_id, now) or is_claimed(db, channel_id, now):
        return False
    ready = (Channel.id == channel_id) & (Channel.not_before <= now)
    return bool(Channel.update(not_before=until).where(ready).execute(db.peewee))


def _in_turn(claimed: Iterable[ClaimedDelivery]) -> list[ClaimedDelivery]:
    return sorted(claimed, key=lambda delivery: (delivery.attempts, delivery.created_at, delivery.mention or 0))


def resume(db: Db, channel_id: int, held_until: float, *, now: float, lease: float) -> list[ClaimedDelivery]:
    """What the claim that ends at ``held_until`` still holds, held for a new lease now; nothing when it ran out."""
    if held_until < now:
        return []  # others may have claimed some of it, or are about to
    rows = (
        Delivery.update(lease_until=now + lease)
        .where(Delivery.channel == channel_id, Delivery.state == PENDING, Delivery.lease_until == held_until)
        .returning(*CLAIMED)
        .tuples()
        .execute(db.peewee)
    )
    return _in_turn(ClaimedDelivery(*row) for row in rows)


def extend(db: Db, delivery_ids: Sequence[str], held_until: float, until: float) -> bool:
    """Hold claimed deliveries longer; whether any of them still was under the claim that ends at ``held_until``."""
    return bool(Delivery.update(lease_until=until).where(_held(delivery_ids, held_until)).execute(db.peewee))


def _held(delivery_ids: Sequence[str], held_until: float) -> Any:
    """That of these deliveries which the claim that ends at ``held_until`` still holds."""
    return Delivery.id.in_(list(delivery_ids)) & (Delivery.state == PENDING) & (Delivery.lease_until == held_until)


def more_due(db: Db, channel_id: int, now: float) -> bool:
    """Whether something of the channel is due and nobody has claimed it."""
    return bool(_due(channel_id, now).exists(db.peewee))


def _due(channel_id: int, now: float) -> Any:
    return Delivery.select(Delivery.id).where(
        Delivery.channel == channel_id,
        Delivery.state == PENDING,
        Delivery.due_at <= now,
        Delivery.lease_until < now,
    )


def is_claimed(db: Db, channel_id: int, now: float) -> bool:
    return bool((_latest_lease(channel_id).scalar(db.peewee) or 0.0) >= now)


def _latest_lease(channel_id: int) -> Any:
    # Not "is there one": PostgreSQL expects to find it soon, and reads all that waits when there is none.
    return (
        Delivery.select(Delivery.lease_until)
        .where(Delivery.channel == channel_id, Delivery.state == PENDING)
        .order_by(Delivery.lease_until.desc())
        .limit(1)
    )


def contents(db: Db, claimed: ClaimedDelivery) -> DeliveryContents | None:
    """What a claimed delivery says now; None when it has been erased.

    To be read right before it is sent: a round takes minutes, and items are erased meanwhile.
    """
    bundled = Delivery.select(Delivery.mention).where(Delivery.bundle == claimed.id)
    there = fn.EXISTS(Delivery.select(Delivery.id).where(Delivery.id == claimed.id))
    if claimed.period_end is None:
        rows = mentions.rows().where(there, Mention.id == claimed.mention)
    else:
        rows = (
            mentions.rows().where(there, Mention.id.in_(bundled)).order_by(Mention.id.desc()).limit(DIGEST_MAX_MENTIONS)
        )
    found = list(rows.tuples().execute(db.peewee))[::-1]
    slug = found[0][1] if found else _workspace_of(db, claimed.id)
    if slug is None:
        return None
    omitted = bundled.count(db.peewee) - len(found) if len(found) == DIGEST_MAX_MENTIONS else 0
    public: tuple[PublicMention, ...] = tuple(mentions.to_public(db, found))
    kind: NoticeType = "mention.created" if claimed.period_end is None else "digest"
    notice = Notice(id=claimed.id, type=kind, workspace=slug, mentions=public, omitted=omitted)
    return DeliveryContents(notice, tuple(row[10] for row in found))


def _workspace_of(db: Db, delivery_id: str) -> str | None:
    query = (
        Workspace.select(Workspace.slug)
        .join(Channel, on=(Channel.workspace == Workspace.id))
        .join(Delivery, on=(Delivery.channel == Channel.id))
        .where(Delivery.id == delivery_id)
    )
    slug: str | None = query.scalar(db.peewee)
    return slug


def mark_sent(db: Db, delivery_id: str, now: float) -> None:
    """It is delivered, whoever has claimed it by now."""
    Delivery.update(state=SENT, sent_at=now, lease_until=0, error=None).where(Delivery.id == delivery_id).execute(
        db.peewee
    )


def mark_failed(db: Db, delivery_id: str, held_until: float, reason: str) -> None:
    """It will not be tried again, unless its claim ran out and somebody else is trying it."""
    Delivery.update(state=FAILED, lease_until=0, error=storable(reason)).where(
        _held([delivery_id], held_until)
    ).execute(db.peewee)


def reschedule(db: Db, delivery_id: str, held_until: float, until: float, reason: str) -> None:
    """The try failed: it is due again at ``until``. Not when its claim ran out: that of who took it over stands."""
    Delivery.update(due_at=until, lease_until=0, error=storable(reason)).where(
        _held([delivery_id], held_until)
    ).execute(db.peewee)


def release(db: Db, delivery_ids: Sequence[str], held_until: float, until: float) -> None:
    """Give back what was claimed until ``held_until`` and not tried; it is due at ``until``."""
    Delivery.update(due_at=until, lease_until=0, attempts=Delivery.attempts - 1).where(
        _held(delivery_ids, held_until)
    ).execute(db.peewee)
