"""Stored items, as their sources returned them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.models import StoredItem
from overheard.items import Item, WatchKey

PAGE_ITEMS = 500  # in memory at once; one may have 100,000 characters
_FIELDS = tuple(name for name in Item.__struct_fields__ if name not in ("id", "texts"))
_COLUMNS = tuple(getattr(StoredItem, name) for name in _FIELDS)
_TEXTS = msgspec.json.Decoder(dict[str, str])


def pages(db: Db, watched: Collection[WatchKey], since: float) -> Iterator[tuple[Item, ...]]:
    """Yield what is stored now of the items in watched places that were published since; a page may be empty."""
    keys, sources = frozenset(watched), {source for source, _, _ in watched}
    last, until = 0, StoredItem.select(fn.MAX(StoredItem.id)).scalar(db.peewee) or 0
    wanted = (StoredItem.created_at >= since) & StoredItem.source.in_(sorted(sources)) & (StoredItem.id <= until)
    columns = (StoredItem.id, StoredItem.ref, StoredItem.texts, *_COLUMNS)
    while True:
        page = StoredItem.select(*columns).where(wanted, StoredItem.id > last).order_by(StoredItem.id).limit(PAGE_ITEMS)
        rows = list(page.tuples().execute(db.peewee))
        if not rows:
            return
        items = (_item(*row[1:]) for row in rows)
        yield tuple(item for item in items if not keys.isdisjoint(item.found_in))
        last = rows[-1][0]


def _item(ref: str, texts: str, *values: Any) -> Item:
    return Item(id=ref, texts=_TEXTS.decode(texts), **dict(zip(_FIELDS, values, strict=True)))
