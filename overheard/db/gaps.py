"""Gaps: items between two readings of a feed that could not be read."""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.models import Feed, Gap
from overheard.db.storable_text import storable
from overheard.items import place_key
from overheard.sources.registry import public_place

OPEN = "open"


class GapRow(msgspec.Struct, frozen=True):
    """A gap as ``gap list`` shows it. Times are seconds since the epoch; the two items themselves were read."""

    source: str
    kind: str
    place: str
    from_item: str | None
    from_at: float | None
    to_item: str | None
    to_at: float | None
    reason: str
    found_at: float
    filled_at: float | None
    state: str


COLUMNS = (
    Feed.source,
    Feed.kind,
    Feed.place,
    *(getattr(Gap, name) for name in GapRow.__struct_fields__[3:]),
)


def listing(db: Db, *, place: str | None = None, state: str | None = None, limit: int) -> list[GapRow]:
    """Return the newest gaps, the last found first."""
    query = Gap.select(*COLUMNS).join(Feed, on=(Gap.feed == Feed.id))
    if place is not None:
        query = query.where(Feed.place == place_key(storable(place)))
    if state is not None:
        query = query.where(Gap.state == state)
    rows = query.order_by(Gap.found_at.desc(), Gap.id.desc()).limit(limit)
    found = rows.tuples().execute(db.peewee)
    return [GapRow(source, kind, public_place(source, place), *others) for source, kind, place, *others in found]


def count_open(db: Db, since: float = 0.0) -> int:
    """Return the number of open gaps that were found since then."""
    query: Any = Gap.select(fn.count(Gap.id)).where(Gap.state == OPEN, Gap.found_at >= since)
    return int(query.scalar(db.peewee) or 0)
