"""What is in the notice of a mention, a summary or a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from peewee import JOIN, fn

from overheard.db import mentions
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, Mention, StoredItem, Workspace
from overheard.notices import Notice, PlaceCount, Totals, WorkspaceReport
from overheard.sources.registry import public_place

LINKED_MAX_MENTIONS = 20  # that link to the same address as a single mention; the others are only counted
# Of a summary. Media show as many of them as they have room for, the last ones first. Chosen, not measured.
SUMMARY_MAX_MENTIONS = 25
_QUERY_IDS = msgspec.json.Decoder(tuple[int, ...])
_REPORT = msgspec.json.Decoder(WorkspaceReport)


class DeliveryContents(msgspec.Struct, frozen=True):
    """What a delivery contains. ``born`` are the items' creation times, for the metrics."""

    notice: Notice
    born: tuple[float, ...] = ()

    @property
    def empty(self) -> bool:
        """Return True if all that it was about has been erased."""
        return not self.notice.mentions and self.notice.report is None


class DeliveryWorkspace(msgspec.Struct, frozen=True):
    """The workspace that a delivery is for, and the content of a report."""

    slug: str
    name: str
    timezone: str
    content: str | None = None


def mention(db: Db, delivery_id: str, mention_id: int | None) -> DeliveryContents | None:
    """Return a mention's, with others that were bundled into it because they link to the same address."""
    rows = _rows(Workspace.name, Workspace.timezone)
    rows = rows.where((Delivery.id == delivery_id) | (Delivery.bundle == delivery_id)).order_by(Mention.id.desc())
    found = list(rows.limit(LINKED_MAX_MENTIONS + 1).tuples().execute(db.peewee))
    own = [row for row in found if row[0] == mention_id]
    if not own and len(found) > LINKED_MAX_MENTIONS:  # it is older than all of them
        own = list(rows.where(Delivery.id == delivery_id).tuples().execute(db.peewee))
    if not own:
        return None
    others = [row for row in found if row[0] != mention_id]
    omitted = 0
    if len(others) > LINKED_MAX_MENTIONS - 1:
        others = others[: LINKED_MAX_MENTIONS - 1]
        omitted = Delivery.select().where(Delivery.bundle == delivery_id).count(db.peewee) - len(others)
    name, timezone = own[0][len(mentions.COLUMNS) :]
    workspace = DeliveryWorkspace(own[0][mentions.SLUG], name, timezone)
    return _contents(db, delivery_id, workspace, [*own, *others], omitted=omitted)


def summary(db: Db, delivery_id: str) -> DeliveryContents | None:
    """Return a summary's: the totals of all its mentions, and some of them, chosen fairly.

    Each query's newest comes first, then each query's second: the order in which media show them, from the end of
    ``mentions``. If only one mention is left of it, it is a single message.
    """
    workspace = workspace_of(db, delivery_id)
    if workspace is None:
        return None
    newest = {"partition_by": [Delivery.query], "order_by": [Delivery.mention.desc()]}
    ranked = (
        Delivery.select(Delivery.mention.alias("mention"), fn.ROW_NUMBER().over(**newest).alias("rank"))
        .where(Delivery.bundle == delivery_id)
        .alias("ranked")
    )
    rows = mentions.rows().join(ranked, on=(ranked.c.mention == Mention.id))
    rows = rows.order_by(ranked.c.rank, Mention.id.desc()).limit(SUMMARY_MAX_MENTIONS)
    shown = list(rows.tuples().execute(db.peewee))[::-1]
    counted = totals(db, delivery_id)
    if counted.total < 2:
        return _contents(db, delivery_id, workspace, shown)
    return _contents(db, delivery_id, workspace, shown, counted=counted, omitted=counted.total - len(shown))


def report(db: Db, delivery_id: str) -> DeliveryContents | None:
    """Return a report's."""
    workspace = workspace_of(db, delivery_id)
    if workspace is None or workspace.content is None:
        return None
    told = _REPORT.decode(workspace.content)
    return DeliveryContents(
        Notice(
            id=delivery_id,
            type="workspace.report",
            workspace=workspace.slug,
            mentions=(),
            report=told,
            name=workspace.name,
            timezone=workspace.timezone,
        )
    )


def totals(db: Db, delivery_id: str) -> Totals:
    """Return the numbers of all that is bundled into a delivery."""
    groups: Any = (
        Delivery.select(
            Mention.query_ids,
            StoredItem.source,
            StoredItem.place,
            fn.COUNT(Delivery.id),
            fn.MIN(Mention.stored_at),
            fn.MAX(Mention.stored_at),
        )
        .join(Mention, on=(Delivery.mention == Mention.id))
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(Delivery.bundle == delivery_id)
        .group_by(Mention.query_ids, StoredItem.source, StoredItem.place)
    )
    rows = list(groups.tuples().execute(db.peewee))
    by_query: Counter[int] = Counter()
    by_place: Counter[tuple[str, str]] = Counter()
    for query_ids, source, place, count, _, _ in rows:
        by_place[source, public_place(source, place)] += count
        by_query.update(dict.fromkeys(_QUERY_IDS.decode(query_ids), count))
    names = mentions.query_names(db, by_query)
    return Totals(
        total=sum(by_place.values()),
        by_query={names[query]: count for query, count in by_query.most_common() if query in names},
        by_place=tuple(PlaceCount(*place, count) for place, count in by_place.most_common()),
        since=mentions.rfc3339(min(row[4] for row in rows)) if rows else None,
        until=mentions.rfc3339(max(row[5] for row in rows)) if rows else None,
    )


def workspace_of(db: Db, delivery_id: str) -> DeliveryWorkspace | None:
    """Return the workspace of a delivery; None if it was erased."""
    query = (
        Workspace.select(Workspace.slug, Workspace.name, Workspace.timezone, Delivery.content)
        .join(Channel, on=(Channel.workspace == Workspace.id))
        .join(Delivery, on=(Delivery.channel == Channel.id))
        .where(Delivery.id == delivery_id)
    )
    rows = list(query.tuples().execute(db.peewee))
    return DeliveryWorkspace(*rows[0]) if rows else None


def _rows(*columns: Any) -> Any:
    """Return the query of mentions by their deliveries."""
    return mentions.rows().select_extend(*columns).join(Delivery, JOIN.INNER, on=(Delivery.mention == Mention.id))


def _contents(
    db: Db,
    delivery_id: str,
    workspace: DeliveryWorkspace,
    rows: Sequence[Sequence[Any]],
    *,
    counted: Totals | None = None,
    omitted: int = 0,
) -> DeliveryContents:
    notice = Notice(
        id=delivery_id,
        type="mention.created" if counted is None else "mentions.summary",
        workspace=workspace.slug,
        mentions=tuple(mentions.to_public(db, [row[: len(mentions.COLUMNS)] for row in rows])),
        omitted=omitted,
        totals=counted,
        name=workspace.name,
        timezone=workspace.timezone,
    )
    return DeliveryContents(notice, tuple(row[mentions.CREATED_AT] for row in rows))
