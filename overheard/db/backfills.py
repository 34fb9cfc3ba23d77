"""Backfills: which places are still to be searched for a workspace, and how far each search has got."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from peewee import fn

from overheard.db import freshness, queries
from overheard.db.database import Db
from overheard.db.models import Backfill, Feed, Query, Watch
from overheard.db.storable_text import storable
from overheard.items import KINDS_IN, ItemKind
from overheard.matching.language.query_scope import QueryScope

# Items may be listed a little later than their own time, and what is stored here is never sent: the latest that was
# read live is left to reading. Chosen, not measured.
LATE_ITEMS_SECONDS = 900.0


class BackfillSearch(msgspec.Struct, frozen=True):
    """The search of one place, ``since`` a time ``until`` another, and how far it has got.

    ``position`` is the source's own; None at the start. ``oldest`` and ``newest`` are times of the items found so far.
    """

    source: str
    place: str
    kinds: tuple[ItemKind, ...]
    since: float
    until: float
    query: str = ""
    position: str | None = None
    oldest: float | None = None
    newest: float | None = None
    items: int = 0
    mentions: int = 0
    finished_at: float | None = None

    @property
    def fraction(self) -> float:
        """Return how much of the time is searched, from 0 to 1."""
        if self.finished_at is not None or self.until <= self.since:
            return 1.0
        if self.oldest is None or self.newest is None:
            return 0.0
        # By the first and the last item, as some sources search forward and others backward.
        return min(max((self.newest - self.oldest) / (self.until - self.since), 0.0), 1.0)


COLUMNS = tuple(getattr(Backfill, name) for name in BackfillSearch.__struct_fields__)


def watched(db: Db, workspace_id: int, sources: Collection[str], since: float) -> list[BackfillSearch]:
    """Return a search for each place of these sources that the workspace watches.

    It ends where reading has begun, or so long before the latest reading that everything until then has been read: an
    item that is stored here first would never be sent.
    """
    # A place is read live from the first of its watches on, and as far as its stalest feed.
    began, fresh = fn.MIN(Watch.created_at), fn.MIN(freshness.fresh_at())
    kinds = fn.MIN(Watch.kinds), fn.MAX(Watch.kinds)
    rows = (
        Watch.select(Feed.source, Feed.place, *kinds, began, fresh)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Watch.workspace == workspace_id, Feed.source.in_(list(sources)))
        .group_by(Feed.source, Feed.place)
        .order_by(Feed.source, Feed.place)
    )
    return [
        BackfillSearch(
            source=source,
            place=place,
            # A place has two feeds at most: one for each kind, or one with both.
            kinds=_kinds(f"{first} {last}"),
            since=since,
            until=max(watched_at, fresh_at - LATE_ITEMS_SECONDS),
        )
        for source, place, first, last, watched_at, fresh_at in rows.tuples().execute(db.peewee)
    ]


def resume(
    db: Db, workspace_id: int, query: str, wanted: Sequence[BackfillSearch]
) -> tuple[bool, list[BackfillSearch]]:
    """Return the searches to do, and True if they are those of an interrupted backfill.

    An earlier one is resumed if it was for the same query and begins no later than ``wanted``; else it is replaced.
    """
    with db.transaction():
        stored = _stored(db, workspace_id)
        unfinished = any(search.finished_at is None for search in stored.values())
        since = min((search.since for search in wanted), default=0.0)
        resumed = unfinished and all(search.query == query and search.since <= since for search in stored.values())
        searches = [stored.get((search.source, search.place), search) if resumed else search for search in wanted]
        clear(db, workspace_id)
        for search in searches:
            values = msgspec.structs.asdict(search) | {"query": query, "kinds": " ".join(search.kinds)}
            Backfill.insert(workspace=workspace_id, **values).execute(db.peewee)
    return resumed, searches


def _kinds(words: str) -> tuple[ItemKind, ...]:
    return tuple(kind for kind in KINDS_IN["items"] if kind in words.split())


def _stored(db: Db, workspace_id: int) -> dict[tuple[str, str], BackfillSearch]:
    rows = Backfill.select(*COLUMNS).where(Backfill.workspace == workspace_id).tuples().execute(db.peewee)
    searches = [BackfillSearch(source, place, _kinds(kinds), *rest) for source, place, kinds, *rest in rows]
    return {(search.source, search.place): search for search in searches}


def advance(db: Db, workspace_id: int, before: BackfillSearch, after: BackfillSearch) -> bool:
    """Store how far a search has got; return False if another process has moved it meanwhile."""
    position = Backfill.position
    same = position.is_null() if before.position is None else position == before.position
    progress = msgspec.structs.asdict(after)
    values = {name: progress[name] for name in ("position", "oldest", "newest", "items", "mentions", "finished_at")}
    moved = Backfill.update(values).where(
        Backfill.workspace == workspace_id,
        Backfill.source == before.source,
        Backfill.place == before.place,
        Backfill.finished_at.is_null(),
        Backfill.items == before.items,
        same,
    )
    return int(moved.execute(db.peewee)) == 1


def clear(db: Db, workspace_id: int) -> None:
    """Forget a backfill that is done."""
    Backfill.delete().where(Backfill.workspace == workspace_id).execute(db.peewee)


def queries_of(db: Db, workspace_id: int, name: str | None) -> dict[int, tuple[str, QueryScope]]:
    """Return the text and scope of the workspace's queries by id: of all, or of the one with this name."""
    rows = Query.select(Query.id, Query.text, Query.scope).where(
        Query.workspace == workspace_id, Query.removed_at.is_null()
    )
    if name is not None:
        rows = rows.where(Query.name == storable(name))
    return {key: (text, queries.scope_of(scope)) for key, text, scope in rows.tuples().execute(db.peewee)}


def query_names(db: Db, workspace_id: int) -> list[str]:
    """Return the names of the workspace's queries."""
    rows = Query.select(Query.name).where(Query.workspace == workspace_id, Query.removed_at.is_null())
    return [name for (name,) in rows.order_by(Query.name).tuples().execute(db.peewee)]


def watched_sources(db: Db, workspace_id: int) -> list[str]:
    """Return the sources of the places that the workspace watches, by name."""
    rows = Watch.select(Feed.source).join(Feed, on=(Watch.feed == Feed.id)).where(Watch.workspace == workspace_id)
    return [source for (source,) in rows.distinct().order_by(Feed.source).tuples().execute(db.peewee)]
