"""What a digest contains, read when it is sent: the true numbers of its period, and the mentions that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db import mentions, period_totals
from overheard.db.database import Db
from overheard.db.models import BUNDLED, MUTED, PENDING, SENT, Channel, Delivery, Mention, Query, StoredItem, Workspace
from overheard.db.notice_contents import DeliveryContents
from overheard.db.period_totals import FoundMention
from overheard.fair_order import fair_order, group_query
from overheard.notices import Notice
from overheard.schedule import as_long_before
from overheard.sources.registry import public_place

DIGEST_MAX_MENTIONS = 200  # that can be shown; the others are only counted
# Of the period before: [retention] keeps deliveries for 30 days by default, and a part of them compares with nothing.
COMPARED_MAX_SECONDS = 28 * 86400.0
_QUERY_IDS = msgspec.json.Decoder(tuple[int, ...])
_NAMES = msgspec.json.Decoder(frozenset[str])
ROW = (
    Delivery.period_start,
    Delivery.period_end,
    Delivery.created_at,
    Channel.id,
    Channel.created_at,
    Channel.queries,
    Workspace.id,
    Workspace.slug,
    Workspace.name,
    Workspace.timezone,
)
FOUND = (Mention.id, Mention.query_ids, Mention.stored_at, StoredItem.source, StoredItem.place)
NUMBER = (fn.count(Mention.id),)
COUNTED = (SENT, PENDING, BUNDLED)  # not what has failed, nor what is muted


class _DigestRow(msgspec.Struct, frozen=True):
    id: str
    start: float | None
    end: float
    created_at: float
    channel: int
    channel_created_at: float
    queries: str
    workspace: int
    slug: str
    name: str
    timezone: str


def digest(db: Db, delivery_id: str) -> DeliveryContents | None:
    """Return a digest's contents; None if it is gone.

    1. Count all of its mentions that are not erased, and those of its period that were messages of their own.
    2. Show the newest of each query in turn: one that finds much does not hide the others.
    """
    row = _row(db, delivery_id)
    if row is None:
        return None
    names, heard = _query_names(db, row.workspace), _NAMES.decode(row.queries)
    members = _found(db, _members(row.id), names, heard)
    start = row.start if row.start is not None else min((each.at for each in members), default=row.end)
    at_once = _found(db, _others(row, FOUND, start, row.end), names, heard) if members else []
    totals = period_totals.count(members, at_once, timezone=row.timezone, start=start, end=row.end)
    totals = msgspec.structs.replace(totals, muted=_muted(db, row, start), before=_before(db, row, start))
    order = fair_order(members, lambda found: group_query(found.queries, totals.by_query))
    chosen = [found.id for found in order[:DIGEST_MAX_MENTIONS]]
    oldest_first = mentions.rows().where(Mention.id.in_(chosen)).order_by(Mention.id).tuples().execute(db.peewee)
    shown = list(oldest_first)
    notice = Notice(
        id=row.id,
        type="digest",
        workspace=row.slug,
        mentions=tuple(mentions.to_public(db, shown)),
        omitted=len(members) - len(shown),
        totals=totals,
        name=row.name,
        timezone=row.timezone,
    )
    return DeliveryContents(notice, tuple(each[mentions.CREATED_AT] for each in shown))


def _row(db: Db, delivery_id: str) -> _DigestRow | None:
    query = (
        Delivery.select(*ROW)
        .join(Channel, on=(Delivery.channel == Channel.id))
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(Delivery.id == delivery_id)
    )
    rows = list(query.tuples().execute(db.peewee))
    return _DigestRow(delivery_id, *rows[0]) if rows else None


def _query_names(db: Db, workspace: int) -> dict[int, str]:
    rows = Query.select(Query.id, Query.name).where(Query.workspace == workspace)
    return dict(rows.tuples().execute(db.peewee))


def _found(db: Db, query: Any, names: Mapping[int, str], heard: frozenset[str]) -> list[FoundMention]:
    """Return the rows of a query of FOUND, newest first. ``heard``: what the channel hears of; empty: all."""
    places: dict[tuple[str, str], tuple[str, str]] = {}
    named: dict[str, tuple[str, ...]] = {}  # by the column's text: few texts are repeated very often
    found = []
    for key, query_ids, at, *place in query.order_by(Mention.id.desc()).tuples().execute(db.peewee):
        if query_ids not in named:
            named[query_ids] = _names_of(query_ids, names, heard)
        source, stored_place = place
        if (source, stored_place) not in places:
            places[source, stored_place] = (source, public_place(source, stored_place))
        found.append(FoundMention(key, named[query_ids], places[source, stored_place], at))
    return found


def _names_of(query_ids: str, names: Mapping[int, str], heard: frozenset[str]) -> tuple[str, ...]:
    found = [names[query] for query in _QUERY_IDS.decode(query_ids) if query in names]
    # What it hears of may have been changed since.
    return tuple(name for name in found if name in heard) or tuple(found)


def _members(delivery_id: str) -> Any:
    return (
        Mention.select(*FOUND)
        .join(Delivery, on=(Delivery.mention == Mention.id))
        .switch(Mention)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(Delivery.bundle == delivery_id)
    )


def _others(
    row: _DigestRow, columns: Sequence[Any], after: float, until: float, states: Sequence[str] = COUNTED
) -> Any:
    """Return the query of the channel's mentions of a period that are not in this digest.

    By the index of mentions on workspace and time: deliveries have none that would fit.
    """
    return (
        Mention.select(*columns)
        .join(Delivery, on=((Delivery.mention == Mention.id) & (Delivery.channel == row.channel)))
        .switch(Mention)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(
            Mention.workspace == row.workspace,
            Mention.stored_at > after,
            Mention.stored_at <= until,
            Delivery.state.in_(list(states)),
            Delivery.bundle.is_null() | (Delivery.bundle != row.id),
        )
    )


def _muted(db: Db, row: _DigestRow, start: float) -> int:
    return int(_others(row, NUMBER, start, row.end, [MUTED]).scalar(db.peewee))


def _before(db: Db, row: _DigestRow, start: float) -> int | None:
    """Return how many there were in the period before; None if the channel, or what is kept, is younger."""
    if row.start is None:
        return None
    before = as_long_before(start, row.end, row.timezone)
    if before < row.channel_created_at or row.created_at - before > COMPARED_MAX_SECONDS:
        return None
    return int(_others(row, NUMBER, before, start).scalar(db.peewee))
