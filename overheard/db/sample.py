"""Reading the sample of recent items: of what some workspaces watch, and for how long each place is in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.models import Feed, SampledItem, SampleSource, StoredItem, Watch, Workspace
from overheard.items import ALL, KINDS_IN, Item, WatchKey

ROWS_PER_STATEMENT = 500
ALL_KINDS = list(KINDS_IN)  # of feeds: so that the index on (source, kind, place) is used
_TEXTS = msgspec.json.Decoder(dict[str, str])


class Sampled(NamedTuple):
    """An item of the sample; it stands for ``weight`` items that were read."""

    item: Item
    weight: float


def sampled_items(db: Db, workspace_id: int | None = None, since: float = 0.0) -> Iterator[Sampled]:
    """Yield the sampled items of the places that a workspace watches (None: that any active one does).

    Those that were created at ``since`` or later, in batches, so that memory does not grow with them.
    """
    rows: Any = (
        SampledItem.select(SampledItem.item, SampledItem.share, *item_columns())
        .join(StoredItem, on=(SampledItem.item == StoredItem.id))
        .where(SampledItem.priority < SampledItem.share, StoredItem.created_at >= since)
        .where(_watched(db, workspace_id))
        .order_by(SampledItem.item)
        .limit(ROWS_PER_STATEMENT)
    )
    last = 0
    while batch := list(rows.where(SampledItem.item > last).tuples().execute(db.peewee)):
        yield from (Sampled(item_of(values), 1 / share) for _, share, *values in batch)
        last = batch[-1][0]


def sampled_by_author(db: Db, source: str, most: int) -> Iterator[Sampled]:
    """Yield up to ``most`` of a source's sampled items, a uniform part of them, those of one author side by side."""
    of_source = (SampledItem.source == source) & (SampledItem.priority < SampledItem.share)
    ordered = SampledItem.select(SampledItem.priority).where(of_source).order_by(SampledItem.priority)
    bound = ordered.offset(most).limit(1).scalar(db.peewee)
    share = 1.0 if bound is None else float(bound)  # of the rows with a lower priority, whatever the share of others
    rows = (
        SampledItem.select(SampledItem.item, SampledItem.share)
        .join(StoredItem, on=(SampledItem.item == StoredItem.id))
        .where(of_source, SampledItem.priority < share)
        .order_by(fn.LOWER(StoredItem.author), SampledItem.item)
        .limit(most)
    )
    ids = [(row, 1 / min(share, own)) for row, own in rows.tuples().execute(db.peewee)]
    for start in range(0, len(ids), ROWS_PER_STATEMENT):
        some = ids[start : start + ROWS_PER_STATEMENT]
        found = StoredItem.select(StoredItem.id, *item_columns()).where(StoredItem.id.in_([row for row, _ in some]))
        items = {row: item_of(values) for row, *values in found.tuples().execute(db.peewee)}
        yield from (Sampled(items[row], weight) for row, weight in some if row in items)


def item_columns() -> list[Any]:
    """Return the columns of which ``item_of`` makes an item."""
    return [StoredItem.ref if name == "id" else getattr(StoredItem, name) for name in Item.__struct_fields__]


def item_of(values: Sequence[Any]) -> Item:
    """Return the item of a row of ``item_columns``."""
    fields = dict(zip(Item.__struct_fields__, values, strict=True))
    return Item(**fields | {"texts": _TEXTS.decode(fields["texts"])})


def _watched(db: Db, workspace_id: int | None) -> Any:
    """Return the condition that the workspace watches the item's place, for items of its kind."""
    watch = (
        Watch.select(Watch.feed)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(
            Feed.source == SampledItem.source,
            Feed.kind.in_(ALL_KINDS),
            Feed.place.in_([SampledItem.place, ALL]),
            db.contains(Watch.kinds, StoredItem.kind),
        )
    )
    if workspace_id is not None:
        return fn.EXISTS(watch.where(Watch.workspace == workspace_id))
    workspaces = Workspace.select(Workspace.id).where(Workspace.active, ~Workspace.internal)
    return fn.EXISTS(watch.where(Watch.workspace.in_(workspaces)))


class Coverage:
    """Since when everything that was read of each place could be in the sample. Older items do not count."""

    def __init__(self, sampled_since: dict[str, float], watched_since: dict[WatchKey, float], opening: float) -> None:
        self._sampled_since = sampled_since
        self._watched_since = watched_since
        self.opening = opening

    def since(self, item: Item) -> float:
        """Return the time from which the item's place is covered: within the window, sampled, and read."""
        times = [self._watched_since[key] for key in item.found_in if key in self._watched_since]
        watched = min(times, default=self.opening)
        return max(self.opening, watched, self._sampled_since.get(item.source, self.opening))


def coverage(db: Db, opening: float, workspace_id: int | None = None) -> Coverage:
    """Return the coverage, from ``opening`` on, of what a workspace watches (None: of everything that is watched)."""
    sampled = SampleSource.select(SampleSource.source, SampleSource.since).tuples().execute(db.peewee)
    feeds = Watch.select(Feed.source, Feed.kind, Feed.place, Feed.created_at).join(Feed, on=(Watch.feed == Feed.id))
    if workspace_id is not None:
        feeds = feeds.where(Watch.workspace == workspace_id)
    watched: dict[WatchKey, float] = {}
    for source, kind, place, created_at in feeds.distinct().tuples().execute(db.peewee):
        for item_kind in KINDS_IN[kind]:
            key = (source, item_kind, place)
            watched[key] = min(created_at, watched.get(key, created_at))
    return Coverage(dict(sampled), watched, opening)
