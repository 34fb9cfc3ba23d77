"""Deliveries: the outbox between store and the channels. Claim by lease, send, mark (I4)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from peewee import Value, fn

from overheard.db import digest_contents, folding, mutes, notice_contents, same_links
from overheard.db.channel_locks import lock_channels, lock_channels_of
from overheard.db.claim_candidates import candidates, chosen
from overheard.db.compiled import among, compiled, inserted
from overheard.db.database import Db
from overheard.db.delivery_conditions import due, latest_lease
from overheard.db.folding import FoldedClaim
from overheard.db.models import (
    FAILED,
    MENTION,
    PENDING,
    REPORT,
    SENT,
    SUMMARY,
    Channel,
    Delivery,
    FailedTry,
    Query,
    Workspace,
)
from overheard.db.notice_contents import DeliveryContents
from overheard.db.storable_text import storable
from overheard.routing import MuteRule, NewMention, Route, route

_NAMES = msgspec.json.Decoder(tuple[str, ...])
CLAIMED = (
    Delivery.id,
    Delivery.kind,
    Delivery.mention,
    Delivery.period_end,
    Delivery.attempts,
    Delivery.created_at,
)


class ClaimedDelivery(msgspec.Struct, frozen=True):
    """A delivery that this process has claimed. ``mention`` is set if it is of one, ``period_end`` of a digest.

    ``failing``: its channel was failing when it was claimed.
    """

    id: str
    kind: str
    mention: int | None
    period_end: float | None
    attempts: int
    created_at: float
    failing: bool = True


class ChannelClaim(msgspec.Struct, frozen=True):
    """What a claim got. ``wake_at``: the channel has to be notified then, as nothing may be sent to it before."""

    deliveries: Sequence[ClaimedDelivery] = ()
    wake_at: float | None = None


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
    if rows:
        _add(db, rows=rows)
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
        .where(among(Channel.workspace, workspaces))
        .order_by(Channel.id)
    )
    return db.locked_for_reference(channels)


@compiled
def _add(db: Db, rows: Any) -> Any:
    return inserted(Delivery, rows).on_conflict_ignore()


def claim(db: Db, channel_id: int, *, now: float, limit: int, lease: float) -> ChannelClaim:
    """Claim up to ``limit`` deliveries of the channel that are due. Of two concurrent claims one gets them.

    1. What is too much for single messages is folded first, or waits (``db/folding.py``).
    2. The least tried come first, oldest first: deliveries that the receiver keeps refusing do not hold up others.
    3. The last one is the most tried: those, too, get their tries, and are eventually given up.
    4. While one claim holds a channel, no other gets anything: a receiver that hangs must not occupy more than one
       thread (I6). After its deliveries are done, the holder calls ``more_due``.
    5. Before its ``not_before`` a channel gives nothing; while it fails, a claim has one delivery, the probe.
    """
    while True:
        with db.transaction():
            pace = folding.lock(db, channel_id, now)
            if pace is None:
                return ChannelClaim()
            most = 1 if pace.failures else limit
            allowed = folding.fold(db, channel_id, pace, now=now, limit=most, summary_id=new_delivery_id())
            rows = _claim(db, channel_id, allowed, links=pace.folds, now=now, until=now + lease)
            claimed = _in_send_order(
                msgspec.structs.replace(ClaimedDelivery(*row), failing=bool(pace.failing)) for row in rows
            )
            waits = not claimed and allowed.wake_at is not None and more_due(db, channel_id, now)
            wake_at = allowed.wake_at or now
            wakes = waits and folding.wake(db, channel_id, pace, wake_at, now)
        # What was stored while this claim had the lock and found nothing: its own claim has skipped the locked row
        # and returned. So look again; what waits for its time does so unless another query was heard of.
        if claimed or is_claimed(db, channel_id, now) or not more_due(db, channel_id, now):
            return ChannelClaim(claimed)
        if waits and (not allowed.heard_of or folding.queries_waiting(db, channel_id, now) <= allowed.heard_of):
            return ChannelClaim(claimed, wake_at if wakes else None)


def _claim(
    db: Db, channel_id: int, allowed: FoldedClaim, *, links: bool, now: float, until: float
) -> list[tuple[Any, ...]]:
    """Claim what is allowed in one statement, which sees what was committed before the lock.

    Nothing while another claim holds. With ``links``, one of the mentions that link to the same address is claimed, and
    the others are bundled into it.
    """
    if not allowed.limit:
        return []
    limit, singles = allowed.limit, allowed.singles
    found = candidates(db, channel_id, now=now, limit=limit, singles=singles, queries=allowed.queries)
    repeated: frozenset[str] = frozenset()
    if links:
        found, repeated = same_links.untold(db, channel_id, found, now)
    picked = {each.id: each for each in chosen(found, limit, allowed.summary)}
    rows = _take(db, ids=sorted(picked), channel=channel_id, now=now, until=until) if picked else []
    for delivery_id, *_ in rows:
        link = picked[delivery_id].untried_link
        if link in repeated:
            same_links.bundle(db, channel_id, link, delivery_id, now)
    return rows


@compiled
def _take(db: Db, ids: Any, channel: Any, now: Any, until: Any) -> Any:
    unclaimed = fn.coalesce(latest_lease(channel), 0.0) < now
    return (
        Delivery.update(lease_until=until, attempts=Delivery.attempts + 1)
        .where(among(Delivery.id, ids), due(channel, now), unclaimed)
        .returning(*CLAIMED)
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
    with db.transaction():
        lock_channels(db, Channel.id == channel_id)
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
    held = _still_claimed(delivery_ids, held_until)
    with db.transaction():
        lock_channels_of(db, held)
        return bool(Delivery.update(lease_until=until).where(held).execute(db.peewee))


def _still_claimed(delivery_ids: Sequence[str], held_until: float) -> Any:
    """Return the condition of being one of these deliveries and still under the claim that ends at ``held_until``."""
    return Delivery.id.in_(list(delivery_ids)) & (Delivery.state == PENDING) & (Delivery.lease_until == held_until)


def more_due(db: Db, channel_id: int, now: float) -> bool:
    """Return True if the channel has a delivery that is due and not claimed."""
    return bool(Delivery.select(Delivery.id).where(due(channel_id, now)).exists(db.peewee))


def is_claimed(db: Db, channel_id: int, now: float) -> bool:
    return bool((latest_lease(channel_id).scalar(db.peewee) or 0.0) >= now)


def contents(db: Db, claimed: ClaimedDelivery) -> DeliveryContents | None:
    """Return what a claimed delivery contains now; None if it has been erased.

    Call it right before sending: a batch takes minutes, and items are erased meanwhile.
    """
    if claimed.kind == MENTION:
        return notice_contents.mention(db, claimed.id, claimed.mention)
    if claimed.kind == SUMMARY:
        return notice_contents.summary(db, claimed.id)
    if claimed.kind == REPORT:
        return notice_contents.report(db, claimed.id)
    return digest_contents.digest(db, claimed.id)


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


def record_try(db: Db, delivery_id: str, reason: str, now: float) -> None:
    """Record a failed try, unless the delivery was erased meanwhile."""
    own = Delivery.select(Delivery.id, Value(now), Value(storable(reason))).where(Delivery.id == delivery_id)
    columns = [FailedTry.delivery, FailedTry.at, FailedTry.error]
    FailedTry.insert_from(db.locked_for_reference(own), columns).execute(db.peewee)


def postpone(db: Db, delivery_id: str, held_until: float, until: float, reason: str) -> None:
    """Postpone a delivery whose try failed until ``until``, unless its claim ran out: then the new claim counts."""
    Delivery.update(due_at=until, lease_until=0, error=storable(reason)).where(
        _still_claimed([delivery_id], held_until)
    ).execute(db.peewee)


def release(db: Db, delivery_ids: Sequence[str], held_until: float, until: float) -> None:
    """Give back what was claimed until ``held_until`` and not tried; it is due again at ``until``."""
    held = _still_claimed(delivery_ids, held_until)
    with db.transaction():
        lock_channels_of(db, held)
        released = (
            Delivery.update(due_at=until, lease_until=0, attempts=Delivery.attempts - 1)
            .where(held)
            .returning(Delivery.id, Delivery.link, Delivery.attempts)
            .tuples()
            .execute(db.peewee)
        )
        untried = [delivery_id for delivery_id, link, attempts in released if link is not None and not attempts]
        if untried:
            same_links.unbundle(db, untried)
