"""Forgetting what is old, in batches small enough to hold no lock for long."""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import fn

from overheard.db.connect import Db
from overheard.db.deliveries import BUNDLED, FAILED, PENDING, SENT
from overheard.db.models import DeadLetter, Delivery, Item, Mention, Poll

BATCH = 1000
DAY = 86400.0


class Ages(msgspec.Struct, frozen=True):
    """How many days each kind of row is kept; 0 keeps it for ever."""

    mentions: int
    deliveries: int
    dead_letters: int


def forget(db: Db, ages: Ages, now: float) -> int:
    """Delete one batch of each kind of row that is too old; returns how many rows went (0: nothing is left to do)."""
    gone = _batch(db, Poll, Poll.started_at < now - DAY)
    if ages.deliveries:
        old = now - ages.deliveries * DAY
        gone += _batch(db, Delivery, Delivery.state.in_([SENT, FAILED]) & (Delivery.created_at < old))
        gone += _batch(
            db, Delivery, (Delivery.state == BUNDLED) & (Delivery.created_at < old) & ~_in_a_digest_to_send()
        )
    if ages.mentions:
        old = now - ages.mentions * DAY
        gone += _batch(db, Mention, Mention.stored_at < old)
        gone += _unwanted_items(db, old)
    if ages.dead_letters:
        gone += _batch(db, DeadLetter, DeadLetter.created_at < now - ages.dead_letters * DAY)
    return gone


def _in_a_digest_to_send() -> Any:
    digest = Delivery.alias()
    return fn.EXISTS(digest.select(digest.id).where(digest.id == Delivery.bundle, digest.state == PENDING))


def _unwanted_items(db: Db, old: float) -> int:
    """Delete items that nobody mentions any more.

    In two steps, because PostgreSQL does not look again at other tables when it had to wait for a row: an item that
    store has just mentioned once more would go, and take the new mention with it.
    """
    unwanted = (Item.stored_at < old) & ~fn.EXISTS(Mention.select(Mention.id).where(Mention.item == Item.id))
    with db.transaction():
        rows = Item.select(Item.id).where(unwanted).limit(BATCH)
        if not db.sqlite:
            rows = rows.for_update(skip_locked=True)
        ids = [item_id for (item_id,) in rows.tuples().execute(db.peewee)]
        return int(Item.delete().where(Item.id.in_(ids), unwanted).execute(db.peewee))


def _batch(db: Db, table: type, old: object) -> int:
    ids = table.select(table.id).where(old).limit(BATCH)  # type: ignore[attr-defined]
    return int(table.delete().where(table.id.in_(ids)).execute(db.peewee))  # type: ignore[attr-defined]
