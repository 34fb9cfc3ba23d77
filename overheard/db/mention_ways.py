"""What is stored about the way of an item to a workspace's channels: what ``overheard why`` reads."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from peewee import fn

from overheard.db import erasure, freshness, mentions
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, Erased, Feed, Gap, Mention, StoredItem, Watch
from overheard.db.sample import item_columns, item_of
from overheard.db.storable_text import storable
from overheard.items import Item
from overheard.messages import Key
from overheard.notices import PublicMention
from overheard.sources.registry import SOURCES

LATE_SECONDS = 86400.0  # between an item's time, its storing and its sending; what takes longer is found by --item only
MAX_ITEMS = 20
MAX_GAPS = 5
_NAMES = msgspec.json.Decoder(tuple[str, ...])


class WayMention(msgspec.Struct, frozen=True):
    """A mention with the times of its way, in seconds since the epoch; ``read_at`` is 0 if it is unknown."""

    id: int
    public: PublicMention
    created_at: float
    stored_at: float
    read_at: float


class ItemNames(msgspec.Struct, frozen=True):
    """What an item may be called: its source's ids, a mention's id, addresses of its page."""

    refs: tuple[str, ...] = ()
    mention_id: int | None = None
    permalinks: tuple[str, ...] = ()


class WatchFacts(msgspec.Struct, frozen=True):
    """A feed that a workspace watches since ``since``, and how its reading goes. Times are 0 for never."""

    source: str
    kind: str
    place: str
    kinds: tuple[str, ...]
    since: float
    fresh_at: float
    failures: int
    retry_at: float
    reason: str | None


class WayChannel(msgspec.Struct, frozen=True):
    """A channel of the workspace; ``queries``: those it hears of, empty for all."""

    name: str
    mode: str
    created_at: float
    disabled_at: float | None
    failing_since: float | None
    not_before: float
    reason: str | None
    queries: tuple[str, ...]


class StoredCopy(msgspec.Struct, frozen=True):
    """An item that is stored, for another workspace or for the sample, and since when."""

    item: Item
    stored_at: float


class GapFacts(msgspec.Struct, frozen=True):
    """A gap in a feed that the workspace watches."""

    source: str
    place: str
    reason: str
    from_at: float | None
    to_at: float | None
    found_at: float
    state: str


def around(db: Db, workspace_id: int, since: float, until: float, limit: int) -> list[WayMention]:
    """Return the first mentions that have to do with the time between two times.

    Those that were stored then, whose items were published then, or that were sent then or are to be tried.
    """
    stored_near = Mention.stored_at.between(since - LATE_SECONDS, until + LATE_SECONDS)
    delivered = Delivery.select(Delivery.id).where(
        Delivery.mention == Mention.id,
        Delivery.sent_at.between(since, until) | Delivery.due_at.between(since, until),
    )
    then = Mention.stored_at.between(since, until) | StoredItem.created_at.between(since, until) | fn.EXISTS(delivered)
    return _mentions(db, Mention.workspace == workspace_id, stored_near, then, limit=limit)


def of_item(db: Db, workspace_id: int, names: ItemNames) -> list[WayMention]:
    """Return the workspace's mentions of an item."""
    refs, addresses = (list(map(storable, texts)) for texts in (names.refs, names.permalinks))
    wanted = StoredItem.ref.in_(refs) | StoredItem.permalink.in_(addresses)
    if names.mention_id is not None:
        wanted |= Mention.id == names.mention_id
    return _mentions(db, Mention.workspace == workspace_id, wanted, limit=MAX_ITEMS)


def _mentions(db: Db, *conditions: Any, limit: int) -> list[WayMention]:
    chosen = mentions.rows().select_extend(Mention.read_at).where(*conditions).order_by(Mention.id).limit(limit)
    rows = list(chosen.tuples().execute(db.peewee))
    public = mentions.to_public(db, [row[:-1] for row in rows])
    return [
        WayMention(int(each.id), each, row[mentions.CREATED_AT], row[mentions.STORED_AT], row[-1])
        for each, row in zip(public, rows, strict=True)
    ]


def neighbours(db: Db, workspace_id: int, moment: float) -> tuple[float | None, float | None]:
    """Return when the last mention before a time, and the first one after it, were stored."""
    own = Mention.workspace == workspace_id
    before = Mention.select(fn.MAX(Mention.stored_at)).where(own, Mention.stored_at < moment)
    after = Mention.select(fn.MIN(Mention.stored_at)).where(own, Mention.stored_at >= moment)
    return db.scalar_time(before), db.scalar_time(after)


def stored_copies(db: Db, names: ItemNames) -> list[StoredCopy]:
    """Return the stored items of these names. By an address, it reads the whole table."""
    # With their sources, so that the index on (source, ref) is used.
    by_id = StoredItem.source.in_(list(SOURCES)) & StoredItem.ref.in_([storable(ref) for ref in names.refs])
    by_address = StoredItem.permalink.in_([storable(address) for address in names.permalinks])
    columns = item_columns()
    for condition in (by_id, by_address):
        rows = StoredItem.select(*columns, StoredItem.stored_at).where(condition).limit(MAX_ITEMS)
        if found := [StoredCopy(item_of(values), at) for *values, at in rows.tuples().execute(db.peewee)]:
            return found
    return []


def erased_at(db: Db, keys: Collection[Key]) -> float | None:
    """Return when one of these items was erased; None if there is no tombstone (any more)."""
    named = [storable(erasure.item_key(key)) for key in keys]
    return db.scalar_time(Erased.select(fn.MAX(Erased.at)).where(Erased.key.in_(named)))


def watches(db: Db, workspace_id: int) -> list[WatchFacts]:
    """Return what the workspace watches."""
    rows = (
        Watch.select(
            Feed.source, Feed.kind, Feed.place, Watch.kinds, Watch.created_at, freshness.fresh_at(), Feed.failures,
            Feed.retry_at, Feed.reason,
        )
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Watch.workspace == workspace_id)
        .order_by(Feed.source, Feed.place, Feed.kind)
    )  # fmt: skip
    return [
        WatchFacts(source, kind, place, tuple(kinds.split()), *others)
        for source, kind, place, kinds, *others in rows.tuples().execute(db.peewee)
    ]


def channels(db: Db, workspace_id: int) -> list[WayChannel]:
    """Return the workspace's channels by name."""
    columns = [getattr(Channel, name) for name in WayChannel.__struct_fields__]
    rows = Channel.select(*columns).where(Channel.workspace == workspace_id).order_by(Channel.name)
    found = rows.dicts().execute(db.peewee)
    return [WayChannel(**row | {"queries": _NAMES.decode(row["queries"])}) for row in found]


def gaps(db: Db, workspace_id: int, since: float, until: float) -> list[GapFacts]:
    """Return the newest gaps in what the workspace watches that may hold items of between two times."""
    begins, ends = fn.COALESCE(Gap.from_at, Gap.found_at), fn.COALESCE(Gap.to_at, Gap.found_at)
    rows = (
        Gap.select(Feed.source, Feed.place, Gap.reason, Gap.from_at, Gap.to_at, Gap.found_at, Gap.state)
        .join(Feed, on=(Gap.feed == Feed.id))
        .join(Watch, on=(Watch.feed == Feed.id))
        .where(Watch.workspace == workspace_id, begins <= until, ends >= since)
        .order_by(Gap.id.desc())
        .limit(MAX_GAPS)
    )
    return [GapFacts(*row) for row in rows.tuples().execute(db.peewee)]
