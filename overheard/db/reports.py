"""What a workspace should be told about itself: queries that flood, channels that fail. Each once."""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import Case, fn

from overheard.db import mutes
from overheard.db.database import Db
from overheard.db.deliveries import new_delivery_id
from overheard.db.models import (
    HELD,
    MENTION,
    PENDING,
    REPORT,
    Channel,
    Delivery,
    Mention,
    Query,
    StoredItem,
    Workspace,
)
from overheard.notices import PlaceCount, WorkspaceReport
from overheard.sources.registry import public_place

_IDS = msgspec.json.Decoder(tuple[int, ...])
_NAMES = msgspec.json.Decoder(frozenset[str])


class UnreportedChannel(msgspec.Struct, frozen=True):
    """A channel that has failed for long, or is disabled, and of which its workspace was not told.

    ``since``: when it was disabled, or since when every try has failed.
    """

    id: int
    workspace_id: int
    workspace: str
    timezone: str
    name: str
    disabled: bool
    since: float
    reason: str


class FloodingQuery(msgspec.Struct, frozen=True):
    """A query that finds too much, and of which its workspace was not told lately. ``hits``: since the time asked."""

    id: int
    workspace_id: int
    name: str
    text: str
    hits: int


class FloodFigures(msgspec.Struct, frozen=True):
    """Where a query finds its mentions, the largest first; ``recent``: how many of all are recent ones."""

    by_place: tuple[PlaceCount, ...]
    recent: int


FAILS_SINCE = fn.coalesce(Channel.disabled_at, Channel.failing_since)
IS_UNREPORTED = Channel.reported_at.is_null() | (Channel.reported_at < FAILS_SINCE)


def unreported_channels(db: Db, failing_before: float, limit: int) -> list[UnreportedChannel]:
    """Return channels that are disabled, or have failed since before then, and are not reported in that state."""
    disabled = Channel.disabled_at.is_null(False)
    columns = (Channel.id, Workspace.id, Workspace.slug, Workspace.timezone, Channel.name)
    rows = (
        Channel.select(*columns, disabled, FAILS_SINCE, fn.coalesce(Channel.reason, ""))
        .join(Workspace, on=(Channel.workspace == Workspace.id))
        .where(~Workspace.internal, disabled | (Channel.failing_since <= failing_before), IS_UNREPORTED)
        .order_by(Channel.id)
        .limit(limit)
    )
    return [UnreportedChannel(*row) for row in rows.tuples().execute(db.peewee)]


def claim_channel(db: Db, channel: UnreportedChannel, now: float) -> bool:
    """Record that its state is reported. Of several processes one gets True; none if it is in another state now."""
    same = (Channel.id == channel.id) & (channel.since == FAILS_SINCE) & IS_UNREPORTED
    return bool(Channel.update(reported_at=now).where(same).execute(db.peewee) == 1)


def waiting(db: Db, channel_id: int) -> int:
    """Return how many mentions wait for a channel."""
    return int(
        Delivery.select()
        .where(Delivery.channel == channel_id, Delivery.state.in_([PENDING, HELD]), Delivery.kind == MENTION)
        .count(db.peewee)
    )


def receiver(db: Db, workspace_id: int, query: str | None = None) -> int | None:
    """Return the channel that gets a report: one that works, hears of the query, and is sent messages at once.

    A digest channel if there is no other; None if none works.
    """
    works = Channel.disabled_at.is_null() & Channel.failing_since.is_null()
    rows = (
        Channel.select(Channel.id, Channel.queries)
        .where(Channel.workspace == workspace_id, works)
        .order_by(Case(Channel.mode, [("digest", 1)], 0), Channel.id)
    )
    for channel_id, queries in rows.tuples().execute(db.peewee):
        heard = _NAMES.decode(queries)
        if query is None or not heard or query in heard:
            return int(channel_id)
    return None


def add(db: Db, channel_id: int, report: WorkspaceReport, now: float, *, with_digest: bool = False) -> None:
    """Store the report's delivery; the caller's transaction has claimed what it is about.

    ``with_digest``: a channel that gets only digests gets it when its next one is due.
    """
    content = msgspec.json.encode(report).decode()
    row = {"id": new_delivery_id(), "kind": REPORT, "channel": channel_id, "state": PENDING, "content": content}
    due_at = (_next_digest_at(db, channel_id) if with_digest else None) or now
    Delivery.insert(**row, due_at=due_at, created_at=now).execute(db.peewee)


def _next_digest_at(db: Db, channel_id: int) -> float | None:
    """Return when the channel's next digest is due; None if it is also sent messages at once."""
    of_digests = (Channel.id == channel_id) & (Channel.mode == "digest")
    rows = Workspace.select(Workspace.next_digest_at).join(Channel, on=(Channel.workspace == Workspace.id))
    due_at: float | None = rows.where(of_digests).scalar(db.peewee)
    return due_at


def flooding(db: Db, *, since: float, least: int, reported_before: float, now: float) -> list[FloodingQuery]:
    """Return the queries with more than ``least`` mentions since then that were not reported after a time.

    Not those that are muted as a whole. Only workspaces with as many mentions are looked at more closely.
    """
    recent = (Mention.stored_at > since) & ~Mention.backfilled
    busy = (
        Mention.select(Mention.workspace)
        .join(Workspace, on=(Mention.workspace == Workspace.id))
        .where(recent, Workspace.active, ~Workspace.internal)
        .group_by(Mention.workspace)
        .having(fn.count(Mention.id) > least)
        .order_by(Mention.workspace)
    )
    found = []
    for (workspace_id,) in list(busy.tuples().execute(db.peewee)):
        hits: dict[int, int] = {}
        counts = Mention.select(Mention.query_ids, fn.count(Mention.id)).where(
            Mention.workspace == workspace_id, recent
        )
        for query_ids, count in counts.group_by(Mention.query_ids).tuples().execute(db.peewee):
            for query in _IDS.decode(query_ids):
                hits[query] = hits.get(query, 0) + count
        many = [query for query, count in hits.items() if count > least]
        muted = {rule.query for rule in mutes.active(db, [workspace_id], now) if rule.mutes_whole_query}
        rows = (
            Query.select(Query.id, Query.name, Query.text)
            .where(Query.id.in_(many), Query.removed_at.is_null(), _reported_before(reported_before))
            .order_by(Query.id)
        )
        for query, name, text in rows.tuples().execute(db.peewee):
            if query not in muted:
                found.append(FloodingQuery(query, workspace_id, name, text, hits[query]))
    return found


def claim_query(db: Db, query_id: int, *, reported_before: float, now: float) -> bool:
    """Record that the query's flood is reported. Of several processes one gets True."""
    unreported = (Query.id == query_id) & Query.removed_at.is_null() & _reported_before(reported_before)
    return bool(Query.update(flood_reported_at=now).where(unreported).execute(db.peewee) == 1)


def _reported_before(moment: float) -> Any:
    return Query.flood_reported_at.is_null() | (Query.flood_reported_at <= moment)


def figures(db: Db, query: FloodingQuery, *, since: float, recent: float) -> FloodFigures:
    """Return where the query has found its mentions since a time, and how many of them after ``recent``."""
    rows = (
        Mention.select(
            Mention.query_ids,
            StoredItem.source,
            StoredItem.place,
            fn.count(Mention.id),
            fn.sum(Case(None, [(Mention.stored_at > recent, 1)], 0)),
        )
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(Mention.workspace == query.workspace_id, Mention.stored_at > since, ~Mention.backfilled)
        .group_by(Mention.query_ids, StoredItem.source, StoredItem.place)
    )
    places: dict[tuple[str, str], int] = {}
    number = 0
    for query_ids, source, place, count, new in rows.tuples().execute(db.peewee):
        if query.id in _IDS.decode(query_ids):
            key = (source, public_place(source, place))
            places[key] = places.get(key, 0) + count
            number += new
    by_place = sorted((PlaceCount(*place, count) for place, count in places.items()), key=lambda each: -each.count)
    return FloodFigures(tuple(by_place), int(number))
