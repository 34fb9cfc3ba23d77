"""Mentions as the world sees them: for the command line and for what channels send."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
from peewee import fn

from overheard.db import visibility
from overheard.db.database import Db
from overheard.db.models import Mention, Query, StoredItem, Workspace
from overheard.notices import PublicMention

PAGE_MENTIONS = 200  # mentions
COLUMNS = (
    Mention.id,
    Workspace.slug,
    StoredItem.ref,
    StoredItem.kind,
    StoredItem.place,
    StoredItem.author,
    StoredItem.title,
    StoredItem.thread_title,
    StoredItem.body,
    StoredItem.permalink,
    StoredItem.created_at,
    Mention.stored_at,
    Mention.query_ids,
    Mention.highlights,
    Mention.backfilled,
    StoredItem.source,
    StoredItem.thread,
    StoredItem.url,
)
REDDIT = "reddit"  # whose places are called subreddits; receivers know them by that key, too


def rows() -> Any:
    """The query of (mention id, then the columns that ``to_public`` takes), to be narrowed down by the caller."""
    return (
        Mention.select(*COLUMNS)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .join(Workspace, on=(Mention.workspace == Workspace.id))
    )


def to_public(db: Db, found: Sequence[Sequence[Any]]) -> list[PublicMention]:
    """Return rows of ``rows`` as the world sees them, with the names of their queries."""
    mentions = [_public(row) for row in found]
    names = _query_names(db, {query for mention in mentions for query in mention.query_ids})
    return [
        msgspec.structs.replace(mention, queries=tuple(names[each] for each in mention.query_ids if each in names))
        for mention in mentions
    ]


def _query_names(db: Db, query_ids: Collection[int]) -> dict[int, str]:
    rows = Query.select(Query.id, Query.name).where(Query.id.in_(list(query_ids)))
    return dict(rows.tuples().execute(db.peewee)) if query_ids else {}


def _public(row: Sequence[Any]) -> PublicMention:
    key, slug, ref, kind, place, author, title, thread_title, body, permalink, created_at, stored_at, *found = row
    query_ids, highlights, backfilled, source, thread, url = found
    return PublicMention(
        workspace=slug,
        item=ref,
        kind=kind,
        subreddit=place if source == REDDIT else None,
        author=author,
        title=title or thread_title,
        body=body,
        permalink=permalink,
        created_at=rfc3339(created_at),
        stored_at=rfc3339(stored_at),
        queries=(),
        highlights=msgspec.json.decode(highlights, type=tuple[tuple[str, int, int], ...]),
        id=str(key),
        source=source,
        place=place,
        thread=thread,
        thread_title=thread_title,
        url=url,
        query_ids=msgspec.json.decode(query_ids, type=tuple[int, ...]),
        backfilled=backfilled,
    )


def rfc3339(moment: float) -> str:
    """Seconds since the epoch → ``2026-11-23T09:00:00.123Z``."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def listing(
    db: Db,
    *,
    workspace: str | None = None,
    since: float | None = None,
    after_id: int = 0,
    limit: int | None = None,
    newest_first: bool = True,
) -> Iterator[tuple[int, PublicMention]]:
    """(id, mention) of what is stored, narrowed down by workspace slug, by time of storing, by id."""
    query = rows().where(Mention.id > after_id)
    query = query.where(visibility.workspace_condition(workspace))
    if since is not None:
        query = query.where(Mention.stored_at >= since)
    query = query.order_by(Mention.id.desc() if newest_first else Mention.id).limit(limit)
    found = iter(query.tuples().execute(db.peewee))
    while some := list(islice(found, PAGE_MENTIONS)):
        yield from zip((row[0] for row in some), to_public(db, some), strict=True)


def count(db: Db, workspace_id: int, *, after_id: int = 0) -> int:
    """How many mentions a workspace has, later than ``after_id``."""
    query = Mention.select(fn.count(Mention.id)).where(Mention.workspace == workspace_id, Mention.id > after_id)
    return int(query.scalar(db.peewee))


def last_id(db: Db) -> int:
    """The id of the latest mention; 0 when there is none."""
    return int(Mention.select(fn.max(Mention.id)).scalar(db.peewee) or 0)
