"""Items that their authors have edited: store the new text in place of the old one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from overheard.db.database import Db
from overheard.db.models import Mention, StoredItem
from overheard.db.storable_text import storable, texts_column
from overheard.db.thread_titles import still_untitled
from overheard.db.why_column import why_column
from overheard.messages import MatchedItem

TEXT_FIELDS = ("title", "body", "permalink", "url", "thread_title")

_QUERY_IDS = msgspec.json.Decoder(tuple[int, ...])


def update(db: Db, entries: Sequence[tuple[int, MatchedItem]]) -> None:
    """Store the text of each item (row, item) whose source says that it was edited after what is stored.

    Runs inside store's transaction, which holds the rows' locks in their order. A mention stays as it is, but for its
    highlights and ``why``: those are offsets in the text.
    """
    edited = {row: entry for row, entry in entries if entry.item.edited_at is not None}
    if not edited:
        return  # as for nearly every message
    edited = still_untitled(db, edited)
    for row in sorted(edited):
        entry = edited[row]
        if not _update_text(db, row, entry):
            continue
        Mention.update(highlights="[]", why="[]").where(Mention.item == row).execute(db.peewee)
        for match in entry.matches:
            of_workspace = (Mention.item == row) & (Mention.workspace == match.workspace_id)
            query_ids = Mention.select(Mention.query_ids).where(of_workspace).scalar(db.peewee)
            if query_ids is not None:
                why = why_column(match.why, _QUERY_IDS.decode(query_ids))
                highlights = msgspec.json.encode(match.highlights).decode()
                Mention.update(highlights=highlights, why=why).where(of_workspace).execute(db.peewee)


def _update_text(db: Db, row: int, entry: MatchedItem) -> bool:
    """Return True if the stored text was older, and is replaced."""
    item = entry.item
    texts = {name: storable(getattr(item, name)) for name in TEXT_FIELDS}
    # An answer may lack a field, such as the title of a comment's post.
    values: dict[str, Any] = {name: text for name, text in texts.items() if text or name == "body"}
    values |= {"texts": texts_column(item), "edited_at": item.edited_at}
    values |= {"lang": storable(item.lang), "nsfw": item.nsfw}
    older = StoredItem.edited_at.is_null() | (StoredItem.edited_at < item.edited_at)
    return bool(StoredItem.update(values).where(StoredItem.id == row, older).execute(db.peewee))
