"""What the match stage loads: queries and watches that changed since the revision that it has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from peewee import EXCLUDED, Case, Tuple

from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Feed, Query, Revision, Watch, WatchChange, Workspace
from overheard.items import WatchKey
from overheard.matching.language.query_scope import QueryScope

QUERIES_PER_STATEMENT = 5000
WORKSPACES_PER_STATEMENT = 1000
UNLIMITED = QueryScope()
UNLIMITED_COLUMN = "{}"
_encode_scope = msgspec.json.Encoder().encode
_decode_scope = msgspec.json.Decoder(QueryScope).decode


def revision(db: Db) -> int:
    """Return the revision of the latest change to any query or watch. Revisions become visible in their own order."""
    rows = _revision(db)
    return int(rows[0][0]) if rows else 0


@compiled
def _revision(db: Db) -> Any:
    return Revision.select(Revision.value).where(Revision.name == "interests")


def next_revision(db: Db) -> int:
    """Take the revision for what this transaction changes; others that need one wait until it ends."""
    ((value,),) = _take_revision(db)
    return int(value)


@compiled
def _take_revision(db: Db) -> Any:
    first = Revision.insert(name="interests", value=1)
    following = first.on_conflict(conflict_target=[Revision.name], update={Revision.value: Revision.value + 1})
    return following.returning(Revision.value)


def watches_changed(db: Db, workspace_id: int, revision: int) -> None:
    """Record that a workspace's watches changed, or that it was removed."""
    _record_watch_change(db, workspace=workspace_id, revision=revision)


@compiled
def _record_watch_change(db: Db, workspace: Any, revision: Any) -> Any:
    changed = {WatchChange.revision: EXCLUDED.revision}
    row = WatchChange.insert(workspace_id=workspace, revision=revision)
    return row.on_conflict(conflict_target=[WatchChange.workspace_id], update=changed)


def changed_since(db: Db, since: int) -> Iterator[tuple[int, int, str | None, QueryScope]]:
    """Yield (query, workspace, text, scope) of the queries that changed after revision ``since``.

    The text is None where nothing is to be matched any more: the query was removed, or the workspace is paused. A
    removed workspace has no rows here; ``watches_since`` names it.
    """
    text = Case(None, [(Query.removed_at.is_null() & Workspace.active, Query.text)], None)
    changed = (
        Query.select(Query.revision, Query.id, Query.workspace, text, Query.scope)
        .join(Workspace, on=(Query.workspace == Workspace.id))
        .order_by(Query.revision, Query.id)
        .limit(QUERIES_PER_STATEMENT)
    )
    last = (since, sys.maxsize)
    while rows := list(changed.where(Tuple(Query.revision, Query.id) > last).tuples().execute(db.peewee)):
        yield from ((*row[1:4], scope_of(row[4])) for row in rows)
        last = rows[-1][:2]


def watches_since(db: Db, since: int) -> Iterator[tuple[int, tuple[WatchKey, ...] | None]]:
    """Yield (workspace, what it watches) for workspaces whose watches changed after ``since``; None: it was removed."""
    query = (
        WatchChange.select(WatchChange.workspace_id)
        .where(WatchChange.revision > since)
        .order_by(WatchChange.workspace_id)
    )
    changed = [workspace_id for (workspace_id,) in query.tuples().execute(db.peewee)]
    for start in range(0, len(changed), WORKSPACES_PER_STATEMENT):
        batch = changed[start : start + WORKSPACES_PER_STATEMENT]
        present = Workspace.select(Workspace.id).where(Workspace.id.in_(batch)).tuples().execute(db.peewee)
        places: dict[int, list[WatchKey]] = {workspace_id: [] for (workspace_id,) in present}
        watches = (
            Watch.select(Watch.workspace, Feed.source, Watch.kinds, Feed.place)
            .join(Feed, on=(Watch.feed == Feed.id))
            .where(Watch.workspace.in_(batch))
        )
        for workspace_id, source, kinds, place in watches.tuples().execute(db.peewee):
            if workspace_id in places:
                places[workspace_id] += [(source, kind, place) for kind in kinds.split()]
        for workspace_id in batch:
            yield workspace_id, tuple(places[workspace_id]) if workspace_id in places else None


def scope_column(scope: QueryScope) -> str:
    """Return a scope as it is stored: JSON."""
    return _encode_scope(scope).decode()


def scope_of(column: str) -> QueryScope:
    """Return a stored scope."""
    return UNLIMITED if column == UNLIMITED_COLUMN else _decode_scope(column)


def all_texts(db: Db) -> Iterator[tuple[str, str, str, QueryScope]]:
    """Yield (workspace's slug, query's name, its text and scope) of all queries, in the order of the first two."""
    rows = (
        Query.select(Workspace.slug, Query.name, Query.text, Query.scope)
        .join(Workspace, on=(Query.workspace == Workspace.id))
        .where(Query.removed_at.is_null())
        .order_by(Workspace.slug, Query.name)
    )
    for slug, name, text, scope in rows.tuples().execute(db.peewee):
        yield slug, name, text, scope_of(scope)
