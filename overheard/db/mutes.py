"""Mutes: what workspaces do not want to be sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from peewee import JOIN

from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Mute, Query
from overheard.routing import MuteRule
from overheard.schedule import until_seconds
from overheard.workspaces import MuteSpec
from overheard.workspaces.mutes import mute_text, until_text

CONDITIONS = (Mute.query, Mute.author, Mute.place, Mute.thread)


def save(db: Db, workspace_id: int, wanted: Sequence[MuteSpec], timezone: str) -> None:
    """Make these the workspace's mutes."""
    Mute.delete().where(Mute.workspace == workspace_id).execute(db.peewee)
    for spec in wanted:
        Mute.insert(
            workspace=workspace_id,
            query=spec.query,
            author=spec.author,
            place=spec.place,
            thread=spec.thread,
            until=until_seconds(spec.until, timezone),
        ).execute(db.peewee)


def load(db: Db, workspace_id: int) -> tuple[MuteSpec, ...]:
    """Return the workspace's mutes as its owner writes them, those that have ended included."""
    rows = Mute.select(*CONDITIONS, Mute.until).where(Mute.workspace == workspace_id).order_by(Mute.id)
    return tuple(_spec(*row) for row in rows.tuples().execute(db.peewee))


def active(db: Db, workspace_ids: Collection[int], now: float) -> list[MuteRule]:
    """Return the workspaces' mutes that have not ended, without those of queries that were removed."""
    rows = _active(db, workspaces=sorted(workspace_ids), now=now)
    return [
        MuteRule(
            text=mute_text(_spec(query, author, place, thread, until)),
            workspace_id=workspace_id,
            query=query_id,
            author=author,
            place=place,
            thread=thread,
        )
        for workspace_id, query, author, place, thread, until, query_id in rows
        if query_id is not None or not query
    ]


@compiled
def _active(db: Db, workspaces: Any, now: Any) -> Any:
    named = (Query.workspace == Mute.workspace) & (Query.name == Mute.query) & Query.removed_at.is_null()
    return (
        Mute.select(Mute.workspace, *CONDITIONS, Mute.until, Query.id)
        .join(Query, JOIN.LEFT_OUTER, on=named)
        .where(Mute.workspace.in_(workspaces), Mute.until.is_null() | (Mute.until > now))
        .order_by(Mute.id)
    )


def _spec(query: str, author: str, place: str, thread: str, until: float | None) -> MuteSpec:
    return MuteSpec(query, author, place, thread, until_text(until))
