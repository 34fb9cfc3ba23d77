"""Erasing items: with all their mentions and deliveries, wherever they are stored, and so that they do not come back.

Copies of an item are still in flight: in messages on the bus, in the next reading of a quiet place. So erasing leaves a
tombstone, which store checks: the item's key for some days (after that no copy is left), and permanently a hash of
the name of an author who asked to be forgotten.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any

import msgspec
from peewee import fn

from overheard.db import same_links, thread_titles
from overheard.db.channel_locks import lock_channels_of
from overheard.db.compiled import among, compiled
from overheard.db.database import Db
from overheard.db.models import (
    BUNDLED,
    DIGEST,
    HELD,
    PENDING,
    SUMMARY,
    Delivery,
    Erased,
    FailedTry,
    Mention,
    StoredItem,
)
from overheard.items import Item
from overheard.messages import Key

TOMBSTONE_SECONDS = 7 * 86400.0  # an erased item's key is kept: RabbitMQ keeps dead letters for as long
KEYS_PER_STATEMENT = 400  # well under every database's limit of parameters
AUTHOR_KEY_PREFIX = "u/"
# Stores share this lock, and erasing waits for them. A lock on the table would also wait for its vacuum or cancel it,
# and would hold up everything else that writes there.
STORE_LOCK_KEY = 0x07E4_4EA4E  # any number that nothing else locks; ``migrate`` has the one before


class ErasedCounts(msgspec.Struct):
    """How much was erased. ``digests``: unsent ones that were left empty."""

    items: int = 0
    mentions: int = 0
    deliveries: int = 0
    digests: int = 0

    def add(self, other: ErasedCounts) -> None:
        """Add the other counts."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


def erase_items(
    db: Db, item_ids: Collection[int], now: float, *, nameless: Collection[tuple[str, str]] = ()
) -> ErasedCounts:
    """Erase stored items that are gone from their source. Outside of a transaction.

    ``nameless``: (source, author) of deleted accounts; their names are removed from all that is stored.
    """
    rows = StoredItem.select(StoredItem.source, StoredItem.ref).where(StoredItem.id.in_(list(item_ids)))
    counts = erase_keys(db, list(rows.tuples().execute(db.peewee)), now)
    for source, author in sorted(nameless):
        StoredItem.update(author=None).where(written_by(source, author)).execute(db.peewee)
    return counts


def erase_keys(db: Db, keys: Collection[Key], now: float) -> ErasedCounts:
    """Erase items, stored or not: none of them is stored from here on. Outside of a transaction.

    1. Tombstones are written, so that store refuses the items, and their titles in comments below them.
    2. Posts' titles are removed from stored comments: after a crash in between, the posts can still be found.
    3. Then, in one transaction, the items are deleted, with their mentions and deliveries.
    """
    counts, ordered = ErasedCounts(), sorted(set(keys))  # one order of locks for all workers
    if ordered:
        remember(db, map(item_key, ordered), now)
    for start in range(0, len(ordered), KEYS_PER_STATEMENT):
        batch = ordered[start : start + KEYS_PER_STATEMENT]
        thread_titles.erase_titles(db, _of_keys(StoredItem.thread, batch))
        counts.add(_erase_rows(db, batch))
    return counts


def erase_account(db: Db, source: str, author: str, until: float, now: float) -> ErasedCounts:
    """Erase what is stored of an account that is gone: items of up to ``until``. It may come back and write again.

    Outside of a transaction. Items that are not stored leave no tombstones, unlike those of an author on request.
    """
    counts = ErasedCounts()
    written = written_by(source, author) & (StoredItem.created_at <= until)
    batch = StoredItem.select(StoredItem.source, StoredItem.ref).where(written).limit(KEYS_PER_STATEMENT)
    while keys := list(batch.tuples().execute(db.peewee)):
        counts.add(erase_keys(db, keys, now))
    return counts


def _of_keys(ref: Any, keys: Iterable[Key]) -> Any:
    """Return the condition that the item's source and ``ref`` are one of these keys."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, item_ref in keys:
        by_source[source].append(item_ref)
    return reduce(or_, ((StoredItem.source == source) & ref.in_(refs) for source, refs in by_source.items()))


def _erase_rows(db: Db, keys: Sequence[Key]) -> ErasedCounts:
    with db.transaction():
        rows: Any = (
            StoredItem.select(StoredItem.id)
            .where(_of_keys(StoredItem.ref, keys))
            .order_by(StoredItem.source, StoredItem.ref)
        )
        locked = (rows if db.sqlite else rows.for_update()).tuples().execute(db.peewee)
        item_ids = [item_id for (item_id,) in locked]
        if not item_ids:
            return ErasedCounts()
        mention_ids = Mention.select(Mention.id).where(Mention.item.in_(item_ids))
        lock_channels_of(db, Delivery.mention.in_(mention_ids))
        bundled = Delivery.select(Delivery.bundle).where(Delivery.mention.in_(mention_ids), Delivery.state == BUNDLED)
        digests = [digest for (digest,) in bundled.distinct().tuples().execute(db.peewee)]
        _free_linked(db, mention_ids)
        return ErasedCounts(
            deliveries=Delivery.delete().where(Delivery.mention.in_(mention_ids)).execute(db.peewee),
            mentions=Mention.delete().where(Mention.item.in_(item_ids)).execute(db.peewee),
            items=StoredItem.delete().where(StoredItem.id.in_(item_ids)).execute(db.peewee),
            digests=_delete_empty_digests(db, digests),
        )


def _free_linked(db: Db, mention_ids: Any) -> None:
    """Let what would have been told with these mentions, as it links to the same address, be told by itself."""
    untold = Delivery.select(Delivery.id).where(Delivery.mention.in_(mention_ids), Delivery.state.in_([PENDING, HELD]))
    ids = [delivery for (delivery,) in untold.tuples().execute(db.peewee)]
    if ids:
        same_links.unbundle(db, ids)


def _delete_empty_digests(db: Db, digests: Sequence[str]) -> int:
    """Delete unsent digests and summaries that have no mention left.

    Clear the errors of all deliveries in which erased ones were bundled: they may quote them.
    """
    if not digests:
        return 0
    member = Delivery.alias()
    has_members = fn.EXISTS(member.select(member.id).where(member.bundle == Delivery.id))
    Delivery.update(error=None).where(Delivery.id.in_(digests)).execute(db.peewee)
    FailedTry.delete().where(FailedTry.delivery.in_(digests)).execute(db.peewee)
    unsent = Delivery.kind.in_([SUMMARY, DIGEST]) & Delivery.state.in_([PENDING, HELD])
    empty = Delivery.delete().where(Delivery.id.in_(digests), unsent, ~has_members)
    return int(empty.execute(db.peewee))


def written_by(source: str, author: str) -> Any:
    """Return the condition of being an author's item. Names that differ only in case are the same author's.

    SQLite's LOWER, and PostgreSQL's in some locales, leaves characters beyond ASCII as they are: there, they have to be
    given as they are stored.
    """
    spellings = {author.lower(), author.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")}
    return fn.LOWER(StoredItem.author).in_(sorted(spellings)) & (StoredItem.source == source)


def remember(db: Db, keys: Iterable[str], now: float) -> None:
    """Write tombstones: nothing with these keys is stored from here on. Outside of a transaction.

    Concurrent stores either see the tombstones or have committed when this returns.
    """
    rows = [{"key": key, "at": now} for key in sorted(keys)]
    with db.transaction():
        for start in range(0, len(rows), KEYS_PER_STATEMENT):
            Erased.insert_many(rows[start : start + KEYS_PER_STATEMENT]).on_conflict(
                conflict_target=[Erased.key], update={Erased.at: now}
            ).execute(db.peewee)
    db.await_sharers(STORE_LOCK_KEY)


def item_key(key: Key) -> str:
    """Return an erased item's tombstone key."""
    source, ref = key
    return f"{source}:{ref}"


def author_key(source: str, author: str) -> str:
    """Return a forgotten author's tombstone key: a hash."""
    digest = hashlib.sha256(f"overheard:{author.lower()}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{source}:{AUTHOR_KEY_PREFIX}{digest}"


def refused(db: Db, items: Iterable[Item]) -> set[Key]:
    """Return the keys of those items that must not be stored again."""
    by_key: dict[str, set[Key]] = {}
    for item in items:
        by_key.setdefault(item_key(item.key), set()).add(item.key)
        if item.author is not None:
            by_key.setdefault(author_key(item.source, item.author), set()).add(item.key)
    return {key for remembered in _remembered(db, by_key) for key in by_key[remembered]}


def threads_refused(db: Db, items: Iterable[Item]) -> set[Key]:
    """Return the keys of those comments whose posts must not be stored again."""
    threads = {
        item.key: item_key((item.source, item.thread)) for item in items if item.thread and item.thread != item.id
    }
    gone = _remembered(db, set(threads.values()))
    return {key for key, thread in threads.items() if thread in gone}


def _remembered(db: Db, keys: Collection[str]) -> set[str]:
    """Return those of the keys that have a tombstone."""
    return {key for (key,) in _erased(db, keys=list(keys))} if keys else set()


@compiled
def _erased(db: Db, keys: Any) -> Any:
    return Erased.select(Erased.key).where(among(Erased.key, keys))
