"""Deleting what is too old, in batches small enough to hold no lock for long."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import msgspec
from peewee import JOIN, fn

from overheard.config import RetentionSettings
from overheard.db import freshness, groups
from overheard.db.database import Db
from overheard.db.erasure import AUTHOR_KEY_PREFIX, TOMBSTONE_SECONDS
from overheard.db.models import (
    BUNDLED,
    FAILED,
    HELD,
    MUTED,
    PENDING,
    SENT,
    DeadLetter,
    Delivery,
    Erased,
    Feed,
    FeedGroup,
    Gap,
    Mention,
    Poll,
    Query,
    StoredItem,
    Watch,
)
from overheard.sources.registry import SOURCES, source_type

DELETE_BATCH_ROWS = 1000
DAY_SECONDS = 86400.0
UNSENT_GRACE_SECONDS = 31 * DAY_SECONDS  # longer than a channel may fail, and than most digests' periods
GAP_RETENTION_SECONDS = 90 * DAY_SECONDS  # chosen, not measured
UNWATCHED_FEED_SECONDS = 7 * DAY_SECONDS  # a workspace edited back within a week finds its feeds where they were


class RetentionAges(msgspec.Struct, frozen=True):
    """How many days each kind of row is kept; 0 keeps it forever.

    ``no_deletions``: items of sources that do not report deletions.
    """

    mentions: int
    deliveries: int
    dead_letters: int
    items: int = 0
    no_deletions: int = 0

    def item_days(self, source: str) -> int:
        """Return how many days an item of a source is kept at most, whatever refers to it; 0: without limit."""
        limits = [self.items, self.no_deletions if source_type(source).deletions == "none" else 0]
        return min(filter(None, limits), default=0)

    def kept_for(self, source: str) -> float:
        """Return the age in seconds from which an item of a source is not stored.

        Retention has deleted it, and its source may still list it: it must not be stored again, nor sent as news.
        """
        days = min(filter(None, (self.mentions, self.item_days(source))), default=0)
        return days * DAY_SECONDS or math.inf


def configured_ages(settings: RetentionSettings) -> RetentionAges:
    """Return the ages of [retention]."""
    return RetentionAges(
        mentions=settings.mentions_days,
        deliveries=settings.deliveries_days,
        dead_letters=settings.dead_letters_days,
        items=settings.items_days,
        no_deletions=settings.no_deletions_days,
    )


class PrunedCounts(msgspec.Struct):
    """How many rows were deleted, how many of them were items, and how many deliveries had not been sent.

    ``more``: a batch was full, and there may be more.
    """

    rows: int = 0
    items: int = 0
    unsent: int = 0
    more: bool = False


def prune(db: Db, ages: RetentionAges, now: float) -> PrunedCounts:
    """Delete one batch of each kind of row that is too old; return the counts (no rows: nothing is left to do)."""
    counts = _items(db, ages, now)
    counts.rows += _deliveries(db, ages, now)
    counts.rows += _delete_batch(db, Poll, Poll.started_at < now - DAY_SECONDS)
    long_ago = now - UNWATCHED_FEED_SECONDS
    counts.rows += unwatched_feeds(db, (Feed.created_at < long_ago) & (freshness.fresh_at() < long_ago), now)
    counts.rows += groups.delete_empty(db, now)
    counts.rows += _removed_queries(db, now)
    counts.rows += _delete_batch(db, Gap, Gap.found_at < now - GAP_RETENTION_SECONDS)
    if ages.dead_letters:
        counts.rows += _delete_batch(db, DeadLetter, DeadLetter.created_at < now - ages.dead_letters * DAY_SECONDS)
    tombstones = Erased.select(Erased.key).where(
        Erased.at < now - TOMBSTONE_SECONDS, ~Erased.key.contains(f":{AUTHOR_KEY_PREFIX}")
    )
    counts.rows += Erased.delete().where(Erased.key.in_(tombstones.limit(DELETE_BATCH_ROWS))).execute(db.peewee)
    counts.more = counts.rows >= DELETE_BATCH_ROWS
    return counts


def _items(db: Db, ages: RetentionAges, now: float) -> PrunedCounts:
    """Delete items and mentions that are too old, and the items that no mention refers to any more.

    A mention whose delivery is still to be sent stays until that has been sent or has failed, at the longest for
    ``UNSENT_GRACE_SECONDS``: a paused workspace's digest may never be sent. For an item only its age counts.
    """
    counts = PrunedCounts()
    if ages.items:
        _expired_items(db, StoredItem.stored_at < now - ages.items * DAY_SECONDS, counts)
    if ages.no_deletions:
        oldest = now - ages.no_deletions * DAY_SECONDS
        # By ``checked_at``, which has an index with the source. It is the time of storing until an item is looked up,
        # and these sources do not look items up.
        silent = StoredItem.source.in_(_without_deletions()) & (StoredItem.checked_at < oldest)
        _expired_items(db, silent & (StoredItem.stored_at < oldest), counts)
    if ages.mentions:
        of_age = Mention.stored_at < now - ages.mentions * DAY_SECONDS
        too_old = Mention.stored_at < now - ages.mentions * DAY_SECONDS - UNSENT_GRACE_SECONDS
        old = Mention.select(Mention.id).where(of_age, too_old | ~_has_pending_delivery()).limit(DELETE_BATCH_ROWS)
        ids = [mention for (mention,) in old.tuples().execute(db.peewee)]
        counts.unsent += _unsent(db, Mention.id.in_(ids)) if ids else 0
        rows = Mention.delete().where(Mention.id.in_(ids)).returning(Mention.item).tuples().execute(db.peewee)
        items = [item for (item,) in rows]
        # After a crash here, the recheck stage finds that no mention refers to them.
        unreferenced = unmentioned(db, items)
        counts.rows += len(items) + unreferenced
        counts.items += unreferenced
    return counts


def _without_deletions() -> list[str]:
    return [name for name, each in SOURCES.items() if each.deletions == "none"]


def _expired_items(db: Db, expired: Any, counts: PrunedCounts) -> None:
    """Delete a batch of items, with their mentions and deliveries, and add them to the counts."""
    query = StoredItem.select(StoredItem.id).where(expired).limit(DELETE_BATCH_ROWS)
    ids = [item for (item,) in query.tuples().execute(db.peewee)]
    if not ids:
        return
    counts.unsent += _unsent(db, Mention.item.in_(ids))
    deleted = int(StoredItem.delete().where(StoredItem.id.in_(ids)).execute(db.peewee))
    counts.rows += deleted
    counts.items += deleted


def _deliveries(db: Db, ages: RetentionAges, now: float) -> int:
    if not ages.deliveries:
        return 0
    oldest = now - ages.deliveries * DAY_SECONDS
    done = Delivery.state.in_([SENT, FAILED, MUTED])
    counts = _delete_batch(db, Delivery, done & (Delivery.created_at < oldest))
    bundled = (Delivery.state == BUNDLED) & (Delivery.created_at < oldest) & ~_in_pending_digest()
    return counts + _delete_batch(db, Delivery, bundled)


def _has_pending_delivery() -> Any:
    """Return the condition that a delivery of the mention, or the one that contains it, is still to be sent."""
    delivery, digest = Delivery.alias(), Delivery.alias()
    unsent = delivery.state.in_([HELD, PENDING]) | digest.state.in_([HELD, PENDING])
    return fn.EXISTS(
        delivery.select(delivery.id)
        .join(digest, JOIN.LEFT_OUTER, on=(digest.id == delivery.bundle))
        .where(delivery.mention == Mention.id, unsent)
    )


def _unsent(db: Db, mentions: Any) -> int:
    unsent = Delivery.state.in_([HELD, PENDING]) | ((Delivery.state == BUNDLED) & _in_pending_digest())
    query = Delivery.select(Delivery.id).join(Mention, on=(Delivery.mention == Mention.id))
    return int(query.where(mentions, unsent).count(db.peewee))


def _in_pending_digest() -> Any:
    digest = Delivery.alias()
    return fn.EXISTS(digest.select(digest.id).where(digest.id == Delivery.bundle, digest.state.in_([HELD, PENDING])))


def _removed_queries(db: Db, now: float) -> int:
    """Delete the removed queries of a workspace that no mention refers to; return how many.

    One workspace a call, chosen at random: reading all its mentions takes time, and none may hold up the others. What
    was removed within the last day may be restored, or be in a mention that is being stored.
    """
    old = Query.removed_at.is_null(False) & (Query.removed_at < now - DAY_SECONDS)
    workspace = Query.select(Query.workspace).where(old).order_by(fn.RANDOM()).limit(1).scalar(db.peewee)
    if workspace is None:
        return 0
    lists = Mention.select(Mention.query_ids).where(Mention.workspace == workspace).distinct()
    mentioned = {query for (ids,) in lists.tuples().execute(db.peewee) for query in msgspec.json.decode(ids)}
    rows = Query.select(Query.id).where(Query.workspace == workspace, old).tuples().execute(db.peewee)
    unmentioned_ids = [query for (query,) in rows if query not in mentioned][:DELETE_BATCH_ROWS]
    return int(Query.delete().where(Query.id.in_(unmentioned_ids), old).execute(db.peewee)) if unmentioned_ids else 0


def unmentioned(db: Db, item_ids: Collection[int]) -> int:
    """Delete those of the items that no mention refers to any more; return how many."""
    return _delete_unreferenced(db, StoredItem.id.in_(list(item_ids)), Mention.item) if item_ids else 0


def unwatched_feeds(db: Db, among: Any, now: float) -> int:
    """Delete a batch of those of the feeds that no workspace watches and no poll is reading; return how many."""
    watched = fn.EXISTS(Watch.select(Watch.feed).where(Watch.feed == Feed.id))
    # NULL, and so not true, for a feed without a group: it would stay. ``workspace_specs`` gives each feed a group.
    idle = Feed.group.not_in(FeedGroup.select(FeedGroup.id).where(FeedGroup.lease_until >= now))
    return _delete_unreferenced(db, among & idle & ~watched, Watch.feed)


def _delete_unreferenced(db: Db, among: Any, reference: Any) -> int:
    """Delete a batch of rows to which no ``reference`` refers.

    They are locked first and checked again afterwards: otherwise an item that store has just mentioned once more would
    be deleted, along with the new mention.
    """
    table = reference.rel_model
    with db.transaction():
        rows = table.select(table.id).where(among).limit(DELETE_BATCH_ROWS)
        if not db.sqlite:
            rows = rows.for_update(skip_locked=True)
        ids = {row_id for (row_id,) in rows.tuples().execute(db.peewee)}
        used = reference.model.select(reference).where(reference.in_(ids)).distinct().tuples().execute(db.peewee)
        return int(table.delete().where(table.id.in_(ids - {row_id for (row_id,) in used})).execute(db.peewee))


def _delete_batch(db: Db, table: type, old: object) -> int:
    ids = table.select(table.id).where(old).limit(DELETE_BATCH_ROWS)  # type: ignore[attr-defined]
    return int(table.delete().where(table.id.in_(ids)).execute(db.peewee))  # type: ignore[attr-defined]
