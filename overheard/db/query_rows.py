"""Stored queries with what they have found lately, and who watches what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import msgspec
from peewee import fn

from overheard.db import visibility
from overheard.db.database import Db
from overheard.db.models import Feed, Mention, Query, StoredItem, Watch, Workspace
from overheard.db.queries import scope_of
from overheard.db.sample import item_columns, item_of
from overheard.db.storable_text import storable
from overheard.items import Item, WatchKey
from overheard.matching.language.query_scope import QueryScope

WORKSPACES_PER_STATEMENT = 400
MENTIONS_PER_STATEMENT = 200
_IDS = msgspec.json.Decoder(tuple[int, ...])


class StoredQuery(NamedTuple):
    """A query of a workspace, as it is stored."""

    id: int
    workspace_id: int
    workspace: str
    name: str
    text: str
    scope: QueryScope


class QueryHits(NamedTuple):
    """Queries of one workspace that have matched the same items, and how many."""

    query_ids: tuple[int, ...]
    hits: int


def stored_queries(db: Db, *, workspace_id: int | None = None, after_revision: int = 0) -> Iterator[StoredQuery]:
    """Yield the queries of active workspaces, or of one, that changed after a revision, in order of their names."""
    rows = (
        Query.select(Query.id, Workspace.id, Workspace.slug, Query.name, Query.text, Query.scope)
        .join(Workspace, on=(Query.workspace == Workspace.id))
        .where(Query.removed_at.is_null(), ~Workspace.internal, Query.revision > after_revision)
        .order_by(Workspace.slug, Query.id)
    )
    rows = rows.where(Workspace.active) if workspace_id is None else rows.where(Workspace.id == workspace_id)
    for query_id, owner, slug, name, text, scope in rows.tuples().execute(db.peewee):
        yield StoredQuery(query_id, owner, slug, name, text, scope_of(scope))


def watchers(db: Db, workspace_ids: Collection[int]) -> dict[WatchKey, set[int]]:
    """Return which of these workspaces watch which places."""
    found: dict[WatchKey, set[int]] = defaultdict(set)
    ordered = sorted(workspace_ids)
    for start in range(0, len(ordered), WORKSPACES_PER_STATEMENT):
        watches = (
            Watch.select(Watch.workspace, Feed.source, Watch.kinds, Feed.place)
            .join(Feed, on=(Watch.feed == Feed.id))
            .where(Watch.workspace.in_(ordered[start : start + WORKSPACES_PER_STATEMENT]))
        )
        for workspace_id, source, kinds, place in watches.tuples().execute(db.peewee):
            for kind in kinds.split():
                found[source, kind, place].add(workspace_id)
    return found


def watching_since(db: Db) -> dict[int, float]:
    """Return since when each workspace has watched something."""
    rows = Watch.select(Watch.workspace, fn.MIN(Watch.created_at)).group_by(Watch.workspace)
    return dict(rows.tuples().execute(db.peewee))


def hits_since(db: Db, since: float, workspace_id: int | None = None) -> Iterator[QueryHits]:
    """Yield how many mentions were stored since a time, by the queries that they have in common."""
    rows = Mention.select(Mention.query_ids, fn.COUNT(Mention.id)).where(_recent(since))
    rows = rows.where(Mention.workspace == workspace_id) if workspace_id is not None else rows
    for query_ids, hits in rows.group_by(Mention.query_ids).tuples().execute(db.peewee):
        yield QueryHits(_IDS.decode(query_ids), hits)


def newest_hits(db: Db, workspace_id: int, since: float) -> Iterator[tuple[tuple[int, ...], Item]]:
    """Yield (queries, item) of a workspace's mentions that were stored since a time, newest first, in batches."""
    rows: Any = (
        Mention.select(Mention.id, Mention.query_ids, *item_columns())
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(Mention.workspace == workspace_id, _recent(since))
        .order_by(Mention.id.desc())
        .limit(MENTIONS_PER_STATEMENT)
    )
    batch = list(rows.tuples().execute(db.peewee))
    while batch:
        yield from ((_IDS.decode(query_ids), item_of(values)) for _, query_ids, *values in batch)
        batch = list(rows.where(Mention.id < batch[-1][0]).tuples().execute(db.peewee))


def _recent(since: float) -> Any:
    return (Mention.stored_at >= since) & ~Mention.backfilled


def names(db: Db, workspace: str) -> list[str]:
    """Return the names of the workspace's queries."""
    rows = Query.select(Query.name).join(Workspace, on=(Query.workspace == Workspace.id))
    rows = rows.where(Workspace.slug == workspace, Query.removed_at.is_null()).order_by(Query.name)
    return [name for (name,) in rows.tuples().execute(db.peewee)]


def has_name(db: Db, workspace: str | None, name: str) -> bool:
    """Return True if the workspace, or any if it is None, has or had a query of this name."""
    rows = Query.select(Query.id).join(Workspace, on=(Query.workspace == Workspace.id))
    of_workspace = visibility.workspace_condition(workspace)
    return bool(rows.where(of_workspace, Query.name == storable(name)).exists(db.peewee))
