"""Refreshes: when fresh feeds of a source were demanded for a workspace, and until when fetch has served them.

One row for each workspace and source that it watches. Lock order: the workspace's row first, then these in the order of
their keys.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from peewee import Case, fn

from overheard.db.compiled import compiled, inserted, not_among
from overheard.db.database import Db
from overheard.db.models import Feed, RefreshDemand, Watch, Workspace

IS_WAITING = RefreshDemand.demanded_at > RefreshDemand.served_at


def sync_sources(db: Db, workspace_id: int) -> None:
    """Give the workspace a row for each source that it watches, and delete others. Runs inside a transaction."""
    rows = [{"workspace": workspace_id, "source": source} for (source,) in _sources(db, workspace=workspace_id)]
    _delete_others(db, workspace=workspace_id, sources=[row["source"] for row in rows])
    if rows:
        _insert(db, rows=rows)


@compiled
def _sources(db: Db, workspace: Any) -> Any:
    feeds = Watch.select(Feed.source).join(Feed, on=(Watch.feed == Feed.id))
    return feeds.where(Watch.workspace == workspace).distinct()


@compiled
def _delete_others(db: Db, workspace: Any, sources: Any) -> Any:
    others = not_among(RefreshDemand.source, sources)
    return RefreshDemand.delete().where(RefreshDemand.workspace == workspace, others)


@compiled
def _insert(db: Db, rows: Any) -> Any:
    return inserted(RefreshDemand, rows).on_conflict_ignore()


def demand(
    db: Db, workspace_ids: Collection[int], now: float, *, source: str | None = None, until: float | None = None
) -> None:
    """Demand that the workspaces' feeds, of one source or of all, are read: a reading that began before does not count.

    ``until``: the demand counts as lost only some time after that, because it waits for its turn.
    """
    of_workspaces: Any = RefreshDemand.workspace.in_(list(workspace_ids))
    of_workspaces = of_workspaces if source is None else of_workspaces & (RefreshDemand.source == source)
    with db.transaction():
        if not db.sqlite:
            rows: Any = (
                RefreshDemand.select(RefreshDemand.workspace)
                .where(of_workspaces)
                .order_by(RefreshDemand.workspace, RefreshDemand.source)
            )
            rows.for_update("FOR NO KEY UPDATE").tuples().execute(db.peewee)
        # A repeated demand keeps the time of the first one that fetch has not served.
        waiting = IS_WAITING & RefreshDemand.waiting_since.is_null(False)
        since = Case(None, [(waiting, RefreshDemand.waiting_since)], now)
        RefreshDemand.update(demanded_at=until or now, waiting_since=since).where(of_workspaces).execute(db.peewee)


def mark_served(db: Db, workspace_id: int, source: str, at: float) -> None:
    """Record that fetch has served every demand made until ``at``; a later demand stays open.

    A late message must not move the time back.
    """
    later = Case(None, [(RefreshDemand.demanded_at > at, RefreshDemand.demanded_at)], None)
    RefreshDemand.update(served_at=at, waiting_since=later).where(
        RefreshDemand.workspace == workspace_id, RefreshDemand.source == source, RefreshDemand.served_at < at
    ).execute(db.peewee)


def claim_lost(db: Db, now: float, older_than: float, limit: int) -> list[tuple[int, str]]:
    """Claim (workspace, source) of demands made more than ``older_than`` seconds ago and not served, oldest first.

    Their event or message is lost. The claim renews the demand, so that the next sweep does not repeat it at once.
    """
    lost = IS_WAITING & (RefreshDemand.demanded_at <= now - older_than)
    rows = (
        RefreshDemand.select(RefreshDemand.workspace, RefreshDemand.source, RefreshDemand.demanded_at)
        .join(Workspace, on=(RefreshDemand.workspace == Workspace.id))
        .where(Workspace.active, lost)
        .order_by(RefreshDemand.demanded_at)
        .limit(limit)
        .tuples()
        .execute(db.peewee)
    )
    return [
        (workspace_id, source)
        for workspace_id, source, demanded_at in sorted(rows)
        if RefreshDemand.update(demanded_at=now)
        .where(
            RefreshDemand.workspace == workspace_id,
            RefreshDemand.source == source,
            RefreshDemand.demanded_at == demanded_at,
        )
        .execute(db.peewee)
        == 1
    ]


def served_at(db: Db, workspace_ids: Collection[int]) -> Mapping[int, dict[str, float]]:
    """Return, for each workspace, until when the demands of each source that it watches were served."""
    by_workspace: dict[int, dict[str, float]] = {workspace_id: {} for workspace_id in workspace_ids}
    rows = RefreshDemand.select(RefreshDemand.workspace, RefreshDemand.source, RefreshDemand.served_at)
    rows = rows.where(RefreshDemand.workspace.in_(list(workspace_ids))).order_by(RefreshDemand.source)
    for workspace_id, source, at in rows.tuples().execute(db.peewee):
        by_workspace[workspace_id][source] = at
    return by_workspace


def watched_sources(db: Db) -> list[str]:
    """Return the sources that an active workspace watches."""
    rows = RefreshDemand.select(RefreshDemand.source).join(Workspace, on=(RefreshDemand.workspace == Workspace.id))
    rows = rows.where(Workspace.active).distinct().order_by(RefreshDemand.source)
    return [source for (source,) in rows.tuples().execute(db.peewee)]


def last_run(db: Db, workspace_id: int | None = None) -> dict[int, float]:
    """Return when the workspaces, or one of them, last ran."""
    rows = RefreshDemand.select(RefreshDemand.workspace, fn.max(RefreshDemand.served_at)).group_by(
        RefreshDemand.workspace
    )
    rows = rows if workspace_id is None else rows.where(RefreshDemand.workspace == workspace_id)
    return dict(rows.tuples().execute(db.peewee))
