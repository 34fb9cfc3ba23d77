"""The mentions of matched items: one for each workspace and item, of what is still watched and asked for (I3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from overheard.db.compiled import among, compiled, inserted
from overheard.db.database import Db
from overheard.db.edits import FoundByEdit
from overheard.db.models import Feed, Mention, Query, Watch, Workspace
from overheard.db.why_column import why_column
from overheard.items import KINDS_IN, Item, WatchKey, place_key
from overheard.messages import Key, MatchedItem
from overheard.routing import NewMention, is_backfilled, link_key


def add(
    db: Db, entries: Sequence[MatchedItem], item_ids: dict[Key, int], now: float, news_for: float, read_at: float
) -> list[NewMention]:
    """Insert the mentions that are new, and return them."""
    matches = [match for entry in entries for match in entry.matches]
    # Locked: the workspaces stay until the transaction ends.
    present = {
        workspace for (workspace,) in _kept_workspaces(db, ids=sorted({match.workspace_id for match in matches}))
    }
    wanted = sorted({query for match in matches for query in match.query_ids})
    query_ids = {query for (query,) in _present_queries(db, ids=wanted)}
    since = _watched_since(db, present, {place for entry in entries for place in entry.item.found_in})
    rows = []
    found: dict[tuple[int, int], tuple[Item, tuple[int, ...]]] = {}  # by workspace and item
    for entry in entries:
        for match in entry.matches:
            matched = [query for query in match.query_ids if query in query_ids]
            watched = since[match.workspace_id]
            starts = [watched[place] for place in entry.item.found_in if place in watched]
            if not matched or not starts:
                continue  # the query, the watch or the workspace was removed while the message was in flight
            found[match.workspace_id, item_ids[entry.item.key]] = (entry.item, tuple(matched))
            rows.append(
                {
                    "workspace": match.workspace_id,
                    "item": item_ids[entry.item.key],
                    "query_ids": msgspec.json.encode(matched).decode(),
                    "highlights": msgspec.json.encode(match.highlights).decode(),
                    "why": why_column(match.why, matched),
                    "backfilled": is_backfilled(entry.item.created_at, min(starts), now, news_for),
                    "stored_at": now,
                    "read_at": read_at,
                }
            )
    rows.sort(key=lambda row: (row["workspace"], row["item"]))
    return [
        _new_mention(key, workspace_id, item_id, bool(backfilled), *found[workspace_id, item_id])
        for key, workspace_id, item_id, backfilled in (_add_mentions(db, rows=rows) if rows else ())
    ]


def _new_mention(
    key: int, workspace_id: int, item_id: int, backfilled: bool, item: Item, queries: tuple[int, ...]
) -> NewMention:
    return NewMention(
        id=key,
        workspace_id=workspace_id,
        item_id=item_id,
        backfilled=backfilled,
        queries=queries,
        source=item.source,
        place=place_key(item.place),
        author=(item.author or "").lower(),
        thread=item.thread or "",
        link=link_key(item.url) if item.kind == "post" else None,
    )


def found_by_edit(mention: FoundByEdit, item: Item, item_id: int, now: float, news_for: float) -> NewMention:
    backfilled = mention.backfilled or is_backfilled(item.created_at, 0.0, now, news_for)
    new = _new_mention(mention.id, mention.workspace_id, item_id, backfilled, item, mention.queries)
    return msgspec.structs.replace(new, known_queries=mention.known)


@compiled
def _add_mentions(db: Db, rows: Any) -> Any:
    added = inserted(Mention, rows).on_conflict_ignore()
    return added.returning(Mention.id, Mention.workspace, Mention.item, Mention.backfilled)


@compiled
def _kept_workspaces(db: Db, ids: Any) -> Any:
    return db.locked_for_reference(
        Workspace.select(Workspace.id).where(among(Workspace.id, ids)).order_by(Workspace.id)
    )


@compiled
def _present_queries(db: Db, ids: Any) -> Any:
    return Query.select(Query.id).where(among(Query.id, ids), Query.removed_at.is_null())


def _watched_since(
    db: Db, workspace_ids: Collection[int], places: Collection[WatchKey]
) -> dict[int, dict[WatchKey, float]]:
    """Return since when each workspace has watched these places; the result may have others of the same names."""
    since: dict[int, dict[WatchKey, float]] = defaultdict(dict)
    sources, keys = sorted({source for source, _, _ in places}), sorted({key for _, _, key in places})
    found = _watches(db, workspaces=sorted(workspace_ids), sources=sources, keys=keys)
    for workspace_id, source, kinds, place, created_at in found:
        since[workspace_id].update({(source, kind, place): created_at for kind in kinds.split()})
    return since


@compiled
def _watches(db: Db, workspaces: Any, sources: Any, keys: Any) -> Any:
    # All kinds, so that the index on (source, kind, place) is used.
    of_places = among(Feed.source, sources) & Feed.kind.in_(list(KINDS_IN)) & among(Feed.place, keys)
    return (
        Watch.select(Watch.workspace, Feed.source, Watch.kinds, Feed.place, Watch.created_at)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(among(Watch.workspace, workspaces), of_places)
    )
