"""Gaps: items between two readings of a feed that could not be read. How they are filled: ``gap_filling``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.models import Feed, Gap
from overheard.db.storable_text import storable
from overheard.items import place_key
from overheard.messages import GapBounds
from overheard.reading.numbers import NumberRange
from overheard.sources.registry import public_place, source_type

OPEN, FILLED, LOST = "open", "filled", "lost"  # the values of ``Gap.state``
INSERT_ROWS = 1000  # for each INSERT: well under every database's limit of parameters


class GapRow(msgspec.Struct, frozen=True):
    """A gap as ``gap list`` shows it. Times are seconds since the epoch.

    The two items themselves were read, except those of a hole of Reddit's, which had not appeared.
    """

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


def record(db: Db, source: str, feed_ids: Sequence[int], missed: Sequence[GapBounds], now: float) -> None:
    """Record what a poll of these feeds has missed, within the transaction that moves their cursor."""
    rows = list(_rows(source, feed_ids, missed, now))
    for start in range(0, len(rows), INSERT_ROWS):
        Gap.insert_many(rows[start : start + INSERT_ROWS]).execute(db.peewee)


def _rows(source: str, feed_ids: Sequence[int], missed: Sequence[GapBounds], now: float) -> Iterator[dict[str, object]]:
    for gap in missed:
        from_item, from_at = gap.since or (None, None)
        to_item, to_at = gap.until or (None, None)
        first_number, last_number = _numbers(source, gap.reason, from_item, to_item) or (None, None)
        row: dict[str, object] = {
            "from_item": from_item,
            "from_at": from_at,
            "to_item": to_item,
            "to_at": to_at,
            "reason": gap.reason,
            "found_at": now,
            "first_number": first_number,
            "last_number": last_number,
        }
        yield from (row | {"feed": feed} for feed in feed_ids)


def _numbers(source: str, reason: str, from_item: str | None, to_item: str | None) -> NumberRange | None:
    """Return which numbers the gap's items may have; None if its bounds do not tell."""
    return None if from_item is None or to_item is None else source_type(source).gap_numbers(reason, from_item, to_item)


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
    return _count(db, OPEN, since)


def count_lost(db: Db, since: float = 0.0) -> int:
    """Return the number of lost gaps that were found since then."""
    return _count(db, LOST, since)


def _count(db: Db, state: str, since: float) -> int:
    query: Any = Gap.select(fn.count(Gap.id)).where(Gap.state == state, Gap.found_at >= since)
    return int(query.scalar(db.peewee) or 0)
