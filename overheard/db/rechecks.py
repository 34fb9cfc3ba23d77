"""Which stored items their source is to be asked about again, who asks now (a lease), and what it said.

Every item is to be asked about within a time, ``within``. From EARLY of it on, an item may be asked about whenever the
budget has something to spare; from URGENT on, out of the share that rechecks have of the budget; after all of it, it
is overdue. So the cost is a request for each batch of items, at most twice in that time, whatever order they came in.

Asked are only sources that can look items up: of the others, each item stays as it is until the source itself says
that it is gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.models import Mention, StoredItem
from overheard.db.storable_text import storable
from overheard.db.thread_titles import without_title
from overheard.errors import NotFound
from overheard.items import Item

EARLY_FRACTION = 0.5  # of the time within which an item is to be asked about
URGENT_FRACTION = 0.75
RECHECK_LEASE_SECONDS = 300.0  # seconds


class RecheckBatch(msgspec.Struct, frozen=True):
    """Items of one source claimed for one request, under a lease that names the claim."""

    source: str
    item_ids: tuple[int, ...]
    lease: float


class ItemToRecheck(msgspec.Struct, frozen=True):
    """A stored item as the recheck needs it."""

    id: int
    source: str
    ref: str
    kind: str
    author: str | None
    title: str
    body: str
    permalink: str
    url: str
    thread_title: str
    checked_at: float
    absent_since: float | None
    mentioned: bool  # whether anybody still wants it


def due(db: Db, source: str, before: float, now: float) -> bool:
    """Whether an item of the source that nobody has claimed was last asked about before a time."""
    free = (StoredItem.source == source) & (StoredItem.lease_until < now)
    return bool(StoredItem.select(StoredItem.id).where(free, StoredItem.checked_at <= before).exists(db.peewee))


def claim(db: Db, source: str, *, size: int, before: float, now: float, requests: int) -> list[RecheckBatch]:
    """Claim the source's items asked about the longest time ago, ``size`` for each of up to ``requests`` requests.

    A request is made when its first item was last asked about before ``before``; the next in line fill it up. Of two
    claimers each item goes to one.
    """
    lease = now + RECHECK_LEASE_SECONDS
    free = (StoredItem.source == source) & (StoredItem.lease_until < now)
    oldest: Any = (
        StoredItem.select(StoredItem.id, StoredItem.checked_at)
        .where(free)
        .order_by(StoredItem.checked_at)
        .limit(size * requests)
    )
    if not db.sqlite:
        oldest = oldest.for_update("FOR NO KEY UPDATE", skip_locked=True)
    with db.transaction():
        rows = list(oldest.tuples().execute(db.peewee))
        portions = [rows[start : start + size] for start in range(0, len(rows), size)]
        wanted = [sorted(item_id for item_id, _ in portion) for portion in portions if portion[0][1] <= before]
        for ids in wanted:
            StoredItem.update(lease_until=lease).where(StoredItem.id.in_(ids)).execute(db.peewee)
    return [RecheckBatch(source, tuple(ids), lease) for ids in wanted]


def claim_requested(db: Db, source: str, name: str, now: float) -> RecheckBatch:
    """Claim one item that somebody wants to be asked about now, and put it first in line in case that this is lost.

    Raises NotFound.
    """
    lease = now + RECHECK_LEASE_SECONDS
    found = (
        StoredItem.update(checked_at=0, lease_until=lease)
        .where(StoredItem.source == source, StoredItem.ref == storable(name))
        .returning(StoredItem.id)
        .tuples()
        .execute(db.peewee)
    )
    for (item_id,) in found:
        return RecheckBatch(source, (item_id,), lease)
    raise NotFound(f"no item {name} is stored")


def take_over(db: Db, batch: RecheckBatch, now: float) -> tuple[list[ItemToRecheck], float]:
    """Those items of the batch that its claim still holds, and the lease under which they are ours from here on.

    Who comes second with the same claim finds nothing.
    """
    lease = max(now + RECHECK_LEASE_SECONDS, batch.lease + 0.001)
    if not batch.item_ids:
        return [], lease
    taken = (
        StoredItem.update(lease_until=lease)
        .where(
            StoredItem.id.in_(list(batch.item_ids)),
            StoredItem.source == batch.source,
            StoredItem.lease_until == batch.lease,
        )
        .returning(StoredItem.id)
        .tuples()
        .execute(db.peewee)
    )
    ids = [item_id for (item_id,) in taken]
    mentioned = fn.EXISTS(Mention.select(Mention.id).where(Mention.item == StoredItem.id))
    columns = [getattr(StoredItem, name) for name in ItemToRecheck.__struct_fields__[:-1]]
    rows = StoredItem.select(*columns, mentioned).where(StoredItem.id.in_(ids)).order_by(StoredItem.id)
    return [ItemToRecheck(*row) for row in rows.tuples().execute(db.peewee)], lease


def hold(db: Db, item_ids: Sequence[int], lease: float, until: float) -> None:
    """Hold items under another lease, or leave them alone until then: nobody claims them before."""
    StoredItem.update(lease_until=until).where(
        StoredItem.id.in_(list(item_ids)), StoredItem.lease_until == lease
    ).execute(db.peewee)


def mark_present(db: Db, item_ids: Sequence[int], now: float) -> None:
    """Their source has shown them."""
    StoredItem.update(checked_at=now, absent_since=None, lease_until=0).where(
        StoredItem.id.in_(list(item_ids))
    ).execute(db.peewee)


def mark_absent(db: Db, item_ids: Sequence[int], now: float) -> None:
    """Their source's answer has left them out."""
    StoredItem.update(checked_at=now, absent_since=fn.COALESCE(StoredItem.absent_since, now), lease_until=0).where(
        StoredItem.id.in_(list(item_ids))
    ).execute(db.peewee)


def mark_unknown(db: Db, item_ids: Sequence[int], now: float) -> None:
    """Their source was asked about them, and its answer says nothing either way."""
    StoredItem.update(checked_at=now, lease_until=0).where(StoredItem.id.in_(list(item_ids))).execute(db.peewee)


def update_text(db: Db, stored: ItemToRecheck, found: Item) -> bool:
    """Keep what the source shows now in place of what was stored; says whether that is something else.

    Who has taken words back has taken them back here too. The mention stays, for which they were found; its
    highlights, which are places in the old text, go. What an answer leaves empty (it may be short of a comment's
    post's title) stays; so does what a comment has lost with its post.
    """
    bare = without_title(found)
    found = bare if found.kind == "comment" and stored.permalink == bare.permalink else found
    shown = {name: storable(getattr(found, name)) for name in ("title", "body", "permalink", "url", "thread_title")}
    changed = {name: text for name, text in shown.items() if text != getattr(stored, name) and (text or name == "body")}
    if not changed:
        return False
    with db.transaction():
        StoredItem.update(**changed).where(StoredItem.id == stored.id).execute(db.peewee)
        if "title" in changed or "body" in changed:
            Mention.update(highlights="[]").where(Mention.item == stored.id).execute(db.peewee)
    return True


def overdue(db: Db, sources: Collection[str], before: float) -> int:
    """How many items of these sources were last asked about before a time."""
    theirs = StoredItem.source.in_(list(sources))
    return int(
        StoredItem.select(fn.COUNT(StoredItem.id)).where(theirs, StoredItem.checked_at <= before).scalar(db.peewee)
    )
