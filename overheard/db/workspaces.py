"""Workspaces: who is due, who asked for a run, and who has been served."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from peewee import fn

from overheard.db import refreshes, visibility
from overheard.db.database import Db
from overheard.db.models import Channel, Mention, Query, Watch, Workspace
from overheard.db.storable_text import storable
from overheard.errors import NotFound

SHOWN_CHARS = 100


def by_name(db: Db, name: str | int) -> Workspace:
    """The workspace of this slug or id. Raises NotFound, naming some that exist."""
    row: Workspace | None = Workspace.select().where(_named([name])).first(db.peewee)
    if row is None:
        few = Workspace.select(Workspace.slug).where(visibility.IS_PUBLIC_WORKSPACE).limit(5)
        some = [slug for (slug,) in few.tuples().execute(db.peewee)]
        hint = f"there are: {', '.join(some)}" if some else "there are none yet (overheard workspace add, or import)"
        raise NotFound(f"no workspace {str(name)[:SHOWN_CHARS]!r}; {hint}")
    return row


def _named(names: Collection[str | int]) -> Any:
    # Neither database can even be asked for other ids and slugs.
    ids = [name for name in names if isinstance(name, int) and 0 < name < 2**63]
    slugs = [name for name in names if isinstance(name, str) and storable(name) == name]
    return Workspace.id.in_(ids) | Workspace.slug.in_(slugs)


def by_slug_or_number(db: Db, text: str) -> Workspace:
    """The workspace that somebody typed: its slug, else its id. Raises NotFound."""
    try:
        return by_name(db, text)
    except NotFound:
        if not re.fullmatch(r"[0-9]{1,19}", text):
            raise
    return by_name(db, int(text))


class WorkspaceRef(msgspec.Struct, frozen=True):
    """A workspace that was named by its slug or id."""

    id: int
    slug: str
    active: bool


def by_names(db: Db, names: Collection[str | int]) -> dict[str | int, WorkspaceRef]:
    """Those of these slugs and ids that exist, in one look."""
    columns = [getattr(Workspace, name) for name in WorkspaceRef.__struct_fields__]
    rows = Workspace.select(*columns).where(_named(names))
    found = [WorkspaceRef(*row) for row in rows.tuples().execute(db.peewee)]
    return {**{row.id: row for row in found}, **{row.slug: row for row in found}}


class WorkspaceOverview(msgspec.Struct, frozen=True):
    """A workspace as ``workspace list`` shows it. Times are seconds since the epoch; 0 for never."""

    slug: str
    name: str
    active: bool
    every: str
    timezone: str
    next_due_at: float
    served_at: float
    feeds: int
    queries: int
    channels: int
    mentions: int


def overview(db: Db) -> list[WorkspaceOverview]:
    """All workspaces that people see by slug, with how much of everything they have."""
    counts: list[dict[int, Any]] = [
        refreshes.last_run(db),
        *(_counted(db, table) for table in (Watch, Query, Channel, Mention)),
    ]
    columns = (
        Workspace.id,
        *(getattr(Workspace, name) for name in WorkspaceOverview.__struct_fields__[:6]),
    )
    rows = (
        Workspace.select(*columns)
        .where(visibility.IS_PUBLIC_WORKSPACE)
        .order_by(Workspace.slug)
        .tuples()
        .execute(db.peewee)
    )
    return [WorkspaceOverview(*row, *(count.get(workspace_id, 0) for count in counts)) for workspace_id, *row in rows]


LIMITED_PARTS = {"queries": Query, "feeds": Watch, "channels": Channel}


def _counted(db: Db, table: Any, workspace_id: int | None = None) -> dict[int, int]:
    rows = table.select(table.workspace, fn.count(table.workspace)).group_by(table.workspace)
    if table is Query:
        rows = rows.where(Query.removed_at.is_null())
    if workspace_id is not None:
        rows = rows.where(table.workspace == workspace_id)
    return dict(rows.tuples().execute(db.peewee))


def limited_counts(db: Db, slug: str) -> dict[str, int]:
    """How much the workspace has of what [limits] bounds; nothing where there is none of this slug."""
    row = Workspace.select(Workspace.id).where(Workspace.slug == storable(slug)).scalar(db.peewee)
    return {} if row is None else {part: _counted(db, table, row).get(row, 0) for part, table in LIMITED_PARTS.items()}


def over_limits(db: Db, limits: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """(slug, part, number) of what workspaces have more of than ``limits`` says."""
    counts = {part: _counted(db, LIMITED_PARTS[part]) for part in limits}
    over = [(row, part, n) for part, of in counts.items() for row, n in of.items() if n > limits[part]]
    rows = Workspace.select(Workspace.id, Workspace.slug).where(Workspace.id.in_({row for row, _, _ in over}))
    slugs = dict(rows.where(visibility.IS_PUBLIC_WORKSPACE).tuples().execute(db.peewee))
    return sorted((slugs[row], part, n) for row, part, n in over if row in slugs)


def count_active_and_paused(db: Db) -> tuple[int, int]:
    """How many workspaces are active, and how many paused."""
    rows = (
        Workspace.select(Workspace.active, fn.count(Workspace.id))
        .where(visibility.IS_PUBLIC_WORKSPACE)
        .group_by(Workspace.active)
    )
    counts = {bool(active): int(count) for active, count in rows.tuples().execute(db.peewee)}
    return counts.get(True, 0), counts.get(False, 0)
