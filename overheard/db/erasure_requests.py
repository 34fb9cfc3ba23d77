"""Forgetting on request: all of an author, or all of a workspace, in batches that hold no lock for long.

Both may run beside a working system. First comes what stops more from being stored; the rest can be interrupted
anywhere, and done again.
"""

from __future__ import annotations

from typing import Any

import msgspec
from peewee import fn

from overheard.db import dead_letters, erasure, retention, workspace_specs
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
    """How much of a workspace was erased. ``letters`` are dead letters; ``items`` and ``feeds`` those of its alone."""

    mentions: int = 0
    deliveries: int = 0
    items: int = 0
    letters: int = 0
    channels: int = 0
    queries: int = 0
    feeds: int = 0


def erase_author(db: Db, source: str, name: str, now: float) -> ErasedCounts:
    """Erase everything of an author, and store nothing of theirs any more."""
    erasure.remember(db, [author_key(source, name)], now)
    tally = ErasedCounts()
    some = StoredItem.select(StoredItem.source, StoredItem.ref).where(written_by(source, name)).limit(ERASE_BATCH_ROWS)
    while keys := list(some.tuples().execute(db.peewee)):
        tally.add(erasure.erase_keys(db, keys, now))
    return tally


def count_author(db: Db, source: str, name: str) -> ErasedCounts:
    """What ``erase_author`` would erase; but for digests, which it may leave empty."""
    its = StoredItem.select(StoredItem.id).where(written_by(source, name))
    mentions = Mention.select(Mention.id).where(Mention.item.in_(its))
    return ErasedCounts(
        items=its.count(db.peewee),
        mentions=mentions.count(db.peewee),
        deliveries=Delivery.select(Delivery.id).where(Delivery.mention.in_(mentions)).count(db.peewee),
    )


def remember_author(db: Db, source: str, name: str) -> bool:
    """Let what the author writes be stored again; says whether it was not."""
    return bool(Erased.delete().where(Erased.key == author_key(source, name)).execute(db.peewee))


def erase_workspace(db: Db, workspace_id: int, now: float) -> ErasedWorkspaceCounts:
    """Erase a workspace with all that is its own, and what nobody else wants.

    1. it is paused: nobody reads or matches for it any more;
    2. its dead letters, mentions and deliveries go, and the items that nobody else mentions;
    3. what is left goes with its row, which tells the index; then the feeds that nobody else watches.
    """
    workspace_specs.set_active(db, workspace_id, False)
    channels = _channels(db, workspace_id)
    letters = _letters(db, workspace_id, channels)
    tally = _counted(db, workspace_id, channels, letters)
    for start in range(0, len(letters), ERASE_BATCH_ROWS):
        dead_letters.drop(db, DeadLetterFilter(ids=tuple(letters[start : start + ERASE_BATCH_ROWS])))
    some = Mention.select(Mention.id).where(Mention.workspace == workspace_id).limit(ERASE_BATCH_ROWS)
    gone = Mention.delete().where(Mention.id.in_(some)).returning(Mention.item)  # their deliveries go with them
    while items := [item for (item,) in gone.tuples().execute(db.peewee)]:
        tally.items += retention.unmentioned(db, items)
    digests = Delivery.select(Delivery.id).where(Delivery.channel.in_(channels)).limit(ERASE_BATCH_ROWS)
    while Delivery.delete().where(Delivery.id.in_(digests)).execute(db.peewee) == ERASE_BATCH_ROWS:
        pass
    watched = Watch.select(Watch.feed).where(Watch.workspace == workspace_id)
    feeds = [feed for (feed,) in watched.tuples().execute(db.peewee)]
    workspace_specs.remove(db, workspace_id)
    keys = [f"trigger:{workspace_id}", *(f"channel:{channel}" for channel in channels)]
    Budget.delete().where(Budget.key.in_(keys)).execute(db.peewee)
    tally.feeds = retention.unwatched_feeds(db, Feed.id.in_(feeds), now)
    return tally


def count_workspace(db: Db, workspace_id: int) -> ErasedWorkspaceCounts:
    """What ``erase_workspace`` would erase."""
    channels = _channels(db, workspace_id)
    tally = _counted(db, workspace_id, channels, _letters(db, workspace_id, channels))
    other = Mention.alias()
    others = fn.EXISTS(other.select(other.id).where(other.item == Mention.item, other.workspace != workspace_id))
    tally.items = Mention.select(Mention.id).where(Mention.workspace == workspace_id, ~others).count(db.peewee)
    another = Watch.alias()
    watched = fn.EXISTS(
        another.select(another.feed).where(another.feed == Watch.feed, another.workspace != workspace_id)
    )
    tally.feeds = Watch.select(Watch.feed).where(Watch.workspace == workspace_id, ~watched).count(db.peewee)
    return tally


def _channels(db: Db, workspace_id: int) -> list[int]:
    channels = Channel.select(Channel.id).where(Channel.workspace == workspace_id)
    return [channel for (channel,) in channels.tuples().execute(db.peewee)]


def _letters(db: Db, workspace_id: int, channels: list[int]) -> list[int]:
    slug = Workspace.select(Workspace.slug).where(Workspace.id == workspace_id).scalar(db.peewee)
    return dead_letters.mentioning_workspace(db, workspace_id, str(slug), channels)


def _counted(db: Db, workspace_id: int, channels: list[int], letters: list[int]) -> ErasedWorkspaceCounts:
    def count(table: Any) -> int:
        return int(table.select(fn.COUNT(table.workspace)).where(table.workspace == workspace_id).scalar(db.peewee))

    deliveries = Delivery.select(fn.COUNT(Delivery.id)).where(Delivery.channel.in_(channels)).scalar(db.peewee)
    return ErasedWorkspaceCounts(
        mentions=count(Mention),
        deliveries=deliveries,
        letters=len(letters),
        channels=len(channels),
        queries=count(Query),
    )
