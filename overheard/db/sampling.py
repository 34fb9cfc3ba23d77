"""The sample of recent items, as it is written: a bounded and uniform part of what is read, whether it matches or not.

Each item has a pseudo-random priority in [0, 1), a hash under the installation's own key, so that no author can choose
an id that is in the sample. A source's ``share`` is the bound: items with a lower priority are in. If there are too
many, the share falls, and those above it leave; if there are few, it rises again. Each row has the lowest share under
which it has been in the sample: it stands for 1/share items, and all of them together for everything that was read.

Sampled items are rows of the same table as all others, so that whatever erases, edits or forgets items reaches them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from peewee import fn

from overheard.db.compiled import among, compiled, inserted
from overheard.db.database import Db
from overheard.db.models import Feed, Mention, SampledItem, SampleSource, StoredItem, Watch
from overheard.items import ALL, KINDS_IN, Item, place_key
from overheard.messages import MatchedItem, SampleDraw

# So far ahead, ``checked_at`` keeps an item out of the rechecks while it is in the sample, for a day at most: requests
# are for items with mentions.
NEVER_CHECKED_SECONDS = 2 * 86400.0
RELEASE_BATCH_ROWS = 500
# Parts of the quota. Chosen so that the sample never exceeds it, though several processes add to it between two counts,
# and so that the share does not rise and fall in turn.
FULL, AFTER_FALL, AFTER_RISE, FEW = 0.9, 0.8, 0.75, 0.6
COUNT_EVERY = 0.04  # of the quota: so many new rows of a process make it count all of them
HASH_UNIT = 2.0**-53
# The first items of a busy source would fill the sample in seconds, in which store would do little else, and would soon
# make room for others. So the quota of a source grows to its full size during an hour, from a tenth of it.
GROWTH_SECONDS, FIRST_PART = 3600.0, 0.1


def priority(key: bytes, item: Item) -> float:
    """Return the item's priority, which depends on nothing but its source and id, under the installation's key."""
    hasher = _keyed(key).copy()
    hasher.update(f"{item.source}:{item.id}".encode("utf-8", "surrogatepass"))
    # A double has 53 bits: with all 64, rounding up might make it 1.
    return (int.from_bytes(hasher.digest()) >> 11) * HASH_UNIT


@lru_cache(maxsize=1)
def _keyed(key: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=8, key=key)


def shares(db: Db) -> dict[str, float]:
    """Return the share of each source of which something was sampled."""
    return dict(SampleSource.select(SampleSource.source, SampleSource.share).tuples().execute(db.peewee))


def drawn(db: Db, entries: Sequence[MatchedItem], now: float) -> dict[tuple[str, str], SampleDraw]:
    """Return the draws of those entries that are still to be in the sample. Runs inside store's transaction.

    match may have drawn them under a share that has fallen since, or risen: the lower one is the probability.
    """
    draws = {entry.item.key: entry.sample for entry in entries if entry.sample is not None}
    if not draws:
        return {}
    current = _locked_shares(db, sorted({source for source, _ in draws}), now)
    kept = {key: SampleDraw(draw.priority, min(draw.share, current[key[0]])) for key, draw in draws.items()}
    return {key: draw for key, draw in kept.items() if draw.priority < draw.share}


def _locked_shares(db: Db, sources: Sequence[str], now: float) -> dict[str, float]:
    """Return the shares of these sources, which do not change before the transaction ends."""
    found = dict(_shares_of(db, sources=sources))
    if missing := [source for source in sources if source not in found]:
        rows = [{"source": source, "share": 1.0, "since": now} for source in missing]
        SampleSource.insert_many(rows).on_conflict_ignore().execute(db.peewee)
        found |= dict(_shares_of(db, sources=missing))
    return found


@compiled
def _shares_of(db: Db, sources: Any) -> Any:
    of_sources = SampleSource.select(SampleSource.source, SampleSource.share).where(among(SampleSource.source, sources))
    return db.locked_for_reference(of_sources.order_by(SampleSource.source))


def add(db: Db, rows: Sequence[tuple[int, Item, SampleDraw]], now: float) -> Counter[str]:
    """Put stored items (row, item, draw) into the sample; return how many were not in it, by source.

    Runs inside store's transaction.
    """
    if not rows:
        return Counter()
    values = [
        {
            "item": row,
            "source": item.source,
            "place": place_key(item.place),
            "priority": draw.priority,
            "share": draw.share,
            "at": now,
        }
        for row, item, draw in sorted(rows, key=lambda each: each[0])
    ]
    return Counter(source for (source,) in _add_rows(db, rows=values))


@compiled
def _add_rows(db: Db, rows: Any) -> Any:
    return inserted(SampledItem, rows).on_conflict_ignore().returning(SampledItem.source)


def check_again(db: Db, item_ids: Iterable[int]) -> None:
    """Let items that only the sample had be rechecked as if there was no sample: they have mentions now."""
    for item_id in sorted(item_ids):  # one order of locks for all workers
        StoredItem.update(checked_at=StoredItem.stored_at).where(StoredItem.id == item_id).execute(db.peewee)


class SampleState(msgspec.Struct, frozen=True):
    """What is sampled of a source: how many rows, and the share of its items."""

    rows: int
    share: float


def adjust(db: Db, source: str, quota: int, now: float, *, rise: bool) -> SampleState:
    """Keep the source's share in proportion to its quota: lower it if the sample is full, raise it if it is small.

    Rows above the new share do not belong to the sample any more; ``release_above`` deletes them.
    Outside of a transaction. ``rise``: False where only a flood is to be stopped.
    """
    with db.transaction():
        of_source: Any = SampleSource.select(SampleSource.share, SampleSource.since).where(
            SampleSource.source == source
        )
        # The lock waits for every store that is adding rows under the old share, and holds up those that follow.
        row = (of_source if db.sqlite else of_source.for_update()).tuples().first(db.peewee)
        if row is None:
            return SampleState(0, 1.0)
        share, since = row
        quota = max(round(quota * min(max((now - since) / GROWTH_SECONDS, FIRST_PART), 1.0)), 1)
        of_share = (SampledItem.source == source) & (SampledItem.priority < share)
        count = SampledItem.select(fn.COUNT(SampledItem.item)).where(of_share).scalar(db.peewee)
        kept = max(int(AFTER_FALL * quota), 1)
        if count > max(FULL * quota, 1):
            new = _priority_of_rank(db, of_share, kept)
        elif rise and count < FEW * quota and share < 1:
            items = SampledItem.select(fn.SUM(1 / SampledItem.share)).where(of_share).scalar(db.peewee) or 0.0
            # What would have filled the sample in the time that it covers.
            new = min(1.0, max(share, AFTER_RISE * quota / items)) if items else 1.0
        else:
            return SampleState(count, share)
        if new < share:
            shrunk = (SampledItem.source == source) & (SampledItem.share > new)
            SampledItem.update(share=new).where(shrunk).execute(db.peewee)
            count = kept
        SampleSource.update(share=new).where(SampleSource.source == source).execute(db.peewee)
        return SampleState(count, new)


def _priority_of_rank(db: Db, of_share: Any, rank: int) -> float:
    """Return the priority that exactly ``rank`` rows are below."""
    ordered = SampledItem.select(SampledItem.priority).where(of_share).order_by(SampledItem.priority)
    return float(ordered.offset(rank).limit(1).scalar(db.peewee))


def release_above(db: Db, source: str) -> int:
    """Delete from the source's sample what is above its share; return how many items were deleted."""
    share = shares(db).get(source, 1.0)
    return release(db, (SampledItem.source == source) & (SampledItem.priority >= share))


def release_old(db: Db, before: float) -> int:
    """Delete from the sample what was taken before a time; return how many items were deleted."""
    return release(db, SampledItem.at < before)


def release(db: Db, leaving: Any) -> int:
    """Delete the rows of the sample on this condition; return how many items were deleted.

    Items go with their rows unless a mention refers to them. Outside of a transaction; in batches small enough to hold
    no lock for long.
    """
    deleted = 0
    while True:
        done, items = _release_batch(db, leaving)
        deleted += items
        if done < RELEASE_BATCH_ROWS:  # the last, or a store holds some of them: the next call finds these again
            return deleted


def _release_batch(db: Db, leaving: Any) -> tuple[int, int]:
    with db.transaction():
        rows = SampledItem.select(SampledItem.item).where(leaving).limit(RELEASE_BATCH_ROWS)
        found: Any = StoredItem.select(StoredItem.id).where(StoredItem.id.in_(rows)).order_by(StoredItem.id)
        locked = found if db.sqlite else found.for_update(skip_locked=True)
        ids = [item for (item,) in locked.tuples().execute(db.peewee)]
        # Checked under the lock: store may just have mentioned one of them.
        used = Mention.select(Mention.item).where(Mention.item.in_(ids)).distinct().tuples().execute(db.peewee)
        mentioned = {item for (item,) in used}
        ahead = StoredItem.checked_at > StoredItem.stored_at + NEVER_CHECKED_SECONDS / 2
        unchecked = StoredItem.select(StoredItem.id).where(StoredItem.id.in_(sorted(mentioned)), ahead)
        check_again(db, [item for (item,) in unchecked.tuples().execute(db.peewee)])
        SampledItem.delete().where(SampledItem.item.in_(sorted(mentioned))).execute(db.peewee)
        unused = sorted(set(ids) - mentioned)
        return len(ids), int(StoredItem.delete().where(StoredItem.id.in_(unused)).execute(db.peewee))


def release_unwatched(db: Db) -> int:
    """Delete from the sample what is of places that no workspace watches any more; return how many items."""
    kinds = list(KINDS_IN)  # all of them, so that the index on (source, kind, place) is used
    deleted = 0
    pairs = SampledItem.select(SampledItem.source, SampledItem.place).distinct().alias("pairs")
    watched = (
        Watch.select(Watch.feed)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Feed.source == pairs.c.source, Feed.kind.in_(kinds), Feed.place.in_([pairs.c.place, ALL]))
    )
    unwatched = pairs.select_from(pairs.c.source, pairs.c.place).where(~fn.EXISTS(watched))
    for source, place in list(unwatched.tuples().execute(db.peewee)):
        deleted += release(db, (SampledItem.source == source) & (SampledItem.place == place))
    return deleted


def clear(db: Db) -> int:
    """Delete the whole sample: it was turned off. Return how many items were deleted."""
    for source in shares(db):
        # First, so that nothing is added any more once the rows are deleted.
        SampleSource.update(share=0).where(SampleSource.source == source).execute(db.peewee)
    deleted = release(db, SampledItem.share >= 0)
    SampleSource.delete().execute(db.peewee)
    return deleted


class SampleQuota:
    """Keeps what this process adds to the sample within the quota of each source."""

    def __init__(self, db: Db, quota: int) -> None:
        self.db = db
        self.quota = quota
        self._added: Counter[str] = Counter()

    def note(self, added: Mapping[str, int], now: float) -> None:
        """Count new rows of each source, and now and then lower the share of one that has too many.

        Outside of a transaction. Raises Unavailable.
        """
        for source, count in added.items():
            self._added[source] += count
            if self._added[source] > COUNT_EVERY * self.quota:
                self._added[source] = 0
                adjust(self.db, source, self.quota, now, rise=False)
                release_above(self.db, source)
