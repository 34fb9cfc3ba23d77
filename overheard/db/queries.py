"""What the match stage loads: queries and watches, and which workspaces changed since it last looked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from peewee import fn

from overheard.db.connect import Db
from overheard.db.models import Change, Feed, Query, Revision, Watch, Workspace
from overheard.items import Place

WORKSPACES = 1000  # of one statement


class Interest(msgspec.Struct, frozen=True):
    """What one workspace wants to hear of: ``queries`` are (id, text)."""

    workspace_id: int
    queries: tuple[tuple[int, str], ...]
    places: tuple[Place, ...]


def revision(db: Db) -> int:
    """The number of the latest change to any query or watch. Revisions become visible in their own order."""
    value = Revision.select(Revision.value).where(Revision.name == "interests").scalar(db.peewee)
    return int(value or 0)


def changed(db: Db, workspace_id: int) -> int:
    """Note, inside the transaction that makes it, a change to a workspace's queries or watches."""
    ((value,),) = (
        Revision.insert(name="interests", value=1)
        .on_conflict(conflict_target=[Revision.name], update={Revision.value: Revision.value + 1})
        .returning(Revision.value)
        .tuples()
        .execute(db.peewee)
    )
    Change.insert(workspace_id=workspace_id, revision=value).on_conflict(
        conflict_target=[Change.workspace_id], update={Change.revision: value}
    ).execute(db.peewee)
    return int(value)


def changed_since(db: Db, since: int) -> list[int]:
    """The workspaces that changed, or went, after revision ``since``."""
    rows = Change.select(Change.workspace_id).where(Change.revision > since).tuples().execute(db.peewee)
    return [workspace_id for (workspace_id,) in rows]


def interests(db: Db, workspace_ids: Sequence[int]) -> Iterator[Interest]:
    """What each of these workspaces wants to hear of; one that is gone or paused wants nothing."""
    for start in range(0, len(workspace_ids), WORKSPACES):
        some = workspace_ids[start : start + WORKSPACES]
        queries: dict[int, list[tuple[int, str]]] = {workspace_id: [] for workspace_id in some}
        places: dict[int, list[Place]] = {workspace_id: [] for workspace_id in some}
        rows = (
            Query.select(Query.workspace, Query.id, Query.text)
            .join(Workspace, on=(Query.workspace == Workspace.id))
            .where(Query.workspace.in_(some), Query.removed_at.is_null(), Workspace.active)
        )
        for workspace_id, query_id, text in rows.tuples().execute(db.peewee):
            queries[workspace_id].append((query_id, text))
        watches = (
            Watch.select(Watch.workspace, Feed.source, Watch.kinds, Feed.place)
            .join(Feed, on=(Watch.feed == Feed.id))
            .where(Watch.workspace.in_(some))
        )
        for workspace_id, source, kinds, place in watches.tuples().execute(db.peewee):
            places[workspace_id] += [(source, kind, place) for kind in kinds.split()]
        for workspace_id in some:
            yield Interest(workspace_id, tuple(queries[workspace_id]), tuple(places[workspace_id]))


def texts(db: Db) -> Iterator[tuple[str, str, str]]:
    """(workspace's slug, query's name, its text) of all queries there are, in that order."""
    rows = (
        Query.select(Workspace.slug, Query.name, Query.text)
        .join(Workspace, on=(Query.workspace == Workspace.id))
        .where(Query.removed_at.is_null())
        .order_by(Workspace.slug, Query.name)
    )
    yield from rows.tuples().execute(db.peewee)


def count(db: Db) -> int:
    """How many queries there are."""
    return int(Query.select(fn.count(Query.id)).where(Query.removed_at.is_null()).scalar(db.peewee))
