"""Mentions in their public form: for the command line and for what channels send."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.mention_filter import MentionFilter
from overheard.db.models import Mention, Query, StoredItem, Workspace
from overheard.notices import MatchReason, PublicMention
from overheard.sources.registry import public_place

PAGE_MENTIONS = 200
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
    Mention.why,
    StoredItem.texts,
)
SLUG, CREATED_AT, STORED_AT = 1, 10, 11  # positions in COLUMNS
REDDIT = "reddit"  # its places are subreddits, and receivers of its mentions get them under that key, too
EVERY_MENTION = MentionFilter()
_HIGHLIGHTS = msgspec.json.Decoder(tuple[tuple[str, int, int], ...])
_WHY = msgspec.json.Decoder(tuple[tuple[int, str, str, int, int], ...])
_QUERY_IDS = msgspec.json.Decoder(tuple[int, ...])
_TEXTS = msgspec.json.Decoder(dict[str, str])


def rows() -> Any:
    """Return the query of COLUMNS, which the caller narrows down and ``to_public`` converts."""
    return (
        Mention.select(*COLUMNS)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .join(Workspace, on=(Mention.workspace == Workspace.id))
    )


def to_public(db: Db, mention_rows: Sequence[Sequence[Any]]) -> list[PublicMention]:
    """Convert rows of ``rows`` to their public form, with the names of their queries."""
    mentions = [_public(row) for row in mention_rows]
    names = query_names(db, {query for mention in mentions for query in mention.query_ids})
    return [
        msgspec.structs.replace(mention, queries=tuple(names[query] for query in mention.query_ids if query in names))
        for mention in mentions
    ]


def query_names(db: Db, query_ids: Collection[int]) -> dict[int, str]:
    """Return the names of queries, removed ones included."""
    rows = Query.select(Query.id, Query.name).where(Query.id.in_(list(query_ids)))
    return dict(rows.tuples().execute(db.peewee)) if query_ids else {}


def _public(row: Sequence[Any]) -> PublicMention:
    key, slug, ref, kind, place, author, title, thread_title, body, permalink, created_at, stored_at, *others = row
    query_ids, highlights, backfilled, source, thread, url, why, texts = others
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
        highlights=_HIGHLIGHTS.decode(highlights),
        id=str(key),
        source=source,
        place=public_place(source, place),
        thread=thread,
        thread_title=thread_title,
        url=url,
        query_ids=_QUERY_IDS.decode(query_ids),
        backfilled=backfilled,
        why=tuple(MatchReason(*each) for each in _WHY.decode(why)),
        texts=_TEXTS.decode(texts),
    )


def rfc3339(moment: float) -> str:
    """Format seconds since the epoch as ``2026-11-23T09:00:00.123Z``."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def listing(
    db: Db,
    which: MentionFilter = EVERY_MENTION,
    *,
    after_id: int = 0,
    limit: int | None = None,
    newest_first: bool = True,
) -> Iterator[tuple[int, PublicMention]]:
    """Yield (id, mention) of what is stored, with ids above ``after_id``."""
    query = which.narrow(rows().where(Mention.id > after_id))
    query = query.order_by(Mention.id.desc() if newest_first else Mention.id).limit(limit)
    results = iter(query.tuples().execute(db.peewee))
    while page := list(islice(results, PAGE_MENTIONS)):
        yield from zip((row[0] for row in page), to_public(db, page), strict=True)


def one(db: Db, workspace_id: int, mention_id: int | None) -> PublicMention | None:
    """Return a mention of the workspace by its id, or its newest one; None if there is none."""
    query = rows().where(Mention.workspace == workspace_id)
    if mention_id is not None:
        query = query.where(Mention.id == mention_id)
    found = to_public(db, list(query.order_by(Mention.id.desc()).limit(1).tuples().execute(db.peewee)))
    return found[0] if found else None


def count(db: Db, workspace_id: int, *, after_id: int = 0) -> int:
    """Return how many mentions a workspace has with ids above ``after_id``."""
    query = Mention.select(fn.count(Mention.id)).where(Mention.workspace == workspace_id, Mention.id > after_id)
    return int(query.scalar(db.peewee))


def ids_since(db: Db, since: float) -> list[int]:
    """Return the ids of the mentions that were stored since a time."""
    recent = Mention.select(Mention.id).where(Mention.stored_at >= since)
    return [number for (number,) in recent.tuples().execute(db.peewee)]


def last_id(db: Db) -> int:
    """Return the id of the latest mention; 0 if there are none."""
    return int(Mention.select(fn.max(Mention.id)).scalar(db.peewee) or 0)
