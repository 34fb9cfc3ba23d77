"""Mentions that another query of their workspace finds, too."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from overheard.db.database import Db
from overheard.db.models import Mention, StoredItem
from overheard.db.why_column import why_column
from overheard.messages import MatchedItem

_QUERY_IDS = msgspec.json.Decoder(list[int])


def add_queries(db: Db, workspace_id: int, query_id: int, found: Sequence[MatchedItem]) -> int:
    """Name a query in the workspace's mentions of these items, and return how many did not name it.

    They get the highlights and ``why`` of all queries that match now.
    """
    added = 0
    with db.transaction():
        for entry in sorted(found, key=lambda entry: entry.item.key):  # one order of locks for all processes
            source, ref = entry.item.key
            mentions = (
                Mention.select(Mention.id, Mention.query_ids)
                .join(StoredItem, on=(Mention.item == StoredItem.id))
                .where(Mention.workspace == workspace_id, StoredItem.source == source, StoredItem.ref == ref)
            )
            for mention_id, column in list(mentions.tuples().execute(db.peewee)):
                had = _QUERY_IDS.decode(column)
                if query_id not in had:
                    [match] = entry.matches
                    query_ids = sorted({*had, query_id})
                    values = {
                        "query_ids": msgspec.json.encode(query_ids).decode(),
                        "highlights": msgspec.json.encode(match.highlights).decode(),
                        "why": why_column(match.why, query_ids),
                    }
                    same = (Mention.id == mention_id) & (Mention.query_ids == column)
                    added += int(Mention.update(values).where(same).execute(db.peewee))
    return added
