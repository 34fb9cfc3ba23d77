"""Items that their authors have edited: the new text replaces the old one, and mentions tell what it matches now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.models import Mention, Query, StoredItem
from overheard.db.storable_text import storable, texts_column
from overheard.db.thread_titles import untitled, without_title
from overheard.db.why_column import why_column
from overheard.items import SEARCHED_TEXTS, Item
from overheard.messages import Key, MatchedItem, WorkspaceMatch

TEXT_FIELDS = ("title", "body", "permalink", "url", "thread_title")

_QUERY_IDS = msgspec.json.Decoder(tuple[int, ...])
_TEXTS = msgspec.json.Decoder(dict[str, str])


class StoredRow(NamedTuple):
    """The row of a stored item. ``edited_at``: of the stored text."""

    id: int
    checked_at: float
    edited_at: float | None


class FoundByEdit(msgspec.Struct, frozen=True):
    """A mention that more queries find since an edit: ``known`` are those that had found it before."""

    id: int
    workspace_id: int
    backfilled: bool
    queries: tuple[int, ...]
    known: tuple[int, ...]


def outdated(db: Db, items: Sequence[tuple[StoredRow, Item]]) -> set[Key]:
    """Return the keys of copies that are older than what is stored, and differ: they came in the wrong order."""
    older = {
        row.id: item for row, item in items if row.edited_at is not None and row.edited_at > (item.edited_at or 0.0)
    }
    if not older:
        return set()
    columns = (StoredItem.id, StoredItem.title, StoredItem.body, StoredItem.texts)
    rows = StoredItem.select(*columns).where(StoredItem.id.in_(sorted(older))).tuples().execute(db.peewee)
    # A source may have told only once that an item was edited.
    shown = {
        row: (storable(item.title), storable(item.body), _searched(texts_column(item))) for row, item in older.items()
    }
    return {older[row].key for row, title, body, texts in rows if (title, body, _searched(texts)) != shown[row]}


def _searched(texts: str) -> dict[str, str]:
    """Return what queries search of an item's further texts, from their column: a flair may change without an edit."""
    return {name: text for name, text in _TEXTS.decode(texts).items() if name in SEARCHED_TEXTS}


def untitled_still(db: Db, entries: Sequence[MatchedItem], rows: Mapping[Key, StoredRow]) -> Sequence[MatchedItem]:
    """Return the entries, edited comments without the title of a post that was erased, however long ago.

    The stored comment has no title then, nor its link the title's words; the post's tombstone may be gone by now.
    """
    comments = (each.item for each in entries if each.item.edited_at is not None and each.item.kind == "comment")
    edited = {rows[item.key].id: item for item in comments if item.key in rows}
    if not edited:
        return entries  # as for nearly every message
    links = StoredItem.select(StoredItem.id, StoredItem.permalink).where(
        StoredItem.id.in_(sorted(edited)), StoredItem.thread_title == ""
    )
    found = links.tuples().execute(db.peewee)
    bare = {edited[row].key for row, link in found if link == without_title(edited[row]).permalink}
    return [untitled(each) if each.item.key in bare else each for each in entries]


def update(db: Db, entries: Sequence[tuple[StoredRow, MatchedItem]]) -> list[tuple[FoundByEdit, MatchedItem]]:
    """Store the text of each item whose source says that it was edited after what is stored.

    Its mentions get the highlights and ``why`` of the new text, and the queries that match it now; those that found the
    old one stay. Return the mentions that got more queries.

    Runs inside store's transaction, which holds the rows' locks in their order. A workspace without a mention gets one
    like for any item.
    """
    found: list[tuple[FoundByEdit, MatchedItem]] = []
    # An item with very many matches comes in several entries.
    edited: dict[int, list[MatchedItem]] = {}
    for row, entry in entries:
        at = entry.item.edited_at
        if at is not None and (row.edited_at is None or row.edited_at < at):
            edited.setdefault(row.id, []).append(entry)
    for item_id in sorted(edited):  # none, for nearly every message
        if _update_text(db, item_id, edited[item_id][0]):
            Mention.update(highlights="[]", why="[]").where(Mention.item == item_id).execute(db.peewee)
            matches = [(match, entry) for entry in edited[item_id] for match in entry.matches]
            found += [(more, entry) for match, entry in matches if (more := _update_mention(db, item_id, match))]
    return found


def _update_mention(db: Db, item_id: int, match: WorkspaceMatch) -> FoundByEdit | None:
    of_workspace = (Mention.item == item_id) & (Mention.workspace == match.workspace_id)
    columns = (Mention.id, Mention.query_ids, Mention.backfilled)
    row = Mention.select(*columns).where(of_workspace).tuples().first(db.peewee)
    if row is None:
        return None
    mention_id, column, backfilled = row
    known = _QUERY_IDS.decode(column)
    present = {query for (query,) in _present(db, ids=sorted(set(match.query_ids) - set(known)))}
    more = tuple(query for query in match.query_ids if query in present)
    values = {
        "query_ids": msgspec.json.encode([*known, *more]).decode(),
        "highlights": msgspec.json.encode(match.highlights).decode(),
        "why": why_column(match.why, {*known, *more}),
    }
    Mention.update(values).where(Mention.id == mention_id).execute(db.peewee)
    return FoundByEdit(mention_id, match.workspace_id, bool(backfilled), more, known) if more else None


@compiled
def _present(db: Db, ids: Any) -> Any:
    return Query.select(Query.id).where(among(Query.id, ids), Query.removed_at.is_null())


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
