"""Mutes: what workspaces do not want to be sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from peewee import JOIN

from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.models import Mention, Mute, Query, StoredItem
from overheard.items import place_key
from overheard.routing import MuteRule, NewMention
from overheard.schedule import until_seconds
from overheard.workspaces import MuteSpec
from overheard.workspaces.mutes import mute_text, until_text

PAGE_MENTIONS = 2000
_QUERY_IDS = msgspec.json.Decoder(list[int])
CONDITIONS = (Mute.query, Mute.author, Mute.place, Mute.thread)


def save(db: Db, workspace_id: int, wanted: Sequence[MuteSpec], timezone: str) -> None:
    """Make these the workspace's mutes."""
    _remove_all(db, workspace=workspace_id)
    for spec in wanted:
        Mute.insert(
            workspace=workspace_id,
            query=spec.query,
            author=spec.author,
            place=spec.place,
            thread=spec.thread,
            until=until_seconds(spec.until, timezone),
        ).execute(db.peewee)


@compiled
def _remove_all(db: Db, workspace: Any) -> Any:
    return Mute.delete().where(Mute.workspace == workspace)


def load(db: Db, workspace_id: int) -> tuple[MuteSpec, ...]:
    """Return the workspace's mutes as its owner writes them, those that have ended included."""
    rows = Mute.select(*CONDITIONS, Mute.until).where(Mute.workspace == workspace_id).order_by(Mute.id)
    return tuple(_spec(*row) for row in rows.tuples().execute(db.peewee))


def rename_query(db: Db, workspace_id: int, name: str, new_name: str) -> None:
    """Make the mutes of a query follow its new name."""
    Mute.update(query=new_name).where(Mute.workspace == workspace_id, Mute.query == name).execute(db.peewee)


def remove_query(db: Db, workspace_id: int, name: str) -> int:
    """Delete the mutes of a query; return how many there were."""
    return int(Mute.delete().where(Mute.workspace == workspace_id, Mute.query == name).execute(db.peewee))


def would_mute(db: Db, workspace_id: int, mute: MuteSpec, since: float) -> tuple[int, int]:
    """Return how many of the workspace's mentions since then a mute would have muted, and of how many."""
    named = Query.select(Query.id).where(Query.workspace == workspace_id, Query.name == mute.query)
    query_id = named.scalar(db.peewee) if mute.query else None
    rule = MuteRule(text="", query=query_id, author=mute.author, place=mute.place, thread=mute.thread)
    muted = total = last = 0
    while page := _mentions_after(db, workspace_id, last, since):
        last = page[-1][0]
        total += len(page)
        for key, item_id, query_ids, source, place, author, thread in page:
            queries = tuple(_QUERY_IDS.decode(query_ids))
            mention = NewMention(
                id=key,
                workspace_id=workspace_id,
                item_id=item_id,
                backfilled=False,
                queries=queries,
                source=source,
                place=place_key(place),
                author=(author or "").lower(),
                thread=thread or "",
            )
            muted += all(rule.fits(mention, query) for query in queries)
    return muted, total


def _mentions_after(db: Db, workspace_id: int, last: int, since: float) -> list[tuple[Any, ...]]:
    columns = (Mention.id, StoredItem.id, Mention.query_ids, StoredItem.source, StoredItem.place, StoredItem.author)
    rows = (
        Mention.select(*columns, StoredItem.thread)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(Mention.workspace == workspace_id, Mention.id > last, Mention.stored_at >= since, ~Mention.backfilled)
        .order_by(Mention.id)
        .limit(PAGE_MENTIONS)
    )
    return list(rows.tuples().execute(db.peewee))


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
        .where(among(Mute.workspace, workspaces), Mute.until.is_null() | (Mute.until > now))
        .order_by(Mute.id)
    )


def _spec(query: str, author: str, place: str, thread: str, until: float | None) -> MuteSpec:
    return MuteSpec(query, author, place, thread, until_text(until))
