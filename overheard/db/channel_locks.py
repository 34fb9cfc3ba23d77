"""The lock on a channel's row, which orders what changes its deliveries.

What changes several deliveries takes the locks of their channels first, in the order of their ids. So a claim that
folds, a digest that is composed and an erasure never wait for each other's rows, which PostgreSQL would end as a
deadlock. Store only refers to channels: its lock is compatible with this one.

A claim does not wait for the lock, but leaves the channel to its holder: after an erasure, which prompts no channel, it
is the sweep that finds what a claim has left meanwhile.
"""

from __future__ import annotations

from typing import Any

from overheard.db.database import Db
from overheard.db.models import Channel, Delivery

LOCK = "FOR NO KEY UPDATE"


def lock_channels(db: Db, condition: Any) -> None:
    """Lock the channels that fulfil the condition, until the transaction ends. SQLite has one writer at a time."""
    if not db.sqlite:
        rows: Any = Channel.select(Channel.id).where(condition).order_by(Channel.id)
        list(rows.for_update(LOCK).tuples().execute(db.peewee))


def lock_channels_of(db: Db, deliveries: Any) -> None:
    """Lock the channels of the deliveries that fulfil the condition, until the transaction ends."""
    lock_channels(db, Channel.id.in_(Delivery.select(Delivery.channel).where(deliveries)))
