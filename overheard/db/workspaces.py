"""Workspaces: look them up by slug or id, list them, count what they have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from peewee import fn

from overheard.db import refreshes, visibility
from overheard.db.database import Db
from overheard.db.models import Channel, Feed, Mention, Query, Watch, Workspace
from overheard.db.storable_text import storable
from overheard.errors import NotFound
from overheard.items import ALL, FeedKind

SHOWN_SLUGS, COMPARED_SLUGS = 5, 1000
SHOWN_CHARS = 100  # of a name that does not exist; it may be anything that was typed


def by_name(db: Db, name: str | int) -> Workspace:
    """Return the workspace with this slug or id. Raises NotFound, with some that exist."""
    row: Workspace | None = Workspace.select().where(_named([name])).first(db.peewee)
    if row is None:
        shown = str(name)[:SHOWN_CHARS]
        raise NotFound(f"no workspace {shown!r}; {_existing(db, shown)}")
    return row


def _existing(db: Db, name: str) -> str:
    """Return some workspaces that there are, and the one that is probably meant by ``name``."""
    some = Workspace.select(Workspace.slug).where(visibility.IS_PUBLIC_WORKSPACE).limit(COMPARED_SLUGS)
    slugs = [slug for (slug,) in some.tuples().execute(db.peewee)]
    if not slugs:
        return "there are none yet (overheard workspace add, or import)"
    more = " and more" if len(slugs) > SHOWN_SLUGS else ""
    close = difflib.get_close_matches(name.lower(), slugs, n=1)
    return f"there are: {', '.join(slugs[:SHOWN_SLUGS])}{more}" + (f"; did you mean {close[0]}?" if close else "")


def _named(names: Collection[str | int]) -> Any:
    # An id that does not fit into 64 bits, or a slug that cannot be stored, is an error in the driver, not an empty
    # result.
    ids = [name for name in names if isinstance(name, int) and 0 < name < 2**63]
    slugs = [name for name in names if isinstance(name, str) and storable(name) == name]
    return Workspace.id.in_(ids) | Workspace.slug.in_(slugs)


def lock(db: Db, workspace_id: int) -> None:
    """Make others wait that change the workspace, until the transaction ends. SQLite has one writer at a time."""
    row: Any = Workspace.select(Workspace.id).where(Workspace.id == workspace_id)
    list((row if db.sqlite else row.for_update("FOR NO KEY UPDATE")).tuples().execute(db.peewee))


def by_slug_or_number(db: Db, text: str) -> Workspace:
    """Return the workspace with the slug, else with the id, that was typed. Raises NotFound."""
    try:
        return by_name(db, text)
    except NotFound:
        if not re.fullmatch(r"[0-9]{1,19}", text):
            raise
    return by_name(db, int(text))


class WorkspaceRef(msgspec.Struct, frozen=True):
    """A workspace that was looked up by its slug or id."""

    id: int
    slug: str
    active: bool
    every: str
    timezone: str


def by_names(db: Db, names: Collection[str | int]) -> dict[str | int, WorkspaceRef]:
    """Return those of these slugs and ids that exist, in one query."""
    columns = [getattr(Workspace, name) for name in WorkspaceRef.__struct_fields__]
    rows = Workspace.select(*columns).where(_named(names))
    existing = [WorkspaceRef(*row) for row in rows.tuples().execute(db.peewee)]
    return {**{row.id: row for row in existing}, **{row.slug: row for row in existing}}


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
    """Return all public workspaces by slug, with how much they have of everything."""
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
    """Return how much the workspace has of what [limits] bounds; empty if no workspace has this slug."""
    row = Workspace.select(Workspace.id).where(Workspace.slug == storable(slug)).scalar(db.peewee)
    return {} if row is None else {part: _counted(db, table, row).get(row, 0) for part, table in LIMITED_PARTS.items()}


def kinds_of_all(db: Db, slug: str, source: str) -> set[FeedKind]:
    """Return of which kinds the workspace watches everything of a source; empty if no workspace has this slug."""
    rows = (
        Feed.select(Feed.kind)
        .join(Watch, on=(Watch.feed == Feed.id))
        .join(Workspace, on=(Watch.workspace == Workspace.id))
        .where(Workspace.slug == storable(slug), Feed.source == source, Feed.place == ALL)
    )
    return {kind for (kind,) in rows.tuples().execute(db.peewee)}


def over_limits(db: Db, limits: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """Return (slug, part, number) where a workspace has more of a part than ``limits`` allows."""
    counts = {part: _counted(db, LIMITED_PARTS[part]) for part in limits}
    over = [(row, part, n) for part, of_part in counts.items() for row, n in of_part.items() if n > limits[part]]
    rows = Workspace.select(Workspace.id, Workspace.slug).where(Workspace.id.in_({row for row, _, _ in over}))
    slugs = dict(rows.where(visibility.IS_PUBLIC_WORKSPACE).tuples().execute(db.peewee))
    return sorted((slugs[row], part, n) for row, part, n in over if row in slugs)


def count_active_and_paused(db: Db) -> tuple[int, int]:
    """Return how many public workspaces are active, and how many are paused."""
    rows = (
        Workspace.select(Workspace.active, fn.count(Workspace.id))
        .where(visibility.IS_PUBLIC_WORKSPACE)
        .group_by(Workspace.active)
    )
    counts = {bool(active): int(count) for active, count in rows.tuples().execute(db.peewee)}
    return counts.get(True, 0), counts.get(False, 0)
