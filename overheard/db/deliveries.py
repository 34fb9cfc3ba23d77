"""Deliveries: the outbox between store and the channels. Claim by lease, send, mark (I4)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db import digest_contents, mentions, mutes
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import FAILED, PENDING, SENT, Channel, Delivery, Mention, Query, Workspace
from overheard.db.storable_text import storable
from overheard.notices import Notice, NoticeType, PublicMention
from overheard.routing import MuteRule, NewMention, Route, route

INSERT_ROWS = 400  # for each INSERT: well under every database's limit of parameters
DIGEST_MAX_MENTIONS = 200  # the newest; the others are only counted
_NAMES = msgspec.json.Decoder(tuple[str, ...])
CLAIMED = (Delivery.id, Delivery.mention, Delivery.period_end, Delivery.attempts, Delivery.created_at)


class ClaimedDelivery(msgspec.Struct, frozen=True):
    """A delivery that this process has claimed: of a mention, or of a digest (whose period ended at ``period_end``).

    ``failing``: its channel was failing when it was claimed.
    """

    id: str
    mention: int | None
    period_end: float | None
    attempts: int
    created_at: float
    failing: bool = True


class DeliveryContents(msgspec.Struct, frozen=True):
    """What a delivery contains. ``born`` are the items' creation times, for the metrics."""

    notice: Notice
    born: tuple[float, ...]


def new_delivery_id() -> str:
    """Return a new delivery's id, which receivers see."""
    return f"msg_{uuid.uuid4().hex}"


def add(db: Db, mentions: Sequence[NewMention], now: float, operator_mutes: Sequence[MuteRule] = ()) -> dict[int, str]:
    """Insert the deliveries of these mentions; return the channels to notify now, each with its workspace's slug.

    Runs inside store's transaction. ``operator_mutes`` are for all workspaces.
    """
    workspaces = sorted({mention.workspace_id for mention in mentions if not mention.backfilled})
    if not workspaces:
        return {}
    rules = [*operator_mutes, *mutes.active(db, workspaces, now)]
    routing = route(mentions, _channel_routes(db, workspaces), now, rules)
    rows = [
        {
            "id": new_delivery_id(),
            "channel": delivery.channel_id,
            "mention": delivery.mention_id,
            "state": delivery.state,
            "due_at": delivery.due_at,
            "created_at": now,
            "held_by": delivery.held_by,
            "query": delivery.query,
            "link": delivery.link,
        }
        for delivery in routing.deliveries
    ]
    for start in range(0, len(rows), INSERT_ROWS):
        _add(db, rows=rows[start : start + INSERT_ROWS])
    return routing.prompts


def _channel_routes(db: Db, workspaces: Sequence[int]) -> list[Route]:
    rows = [(*row, _NAMES.decode(names)) for *row, names in _routes(db, workspaces=workspaces)]
    named = sorted({name for *_, names in rows for name in names})
    ids = {(workspace, name): query for workspace, name, query in _query_ids(db, workspaces, named)} if named else {}
    return [
        Route(
            channel_id=channel,
            workspace_id=workspace,
            workspace=slug,
            mode=mode,
            disabled=bool(disabled),
            not_before=not_before,
            queries=frozenset(ids[workspace, name] for name in names if (workspace, name) in ids) if names else None,
        )
        for channel, workspace, slug, mode, disabled, not_before, names in rows
    ]


def _query_ids(db: Db, workspaces: Sequence[int], names: Sequence[str]) -> list[tuple[int, str, int]]:
    rows = Query.select(Query.workspace, Query.name, Query.id).where(
        Query.workspace.in_(workspaces), Query.name.in_(names)
    )
    return list(rows.tuples().execute(db.peewee))


@compiled
def _routes(db: Db, workspaces: Any) -> Any:
    columns = (Channel.id, Channel.workspace, Workspace.slug, Channel.mode, Channel.disabled_at.is_null(False))
    channels = (
        Channel.select(*columns, Channel.not_before, Channel.queries)
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(Channel.workspace.in_(workspaces))
        .order_by(Channel.id)
    )
    return db.locked_for_reference(channels)


@compiled
def _add(db: Db, rows: Any) -> Any:
    return Delivery.insert_many(rows).on_conflict_ignore()


def claim(db: Db, channel_id: int, *, now: float, limit: int, lease: float) -> list[ClaimedDelivery]:
    """Claim up to ``limit`` deliveries of the channel that are due. Of two concurrent claims one gets them.

    1. The least tried come first, oldest first: deliveries that the receiver keeps refusing do not hold up others.
    2. The last one is the most tried: those, too, get their tries, and are eventually given up.
    3. While one claim holds a channel, no other gets anything: a receiver that hangs must not occupy more than one
       thread (I6). After its deliveries are done, the holder calls ``more_due``.
    4. Before its ``not_before`` a channel gives nothing; while it fails, a claim has one delivery, the probe.
    """
    while True:
        with db.transaction():
            # Store only refers to the row, so it does not wait for this lock. Nor does a second claim: the process that
            # has the lock may be dead, and keeps it until the database notices.
            ready = (Channel.id == channel_id) & (Channel.not_before <= now)
            channel: Any = Channel.select(Channel.failures, Channel.failing_since).where(ready)
            if not db.sqlite:
                channel = channel.for_update("FOR NO KEY UPDATE SKIP LOCKED")
            locked = list(channel.tuples().execute(db.peewee))
            if not locked:
                return []
            ((failures, failing_since),) = locked
            rows = _claim(db, channel_id, now=now, limit=1 if failures else limit, lease=lease)
            failing = failing_since is not None
            claimed = _in_send_order(msgspec.structs.replace(ClaimedDelivery(*row), failing=failing) for row in rows)
        # What was stored while this claim had the lock and found nothing: its own claim has skipped the locked row
        # and returned. So look again.
        if claimed or is_claimed(db, channel_id, now) or not more_due(db, channel_id, now):
            return claimed


def _claim(db: Db, channel_id: int, *, now: float, limit: int, lease: float) -> list[tuple[Any, ...]]:
    """Claim in one statement, which sees what was committed before the lock; nothing while another claim holds."""
    oldest = (Delivery.due_at, Delivery.created_at, Delivery.mention)
    first = _due(channel_id, now).order_by(Delivery.attempts, *oldest).limit(max(limit - 1, 1))
    chosen = Delivery.id.in_(first)
    if limit > 1:  # the most tried gets one place of the claim, so that it is not starved by new ones
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


def postpone_channel(db: Db, channel_id: int, *, now: float, until: float) -> bool:
    """Postpone the channel until ``until``, as none of its deliveries can be tried now.

    Return False if nothing is due there, or another claim holds it.
    """
    if not more_due(db, channel_id, now) or is_claimed(db, channel_id, now):
        return False
    ready = (Channel.id == channel_id) & (Channel.not_before <= now)
    return bool(Channel.update(not_before=until).where(ready).execute(db.peewee))


def _in_send_order(claimed: Iterable[ClaimedDelivery]) -> list[ClaimedDelivery]:
    return sorted(claimed, key=lambda delivery: (delivery.attempts, delivery.created_at, delivery.mention or 0))


def resume(db: Db, channel_id: int, held_until: float, *, now: float, lease: float) -> list[ClaimedDelivery]:
    """Renew the claim that ends at ``held_until`` and return what it still holds; nothing if it ran out."""
    if held_until < now:
        return []  # another claim may have taken some of it, or is about to
    rows = (
        Delivery.update(lease_until=now + lease)
        .where(Delivery.channel == channel_id, Delivery.state == PENDING, Delivery.lease_until == held_until)
        .returning(*CLAIMED)
        .tuples()
        .execute(db.peewee)
    )
    return _in_send_order(ClaimedDelivery(*row) for row in rows)


def extend(db: Db, delivery_ids: Sequence[str], held_until: float, until: float) -> bool:
    """Extend the lease of claimed deliveries; return True if the claim that ends at ``held_until`` still held any."""
    return bool(Delivery.update(lease_until=until).where(_still_claimed(delivery_ids, held_until)).execute(db.peewee))


def _still_claimed(delivery_ids: Sequence[str], held_until: float) -> Any:
    """Return the condition of being one of these deliveries and still under the claim that ends at ``held_until``."""
    return Delivery.id.in_(list(delivery_ids)) & (Delivery.state == PENDING) & (Delivery.lease_until == held_until)


def more_due(db: Db, channel_id: int, now: float) -> bool:
    """Return True if the channel has a delivery that is due and not claimed."""
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
    # Not EXISTS: PostgreSQL plans to find a row soon, and reads all that waits when there is none.
    return (
        Delivery.select(Delivery.lease_until)
        .where(Delivery.channel == channel_id, Delivery.state == PENDING)
        .order_by(Delivery.lease_until.desc())
        .limit(1)
    )


def contents(db: Db, claimed: ClaimedDelivery) -> DeliveryContents | None:
    """Return what a claimed delivery contains now; None if it has been erased.

    Call it right before sending: a batch takes minutes, and items are erased meanwhile.
    """
    if claimed.period_end is not None:
        digest = digest_contents.notice_of(db, claimed.id)
        return DeliveryContents(*digest) if digest is not None else None
    bundled = Delivery.select(Delivery.mention).where(Delivery.bundle == claimed.id)
    exists = fn.EXISTS(Delivery.select(Delivery.id).where(Delivery.id == claimed.id))
    if claimed.period_end is None:
        rows = mentions.rows().where(exists, Mention.id == claimed.mention)
    else:
        rows = (
            mentions.rows()
            .where(exists, Mention.id.in_(bundled))
            .order_by(Mention.id.desc())
            .limit(DIGEST_MAX_MENTIONS)
        )
    oldest_first = list(rows.tuples().execute(db.peewee))[::-1]
    slug = oldest_first[0][mentions.SLUG] if oldest_first else _workspace_of(db, claimed.id)
    if slug is None:
        return None
    omitted = bundled.count(db.peewee) - len(oldest_first) if len(oldest_first) == DIGEST_MAX_MENTIONS else 0
    public: tuple[PublicMention, ...] = tuple(mentions.to_public(db, oldest_first))
    kind: NoticeType = "mention.created" if claimed.period_end is None else "digest"
    notice = Notice(id=claimed.id, type=kind, workspace=slug, mentions=public, omitted=omitted)
    return DeliveryContents(notice, tuple(row[mentions.CREATED_AT] for row in oldest_first))


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
    """Mark the delivery as sent, even if its claim ran out: the receiver has it."""
    Delivery.update(state=SENT, sent_at=now, lease_until=0, error=None).where(Delivery.id == delivery_id).execute(
        db.peewee
    )


def mark_failed(db: Db, delivery_id: str, held_until: float, reason: str) -> None:
    """Mark the delivery as failed permanently, unless its claim ran out and another may be trying it."""
    Delivery.update(state=FAILED, lease_until=0, error=storable(reason)).where(
        _still_claimed([delivery_id], held_until)
    ).execute(db.peewee)


def postpone(db: Db, delivery_id: str, held_until: float, until: float, reason: str) -> None:
    """Postpone a delivery whose try failed until ``until``, unless its claim ran out: then the new claim counts."""
    Delivery.update(due_at=until, lease_until=0, error=storable(reason)).where(
        _still_claimed([delivery_id], held_until)
    ).execute(db.peewee)


def release(db: Db, delivery_ids: Sequence[str], held_until: float, until: float) -> None:
    """Give back what was claimed until ``held_until`` and not tried; it is due again at ``until``."""
    Delivery.update(due_at=until, lease_until=0, attempts=Delivery.attempts - 1).where(
        _still_claimed(delivery_ids, held_until)
    ).execute(db.peewee)
