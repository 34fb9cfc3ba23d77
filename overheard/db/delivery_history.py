"""The outbox as people look at it: deliveries with filters, one in full, and what is held or muted, by reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from peewee import Case, Tuple, fn

from overheard.db import mention_filter, visibility
from overheard.db.database import Db
from overheard.db.models import (
    BUNDLED,
    DIGEST,
    FAILED,
    HELD,
    MENTION,
    MUTED,
    PENDING,
    REPORT,
    SENT,
    SUMMARY,
    Channel,
    Delivery,
    FailedTry,
    Mention,
    StoredItem,
    Workspace,
)

DELIVERY_STATES = (PENDING, HELD, SENT, FAILED, BUNDLED, MUTED)
RETRIED_STATES = (FAILED, HELD, MUTED)
PAGE_ROWS = 500
SHOWN_MEMBERS = 200  # of a summary or digest; the others are counted
SHOWN_TRIES = 100  # the newest
TYPE_OF = {MENTION: "mention.created", SUMMARY: "mentions.summary", DIGEST: "digest", REPORT: "workspace.report"}


class DeliveryFilter(msgspec.Struct, frozen=True):
    """Which deliveries; None: all. ``workspace`` is a slug, the others are names; ``since``: created from then on."""

    workspace: str | None = None
    channel: str | None = None
    state: str | None = None
    query: str | None = None
    since: float | None = None


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery for people and programs. ``mentions``: ids of what it contains.

    ``type`` is that of its notice. ``next_try_at``: of a pending one, the earliest time.
    """

    id: str
    workspace: str
    channel: str
    type: str
    state: str
    held_by: str | None
    attempts: int
    created_at: float
    next_try_at: float | None
    sent_at: float | None
    error: str | None
    mentions: tuple[str, ...] = ()


class DeliveryTry(msgspec.Struct, frozen=True):
    """A failed try."""

    at: float
    error: str


class DeliveryMember(msgspec.Struct, frozen=True):
    """A mention that a delivery contains: its id, its item's own, and where it is from."""

    mention: str
    item: str
    source: str
    place: str
    title: str


class HoldCount(msgspec.Struct, frozen=True):
    """How many deliveries are held, muted or pending for one reason."""

    state: str
    held_by: str | None
    count: int


def _later(first: Any, second: Any) -> Any:
    return Case(None, [(first > second, first)], second)


_DUE_AT = _later(Channel.not_before, Delivery.due_at)
# What was never tried may wait for the channel's pace, too.
_FIRST_TRY_AT = _later(_DUE_AT, Channel.wake_at)
_NEXT_TRY_AT = Case(
    None, [((Delivery.state == PENDING) & (Delivery.attempts > 0), _DUE_AT), (Delivery.state == PENDING, _FIRST_TRY_AT)]
)
_COLUMNS = (
    Delivery.id,
    Workspace.slug,
    Channel.name,
    Delivery.kind,
    Delivery.state,
    Delivery.held_by,
    Delivery.attempts,
    Delivery.created_at,
    _NEXT_TRY_AT,
    Delivery.sent_at,
    Delivery.error,
    Delivery.mention,
)


def listing(db: Db, which: DeliveryFilter, *, limit: int | None = None) -> Iterator[DeliveryRow]:
    """Yield deliveries, newest first, page by page."""
    newest = _rows(which).order_by(Delivery.created_at.desc(), Delivery.id.desc())
    place, left = None, limit
    while left is None or left > 0:
        page = newest if place is None else newest.where(Tuple(Delivery.created_at, Delivery.id) < place)
        size = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        rows = _with_mentions(db, list(page.limit(size).tuples().execute(db.peewee)))
        yield from rows
        if len(rows) < size:
            return
        place, left = (rows[-1].created_at, rows[-1].id), None if left is None else left - size


def get(db: Db, delivery_id: str) -> DeliveryRow | None:
    """Return a delivery; None if there is none with this id."""
    rows = _all_rows().where(Delivery.id == delivery_id)
    return next(iter(_with_mentions(db, list(rows.tuples().execute(db.peewee)))), None)


def of_mentions(db: Db, mention_ids: Collection[int]) -> Iterator[tuple[int, str | None, DeliveryRow]]:
    """Yield (mention, bundle, delivery) of the deliveries of these mentions, by channel."""
    rows = (
        _all_rows()
        .select_extend(Delivery.bundle)
        .where(Delivery.mention.in_(list(mention_ids)))
        .order_by(Channel.name, Delivery.created_at)
    )
    for *columns, bundle in rows.tuples().execute(db.peewee):
        yield columns[-1], bundle, _row(columns, (str(columns[-1]),))


def bundle_of(db: Db, delivery_id: str) -> str | None:
    """Return the id of the delivery that has taken this one in."""
    bundle: str | None = Delivery.select(Delivery.bundle).where(Delivery.id == delivery_id).scalar(db.peewee)
    return bundle


def tries(db: Db, delivery_ids: Collection[str]) -> dict[str, list[DeliveryTry]]:
    """Return the newest failed tries of each of these deliveries, oldest first."""
    found: dict[str, list[DeliveryTry]] = defaultdict(list)
    for delivery_id in delivery_ids:
        rows = (
            FailedTry.select(FailedTry.at, FailedTry.error)
            .where(FailedTry.delivery == delivery_id)
            .order_by(FailedTry.id.desc())
            .limit(SHOWN_TRIES)
        )
        found[delivery_id] = [DeliveryTry(*row) for row in rows.tuples().execute(db.peewee)][::-1]
    return found


def members(db: Db, delivery_id: str) -> list[DeliveryMember]:
    """Return the newest mentions that a delivery contains, oldest first."""
    contained = (Delivery.bundle == delivery_id) | (Delivery.id == delivery_id)
    rows = (
        Mention.select(Mention.id, StoredItem.ref, StoredItem.source, StoredItem.place, StoredItem.title)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(Mention.id.in_(Delivery.select(Delivery.mention).where(contained)))
        .order_by(Mention.id.desc())
        .limit(SHOWN_MEMBERS)
    )
    return [DeliveryMember(str(key), *row) for key, *row in rows.tuples().execute(db.peewee)][::-1]


def count_reasons(db: Db, which: DeliveryFilter) -> list[HoldCount]:
    """Return how many are held and muted, and pending though something holds them, by reason; the most first."""
    number = fn.COUNT(Delivery.id)
    kept = Delivery.state.in_([HELD, MUTED]) | ((Delivery.state == PENDING) & Delivery.held_by.is_null(False))
    rows = (
        _narrowed(_joined(Delivery.select(Delivery.state, Delivery.held_by, number)), which)
        .where(kept)
        .group_by(Delivery.state, Delivery.held_by)
        .order_by(number.desc(), Delivery.state, Delivery.held_by)
    )
    return [HoldCount(*row) for row in rows.tuples().execute(db.peewee)]


def _rows(which: DeliveryFilter) -> Any:
    return _narrowed(_all_rows(), which)


def _all_rows() -> Any:
    return _joined(Delivery.select(*_COLUMNS))


def _joined(rows: Any) -> Any:
    return rows.join(Channel, on=(Delivery.channel == Channel.id)).join(
        Workspace, on=(Channel.workspace == Workspace.id)
    )


def _narrowed(rows: Any, which: DeliveryFilter) -> Any:
    rows = rows.where(visibility.workspace_condition(which.workspace))
    if which.channel is not None:
        rows = rows.where(Channel.name == which.channel)
    if which.state is not None:
        rows = rows.where(Delivery.state == which.state)
    if which.since is not None:
        rows = rows.where(Delivery.created_at >= which.since)
    if which.query is not None:
        rows = rows.where(_about(which.query))
    return rows


def _about(query: str) -> Any:
    """Return the condition that a query of this name has found the delivery's mention, or one that it contains."""
    member = Delivery.alias()
    found = Mention.select(Mention.id).where(mention_filter.found_by(query))
    own = found.where(Mention.id == Delivery.mention)
    taken = (
        member.select(member.id)
        .join(Mention, on=(member.mention == Mention.id))
        .where(member.bundle == Delivery.id, mention_filter.found_by(query))
    )
    return fn.EXISTS(own) | fn.EXISTS(taken)


def _with_mentions(db: Db, rows: list[Any]) -> list[DeliveryRow]:
    containers = [row[0] for row in rows]
    contained: dict[str, list[str]] = defaultdict(list)
    bundled = (
        Delivery.select(Delivery.bundle, Delivery.mention)
        .where(Delivery.bundle.in_(containers))
        .order_by(Delivery.bundle, Delivery.mention)
    )
    for bundle, mention in bundled.tuples().execute(db.peewee) if containers else ():
        contained[bundle].append(str(mention))
    own = {row[0]: [str(row[-1])] if row[-1] is not None else [] for row in rows}
    return [_row(row, (*own[row[0]], *contained[row[0]])) for row in rows]


def _row(columns: Any, mentions: tuple[str, ...]) -> DeliveryRow:
    key, workspace, channel, kind, state, held_by, attempts, created_at, next_try_at, sent_at, error, _ = columns
    return DeliveryRow(
        id=key,
        workspace=workspace,
        channel=channel,
        type=TYPE_OF[kind],
        state=state,
        held_by=held_by,
        attempts=attempts,
        created_at=created_at,
        next_try_at=next_try_at,
        sent_at=sent_at,
        error=error,
        mentions=mentions,
    )


def make_due(db: Db, delivery_id: str, now: float) -> bool:
    """Make a failed, held or muted delivery of an enabled channel pending and due now, and let it be tried anew.

    One that is pending for later is due now, too, unless it is being sent. Return False if nothing changed. What was
    tried before still counts as tried once: it must not be folded into another message, nor a summary grow (I4).
    """
    enabled = Channel.select(Channel.id).where(Channel.disabled_at.is_null())
    later = (Delivery.state == PENDING) & (Delivery.due_at > now) & (Delivery.lease_until < now)
    tried = Case(None, [(Delivery.attempts > 0, 1)], 0)
    return bool(
        Delivery.update(state=PENDING, held_by=None, attempts=tried, due_at=now, lease_until=0)
        .where(
            Delivery.id == delivery_id,
            Delivery.state.in_(RETRIED_STATES) | later,
            Delivery.channel.in_(enabled),
        )
        .execute(db.peewee)
    )
