"""Forgetting what is old, in batches small enough to hold no lock for long."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec
from peewee import JOIN, fn

from overheard.db import groups
from overheard.db.database import Db
from overheard.db.erasure import AUTHOR_KEY_PREFIX, TOMBSTONE_SECONDS
from overheard.db.models import (
    BUNDLED,
    FAILED,
    HELD,
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

DELETE_BATCH_ROWS = 1000
DAY_SECONDS = 86400.0
UNSENT_GRACE_SECONDS = 31 * DAY_SECONDS  # longer than any receiver may be away, and than most digests' periods
GAP_RETENTION_SECONDS = 90 * DAY_SECONDS
UNWATCHED_FEED_SECONDS = 7 * DAY_SECONDS  # who pauses or mends a workspace soon finds its feeds where they were


class RetentionAges(msgspec.Struct, frozen=True):
    """How many days each kind of row is kept; 0 keeps it for ever."""

    mentions: int
    deliveries: int
    dead_letters: int
    items: int = 0


class PrunedCounts(msgspec.Struct):
    """How many rows went, how many of them were items, and how many deliveries had not been sent.

    ``more``: a batch was full, and there may be more.
    """

    rows: int = 0
    items: int = 0
    unsent: int = 0
    more: bool = False


def prune(db: Db, ages: RetentionAges, now: float) -> PrunedCounts:
    """Delete one batch of each kind of row that is too old; how many went (0: nothing is left to do)."""
    gone = _items(db, ages, now)
    gone.rows += _deliveries(db, ages, now)
    gone.rows += _batch(db, Poll, Poll.started_at < now - DAY_SECONDS)
    gone.rows += unwatched_feeds(
        db, (Feed.created_at < now - UNWATCHED_FEED_SECONDS) & (Feed.fresh_at < now - UNWATCHED_FEED_SECONDS), now
    )
    gone.rows += groups.delete_empty(db, now)
    gone.rows += _removed_queries(db, now)
    gone.rows += _batch(db, Gap, Gap.found_at < now - GAP_RETENTION_SECONDS)
    if ages.dead_letters:
        gone.rows += _batch(db, DeadLetter, DeadLetter.created_at < now - ages.dead_letters * DAY_SECONDS)
    names = Erased.select(Erased.key).where(
        Erased.at < now - TOMBSTONE_SECONDS, ~Erased.key.contains(f":{AUTHOR_KEY_PREFIX}")
    )
    gone.rows += Erased.delete().where(Erased.key.in_(names.limit(DELETE_BATCH_ROWS))).execute(db.peewee)
    gone.more = gone.rows >= DELETE_BATCH_ROWS
    return gone


def _items(db: Db, ages: RetentionAges, now: float) -> PrunedCounts:
    """Items, mentions, and the items that nobody mentions any more.

    A mention that somebody is yet to be told of goes when it was sent, or given up, or ``UNSENT_GRACE_SECONDS`` later:
    a paused workspace's digest may never be sent. For an item its age alone counts.
    """
    gone = PrunedCounts()
    if ages.items:
        over = (
            StoredItem.select(StoredItem.id)
            .where(StoredItem.stored_at < now - ages.items * DAY_SECONDS)
            .limit(DELETE_BATCH_ROWS)
        )
        ids = [item for (item,) in over.tuples().execute(db.peewee)]
        gone.unsent = _unsent(db, Mention.item.in_(ids)) if ids else 0
        gone.rows = gone.items = int(StoredItem.delete().where(StoredItem.id.in_(ids)).execute(db.peewee)) if ids else 0
    if ages.mentions:
        of_age = Mention.stored_at < now - ages.mentions * DAY_SECONDS
        too_old = Mention.stored_at < now - ages.mentions * DAY_SECONDS - UNSENT_GRACE_SECONDS
        old = Mention.select(Mention.id).where(of_age, too_old | ~_to_be_told()).limit(DELETE_BATCH_ROWS)
        ids = [mention for (mention,) in old.tuples().execute(db.peewee)]
        gone.unsent += _unsent(db, Mention.id.in_(ids)) if ids else 0
        rows = Mention.delete().where(Mention.id.in_(ids)).returning(Mention.item).tuples().execute(db.peewee)
        items = [item for (item,) in rows]
        # Should we die here, the recheck stage finds that nobody mentions them.
        unwanted = unmentioned(db, items)
        gone.rows += len(items) + unwanted
        gone.items += unwanted
    return gone


def _deliveries(db: Db, ages: RetentionAges, now: float) -> int:
    if not ages.deliveries:
        return 0
    old = now - ages.deliveries * DAY_SECONDS
    gone = _batch(db, Delivery, Delivery.state.in_([SENT, FAILED]) & (Delivery.created_at < old))
    bundled = (Delivery.state == BUNDLED) & (Delivery.created_at < old) & ~_in_a_digest_to_send()
    return gone + _batch(db, Delivery, bundled)


def _to_be_told() -> Any:
    """Whether a delivery of the mention, or the digest that it is in, is still to be sent."""
    delivery, digest = Delivery.alias(), Delivery.alias()
    waits = delivery.state.in_([HELD, PENDING]) | (digest.state == PENDING)
    return fn.EXISTS(
        delivery.select(delivery.id)
        .join(digest, JOIN.LEFT_OUTER, on=(digest.id == delivery.bundle))
        .where(delivery.mention == Mention.id, waits)
    )


def _unsent(db: Db, mentions: Any) -> int:
    waits = Delivery.state.in_([HELD, PENDING])
    query = Delivery.select(Delivery.id).join(Mention, on=(Delivery.mention == Mention.id))
    return int(query.where(mentions, waits).count(db.peewee))


def _in_a_digest_to_send() -> Any:
    digest = Delivery.alias()
    return fn.EXISTS(digest.select(digest.id).where(digest.id == Delivery.bundle, digest.state == PENDING))


def _removed_queries(db: Db, now: float) -> int:
    """Delete the removed queries of a workspace that no mention names any more; how many there were.

    One workspace a call, taken at random: looking through its mentions costs time, and none may keep the others from
    their turn. What was just removed may be revived, or be in a mention that is being stored.
    """
    old = Query.removed_at.is_null(False) & (Query.removed_at < now - DAY_SECONDS)
    workspace = Query.select(Query.workspace).where(old).order_by(fn.RANDOM()).limit(1).scalar(db.peewee)
    if workspace is None:
        return 0
    lists = Mention.select(Mention.query_ids).where(Mention.workspace == workspace).distinct()
    named = {query for (ids,) in lists.tuples().execute(db.peewee) for query in msgspec.json.decode(ids)}
    rows = Query.select(Query.id).where(Query.workspace == workspace, old).tuples().execute(db.peewee)
    unnamed = [query for (query,) in rows if query not in named][:DELETE_BATCH_ROWS]
    return int(Query.delete().where(Query.id.in_(unnamed), old).execute(db.peewee)) if unnamed else 0


def unmentioned(db: Db, item_ids: Collection[int]) -> int:
    """Delete those of the items that nobody mentions any more; how many there were."""
    return _unused(db, StoredItem.id.in_(list(item_ids)), Mention.item) if item_ids else 0


def unwatched_feeds(db: Db, among: Any, now: float) -> int:
    """Delete a batch of those of the feeds that nobody watches any more nor is reading now; how many there were."""
    watched = fn.EXISTS(Watch.select(Watch.feed).where(Watch.feed == Feed.id))
    idle = Feed.group.not_in(FeedGroup.select(FeedGroup.id).where(FeedGroup.lease_until >= now))
    return _unused(db, among & idle & ~watched, Watch.feed)


def _unused(db: Db, among: Any, reference: Any) -> int:
    """Delete a batch of rows to which no ``reference`` refers.

    They are locked first, and looked at again then: an item that store has just mentioned once more would go, and take
    the new mention with it.
    """
    table = reference.rel_model
    with db.transaction():
        rows = table.select(table.id).where(among).limit(DELETE_BATCH_ROWS)
        if not db.sqlite:
            rows = rows.for_update(skip_locked=True)
        ids = {row_id for (row_id,) in rows.tuples().execute(db.peewee)}
        used = reference.model.select(reference).where(reference.in_(ids)).distinct().tuples().execute(db.peewee)
        return int(table.delete().where(table.id.in_(ids - {row_id for (row_id,) in used})).execute(db.peewee))


def _batch(db: Db, table: type, old: object) -> int:
    ids = table.select(table.id).where(old).limit(DELETE_BATCH_ROWS)  # type: ignore[attr-defined]
    return int(table.delete().where(table.id.in_(ids)).execute(db.peewee))  # type: ignore[attr-defined]
