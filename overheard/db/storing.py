"""The transaction of the store stage: store each match once, and only then move the cursors (I2, I3)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from overheard.db import deliveries, edits, erasure, new_mentions, poll_parts, sampling
from overheard.db.compiled import among, compiled, inserted
from overheard.db.database import Db
from overheard.db.edits import StoredRow
from overheard.db.models import StoredItem
from overheard.db.storable_text import storable, texts_column
from overheard.db.thread_titles import untitled
from overheard.items import Item
from overheard.messages import ItemsMatched, Key, MatchedItem, SampleDraw
from overheard.routing import NEWS_MAX_AGE_SECONDS, MuteRule, NewMention
from overheard.sources.registry import is_internal

KeptFor = Callable[[str], float]  # of a source: the age in seconds from which its items are not stored


def kept_forever(source: str) -> float:
    """Return infinity: items of any age are stored."""
    return math.inf


class StoreResult(msgspec.Struct, frozen=True):
    """What a transaction of store did: ``channels`` to notify now, each with its workspace's slug.

    ``mentions`` counts the new ones, without the canary's, which nobody wrote. ``ages`` are their items' ages in
    seconds, without those of backfilled mentions: these were old before the watch began, and do not show how fast the
    pipeline is. ``gaps``: (source, reason) of each gap that the poll has left; ``filled``: how many it has filled, by
    source. ``erased``: items that were gone. ``sampled``: new rows of the sample, by source.
    """

    channels: dict[int, str] = {}
    mentions: int = 0
    ages: tuple[float, ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()
    filled: Mapping[str, int] = {}
    erased: int = 0
    sampled: Mapping[str, int] = {}


def store(
    db: Db,
    message: ItemsMatched,
    now: float,
    news_for: float = NEWS_MAX_AGE_SECONDS,
    kept_for: KeptFor = kept_forever,
    operator_mutes: Sequence[MuteRule] = (),
) -> StoreResult:
    """Store one part of a poll, in one transaction; before that, in another one, erase what is gone.

    In two, because both lock items in the order of their keys; one transaction would lock them in two orders. Erasing
    comes first: after a crash in between, the part is stored again, and what is gone is refused by then.

    1. Store the items that matched and those of the sample (``sampling.py``), leaving known ones as they are; but no
       erased ones, and none of a source that is older than its ``kept_for``: quiet listings still show what retention
       has deleted long ago. Replace the text of known ones that were edited since, whether they match or not, and what
       their mentions tell of it (``edits.py``). A copy from before an edit that is stored already matches nothing.
    2. Store a mention for each (workspace, item) that has none: uniqueness decides what is new, never the cursor.
    3. Store a delivery for each new mention and channel that gets it (``routing.py``), and for each channel that hears
       of a mention because of an edit only; not for items older than ``news_for`` seconds, which are not news.
    4. Store the part itself; if it was the poll's last missing one, move the feeds' cursors and end their lease. If it
       was one that fills gaps, what has been looked up of them moves on instead.
    """
    erased = erasure.erase_keys(db, message.gone, now)
    for source, author, until in message.gone_authors:
        erased.add(erasure.erase_account(db, source, author, until, now))
    with db.transaction():
        created: list[NewMention] = []
        sampled: Mapping[str, int] = {}
        found: list[NewMention] = []
        entries: list[MatchedItem] = []
        accepted = _accepted(db, message.items, now, kept_for)
        if accepted:
            draws = sampling.drawn(db, accepted, now)
            rows = _items(db, accepted, draws, now)
            item_ids = {key: row.id for key, row in rows.items()}
            others = [entry.item.key for entry in accepted if entry.item.key not in rows]
            rows |= _known(db, others)
            outdated = edits.outdated(
                db, [(row, entry.item) for entry in accepted if (row := rows.get(entry.item.key))]
            )
            current = edits.untitled_still(db, [each for each in accepted if each.item.key not in outdated], rows)
            more = edits.update(db, [(row, entry) for entry in current if (row := rows.get(entry.item.key))])
            found = [
                new_mentions.found_by_edit(mention, entry.item, rows[entry.item.key].id, now, news_for)
                for mention, entry in more
            ]
            by_key = {entry.item.key: entry.item for entry in accepted}
            sampled = sampling.add(db, [(item_ids[key], by_key[key], draw) for key, draw in draws.items()], now)
            read_at = poll_parts.started_at(db, message.part.poll)
            entries = [entry for entry in current if entry.matches]
            created = new_mentions.add(db, entries, item_ids, now, news_for, read_at)
        channels = deliveries.add(db, [*created, *found], now, operator_mutes)
        gaps, filled = poll_parts.record(db, message.part, now)
    public = [entry.item for entry in entries if not is_internal(entry.item.source)] if created else []
    born = {item_ids[item.key]: item.created_at for item in public}
    counted = [mention for mention in created if mention.item_id in born]
    ages = tuple(now - born[mention.item_id] for mention in counted if not mention.backfilled)
    return StoreResult(channels, len(counted), ages, tuple(gaps), filled, erased.items, sampled)


def _accepted(db: Db, entries: Sequence[MatchedItem], now: float, kept_for: KeptFor) -> list[MatchedItem]:
    young = [entry for entry in entries if now - entry.item.created_at <= kept_for(entry.item.source)]
    if not young:
        return []
    db.share_lock(erasure.STORE_LOCK_KEY)  # before the check: erasing waits for us, or its tombstones are visible
    refused = erasure.refused(db, [entry.item for entry in young])
    kept = [entry for entry in young if entry.item.key not in refused]
    bare = erasure.threads_refused(db, [entry.item for entry in kept])
    return [untitled(entry) if entry.item.key in bare else entry for entry in kept]


def _items(db: Db, entries: Sequence[MatchedItem], draws: Mapping[Key, SampleDraw], now: float) -> dict[Key, StoredRow]:
    """Insert the items that match or are drawn for the sample, unless they are stored; return their rows."""
    matching = {entry.item.key for entry in entries if entry.matches}
    by_key = {entry.item.key: entry.item for entry in entries if entry.matches or entry.item.key in draws}
    missing = sorted(by_key)  # one order of locks for all workers
    rows: dict[Key, StoredRow] = {}
    while missing:  # again if retention has deleted one between the two statements
        values = [_item_row(by_key[key], now, sampled_only=key not in matching) for key in missing]
        rows |= {(source, ref): StoredRow(*row) for source, ref, *row in _add_items(db, rows=values)}
        rows |= _known(db, [key for key in missing if key not in rows])
        missing = [key for key in missing if key not in rows]
    # Only the sample had those until now.
    sampling.check_again(db, [row.id for key, row in rows.items() if row.checked_at > now and key in matching])
    return rows


def _known(db: Db, keys: Iterable[Key]) -> dict[Key, StoredRow]:
    """Return the rows of those of the items that are stored."""
    by_source: dict[str, list[str]] = defaultdict(list)
    for source, ref in keys:
        by_source[source].append(ref)
    return {
        (source, ref): StoredRow(*row)
        for source in sorted(by_source)
        for ref, *row in _known_items(db, source=source, refs=by_source[source])
    }


STORED_ROW = (StoredItem.id, StoredItem.checked_at, StoredItem.edited_at)


@compiled
def _add_items(db: Db, rows: Any) -> Any:
    return inserted(StoredItem, rows).on_conflict_ignore().returning(StoredItem.source, StoredItem.ref, *STORED_ROW)


@compiled
def _known_items(db: Db, source: Any, refs: Any) -> Any:
    known = StoredItem.select(StoredItem.ref, *STORED_ROW).where(
        StoredItem.source == source, among(StoredItem.ref, refs)
    )
    return db.locked_for_reference(known.order_by(StoredItem.ref))


def _item_row(item: Item, now: float, *, sampled_only: bool) -> dict[str, object]:
    row = {
        key: storable(value) if isinstance(value, str) else value for key, value in msgspec.structs.asdict(item).items()
    }
    row |= {"ref": row.pop("id"), "texts": texts_column(item)}
    checked_at = now + sampling.NEVER_CHECKED_SECONDS if sampled_only else now
    return {**row, "stored_at": now, "checked_at": checked_at}
