"""Erasing on request: everything of an author, or of a workspace, in batches that hold no lock for long.

Both may run beside a working system. The first step prevents more from being stored; the rest can be interrupted
anywhere, and repeated.
"""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import fn

from overheard.db import dead_letters, erasure, retention, sampling, workspace_specs
from overheard.db.database import Db
from overheard.db.dead_letters import DeadLetterFilter
from overheard.db.erasure import ErasedCounts, author_key, written_by
from overheard.db.models import (
    Budget,
    Channel,
    Delivery,
    Erased,
    Feed,
    Mention,
    Query,
    StoredItem,
    Watch,
    Workspace,
)

ERASE_BATCH_ROWS = 500


class ErasedWorkspaceCounts(msgspec.Struct):
    """How much of a workspace was erased. ``letters``: dead letters; ``items``, ``feeds``: those that only it had."""

    mentions: int = 0
    deliveries: int = 0
    items: int = 0
    letters: int = 0
    channels: int = 0
    queries: int = 0
    feeds: int = 0


def erase_author(db: Db, source: str, name: str, now: float) -> ErasedCounts:
    """Erase everything of an author, and never store anything of theirs again."""
    erasure.remember(db, [author_key(source, name)], now)
    counts = ErasedCounts()
    batch = StoredItem.select(StoredItem.source, StoredItem.ref).where(written_by(source, name)).limit(ERASE_BATCH_ROWS)
    while keys := list(batch.tuples().execute(db.peewee)):
        counts.add(erasure.erase_keys(db, keys, now))
    return counts


def count_author(db: Db, source: str, name: str) -> ErasedCounts:
    """Return what ``erase_author`` would erase, without digests, which it may leave empty."""
    item_ids = StoredItem.select(StoredItem.id).where(written_by(source, name))
    mentions = Mention.select(Mention.id).where(Mention.item.in_(item_ids))
    return ErasedCounts(
        items=item_ids.count(db.peewee),
        mentions=mentions.count(db.peewee),
        deliveries=Delivery.select(Delivery.id).where(Delivery.mention.in_(mentions)).count(db.peewee),
    )


def allow_author(db: Db, source: str, name: str) -> bool:
    """Let the author's items be stored again; return False if they already could be."""
    return bool(Erased.delete().where(Erased.key == author_key(source, name)).execute(db.peewee))


def erase_workspace(db: Db, workspace_id: int, now: float) -> ErasedWorkspaceCounts:
    """Erase a workspace with everything that only it has.

    1. It is paused: nothing is read or matched for it any more.
    2. Its dead letters, mentions and deliveries are deleted, and the items that no other workspace mentions.
    3. Its row is deleted with all that refers to it, which the matching index learns of; then the feeds that no other
       workspace watches, with what the sample has of them.
    """
    workspace_specs.set_active(db, workspace_id, False)
    channels = _channels(db, workspace_id)
    dead_letter_ids = _dead_letter_ids(db, workspace_id, channels)
    counts = _counted(db, workspace_id, channels, dead_letter_ids)
    for start in range(0, len(dead_letter_ids), ERASE_BATCH_ROWS):
        dead_letters.drop(db, DeadLetterFilter(ids=tuple(dead_letter_ids[start : start + ERASE_BATCH_ROWS])))
    batch = Mention.select(Mention.id).where(Mention.workspace == workspace_id).limit(ERASE_BATCH_ROWS)
    gone = Mention.delete().where(Mention.id.in_(batch)).returning(Mention.item)  # their deliveries go with them
    while items := [item for (item,) in gone.tuples().execute(db.peewee)]:
        counts.items += retention.unmentioned(db, items)
    digests = Delivery.select(Delivery.id).where(Delivery.channel.in_(channels)).limit(ERASE_BATCH_ROWS)
    while Delivery.delete().where(Delivery.id.in_(digests)).execute(db.peewee) == ERASE_BATCH_ROWS:
        pass
    watched = Watch.select(Watch.feed).where(Watch.workspace == workspace_id)
    feeds = [feed for (feed,) in watched.tuples().execute(db.peewee)]
    workspace_specs.remove(db, workspace_id)
    keys = [f"trigger:{workspace_id}", *(f"channel:{channel}" for channel in channels)]
    Budget.delete().where(Budget.key.in_(keys)).execute(db.peewee)
    sampling.release_unwatched(db)
    counts.feeds = retention.unwatched_feeds(db, Feed.id.in_(feeds), now)
    return counts


def count_workspace(db: Db, workspace_id: int) -> ErasedWorkspaceCounts:
    """Return what ``erase_workspace`` would erase."""
    channels = _channels(db, workspace_id)
    counts = _counted(db, workspace_id, channels, _dead_letter_ids(db, workspace_id, channels))
    other = Mention.alias()
    others = fn.EXISTS(other.select(other.id).where(other.item == Mention.item, other.workspace != workspace_id))
    counts.items = Mention.select(Mention.id).where(Mention.workspace == workspace_id, ~others).count(db.peewee)
    another = Watch.alias()
    watched = fn.EXISTS(
        another.select(another.feed).where(another.feed == Watch.feed, another.workspace != workspace_id)
    )
    counts.feeds = Watch.select(Watch.feed).where(Watch.workspace == workspace_id, ~watched).count(db.peewee)
    return counts


def _channels(db: Db, workspace_id: int) -> list[int]:
    channels = Channel.select(Channel.id).where(Channel.workspace == workspace_id)
    return [channel for (channel,) in channels.tuples().execute(db.peewee)]


def _dead_letter_ids(db: Db, workspace_id: int, channels: list[int]) -> list[int]:
    slug = Workspace.select(Workspace.slug).where(Workspace.id == workspace_id).scalar(db.peewee)
    return dead_letters.mentioning_workspace(db, workspace_id, str(slug), channels)


def _counted(db: Db, workspace_id: int, channels: list[int], dead_letter_ids: list[int]) -> ErasedWorkspaceCounts:
    def count(table: Any) -> int:
        return int(table.select(fn.COUNT(table.workspace)).where(table.workspace == workspace_id).scalar(db.peewee))

    deliveries = Delivery.select(fn.COUNT(Delivery.id)).where(Delivery.channel.in_(channels)).scalar(db.peewee)
    return ErasedWorkspaceCounts(
        mentions=count(Mention),
        deliveries=deliveries,
        letters=len(dead_letter_ids),
        channels=len(channels),
        queries=count(Query),
    )
