"""Which stored items to recheck at their source, which process does it now (a lease), and what the source answered.

Every item is rechecked within a time, ``within``. From EARLY_FRACTION of it on, an item may be rechecked whenever the
budget has something to spare; from URGENT_FRACTION on, out of the share of the budget that rechecks have; after all of
it, the item is overdue. So the cost is a request for each batch of items, at most twice in that time, whatever order
they came in.

Only sources that can look items up are rechecked: items of other sources stay until the source itself reports them
gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db.database import Db
from overheard.db.models import Mention, StoredItem
from overheard.db.storable_text import storable, texts_column
from overheard.db.thread_titles import without_title
from overheard.errors import NotFound
from overheard.items import Item

EARLY_FRACTION = 0.5  # of the time within which an item is to be rechecked
URGENT_FRACTION = 0.75  # of the same; leaves a quarter of it for waiting and retries
NAMES_PER_STATEMENT = 400  # well under every database's limit of parameters
RECHECK_LEASE_SECONDS = 300.0  # for a batch to wait on the bus and be looked up


class RecheckBatch(msgspec.Struct, frozen=True):
    """Items of one source, claimed for one request. ``held_until``, the end of their lease, identifies the claim."""

    source: str
    item_ids: tuple[int, ...]
    held_until: float


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
    texts: str
    lang: str
    nsfw: bool
    lookup: str
    edited_at: float | None
    checked_at: float
    absent_since: float | None
    mentioned: bool  # by any workspace


def due(db: Db, source: str, before: float, now: float) -> bool:
    """Return True if an unclaimed item of the source was last checked before a time."""
    free = (StoredItem.source == source) & (StoredItem.lease_until < now)
    return bool(StoredItem.select(StoredItem.id).where(free, StoredItem.checked_at <= before).exists(db.peewee))


def claim(db: Db, source: str, *, size: int, before: float, now: float, requests: int) -> list[RecheckBatch]:
    """Claim the source's least recently checked items, ``size`` for each of up to ``requests`` requests.

    A request is made if its first item was last checked before ``before``; the next items in line fill it up. Of two
    concurrent claims one gets each item. Those that only the sample has are not in line (``sampling.py``).
    """
    held_until = now + RECHECK_LEASE_SECONDS
    free = (StoredItem.source == source) & (StoredItem.lease_until < now) & (StoredItem.checked_at <= now)
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
        batches = [rows[start : start + size] for start in range(0, len(rows), size)]
        wanted = [sorted(item_id for item_id, _ in batch) for batch in batches if batch[0][1] <= before]
        for ids in wanted:
            StoredItem.update(lease_until=held_until).where(StoredItem.id.in_(ids)).execute(db.peewee)
    return [RecheckBatch(source, tuple(ids), held_until) for ids in wanted]


def claim_requested(db: Db, source: str, name: str, now: float) -> RecheckBatch:
    """Claim one item that is to be rechecked now, and make it the first in line in case the message is lost.

    Raises NotFound.
    """
    held_until = now + RECHECK_LEASE_SECONDS
    claimed = (
        StoredItem.update(checked_at=0, lease_until=held_until)
        .where(StoredItem.source == source, StoredItem.ref == storable(name))
        .returning(StoredItem.id)
        .tuples()
        .execute(db.peewee)
    )
    for (item_id,) in claimed:
        return RecheckBatch(source, (item_id,), held_until)
    raise NotFound(f"no item {name} is stored")


def hurry(db: Db, source: str, names: Sequence[str], before: float) -> None:
    """Make those of these items that are stored due for a recheck, as if they were last checked at ``before``."""
    for start in range(0, len(names), NAMES_PER_STATEMENT):
        some = list(names[start : start + NAMES_PER_STATEMENT])
        StoredItem.update(checked_at=before).where(
            StoredItem.source == source, StoredItem.ref.in_(some), StoredItem.checked_at > before
        ).execute(db.peewee)


def take_over(db: Db, batch: RecheckBatch, now: float) -> tuple[list[ItemToRecheck], float]:
    """Return the items of the batch that its claim still holds, and the end of the new lease that holds them.

    A second message with the same claim finds nothing.
    """
    # The lease's end identifies the claim, so the new one has to differ from the old one, even at the same moment.
    held_until = max(now + RECHECK_LEASE_SECONDS, batch.held_until + 0.001)
    if not batch.item_ids:
        return [], held_until
    taken = (
        StoredItem.update(lease_until=held_until)
        .where(
            StoredItem.id.in_(list(batch.item_ids)),
            StoredItem.source == batch.source,
            StoredItem.lease_until == batch.held_until,
        )
        .returning(StoredItem.id)
        .tuples()
        .execute(db.peewee)
    )
    ids = [item_id for (item_id,) in taken]
    mentioned = fn.EXISTS(Mention.select(Mention.id).where(Mention.item == StoredItem.id))
    columns = [getattr(StoredItem, name) for name in ItemToRecheck.__struct_fields__[:-1]]
    rows = StoredItem.select(*columns, mentioned).where(StoredItem.id.in_(ids)).order_by(StoredItem.id)
    return [ItemToRecheck(*row) for row in rows.tuples().execute(db.peewee)], held_until


def postpone(db: Db, item_ids: Sequence[int], held_until: float, until: float) -> None:
    """Replace the lease of items that ends at ``held_until``: until ``until``, no recheck claims them."""
    StoredItem.update(lease_until=until).where(
        StoredItem.id.in_(list(item_ids)), StoredItem.lease_until == held_until
    ).execute(db.peewee)


def mark_present(db: Db, item_ids: Sequence[int], checked_at: float) -> None:
    """Record that the source has returned the items. They become due again as if last checked at ``checked_at``."""
    StoredItem.update(checked_at=checked_at, absent_since=None, lease_until=0).where(
        StoredItem.id.in_(list(item_ids))
    ).execute(db.peewee)


def mark_absent(db: Db, item_ids: Sequence[int], now: float, checked_at: float) -> None:
    """Record that the source's answer has left the items out.

    They become due again as if they were last checked at ``checked_at``: a second answer has to confirm it.
    """
    StoredItem.update(
        checked_at=checked_at, absent_since=fn.COALESCE(StoredItem.absent_since, now), lease_until=0
    ).where(StoredItem.id.in_(list(item_ids))).execute(db.peewee)


def mark_unknown(db: Db, item_ids: Sequence[int], now: float) -> None:
    """Record that the source's answer says nothing about the items, either way."""
    StoredItem.update(checked_at=now, lease_until=0).where(StoredItem.id.in_(list(item_ids))).execute(db.peewee)


def as_edited(stored: ItemToRecheck, current: Item, now: float) -> Item | None:
    """Return the item as an edit of what is stored, if its source shows it in another way now; else None.

    What an author has removed or edited there is to be removed here, too. Fields that an answer leaves empty count as
    unchanged (it may lack the title of a comment's post), and so does the removal of a comment's post title after the
    post was erased. A source may not tell when an item was edited, nor of every edit: then it was edited just now.
    """
    bare = without_title(current)
    current = bare if current.kind == "comment" and stored.permalink == bare.permalink else current
    shown = {name: storable(getattr(current, name)) for name in ("title", "body", "permalink", "url", "thread_title")}
    facts = {"texts": texts_column(current), "lang": storable(current.lang), "nsfw": current.nsfw}
    if all(text == getattr(stored, name) or not (text or name == "body") for name, text in shown.items()) and all(
        value == getattr(stored, name) for name, value in facts.items()
    ):
        return None
    known = stored.edited_at or 0.0
    return (
        current
        if (current.edited_at or 0.0) > known
        else msgspec.structs.replace(current, edited_at=max(now, known + 1.0))
    )


def overdue(db: Db, sources: Collection[str], before: float) -> int:
    """Return how many items of these sources were last checked before a time."""
    of_sources = StoredItem.source.in_(list(sources))
    return int(
        StoredItem.select(fn.COUNT(StoredItem.id)).where(of_sources, StoredItem.checked_at <= before).scalar(db.peewee)
    )
