"""The transaction of the store stage: store each match once, and only then move the cursors (I2, I3)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from peewee import fn

from overheard.db import deliveries, edits, erasure, gap_filling, groups, sampling
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.edits import FoundByEdit, StoredRow
from overheard.db.models import Feed, Mention, Poll, Query, StoredItem, StoredPart, Watch, Workspace
from overheard.db.storable_text import storable, texts_column
from overheard.db.thread_titles import untitled
from overheard.db.why_column import why_column
from overheard.items import KINDS_IN, Item, WatchKey, place_key
from overheard.messages import ItemsMatched, Key, MatchedItem, NumbersRead, PollPart, PollTarget, SampleDraw
from overheard.routing import NEWS_MAX_AGE_SECONDS, MuteRule, NewMention, is_backfilled, link_key
from overheard.sources.registry import is_internal

UNKNOWN_START = 0.0  # of a poll whose row is gone: it makes no feed fresh
INSERT_ROWS = 400  # for each INSERT: well under every database's limit of parameters
_TARGETS = msgspec.json.Decoder(list[PollTarget])
_NUMBERS = msgspec.json.Decoder(NumbersRead | None)


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
            rows |= _known(db, others) if others else {}
            outdated = edits.outdated(
                db, [(row, entry.item) for entry in accepted if (row := rows.get(entry.item.key))]
            )
            current = edits.untitled_still(db, [each for each in accepted if each.item.key not in outdated], rows)
            more = edits.update(db, [(row, entry) for entry in current if (row := rows.get(entry.item.key))])
            found = [
                _found_by_edit(mention, entry.item, rows[entry.item.key].id, now, news_for) for mention, entry in more
            ]
            by_key = {entry.item.key: entry.item for entry in accepted}
            sampled = sampling.add(db, [(item_ids[key], by_key[key], draw) for key, draw in draws.items()], now)
            read_at = poll_started_at(db, message.part.poll)
            entries = [entry for entry in current if entry.matches]
            created = _mentions(db, entries, item_ids, now, news_for, read_at)
        channels = deliveries.add(db, [*created, *found], now, operator_mutes)
        gaps, filled = _record_part(db, message.part, now)
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
    unchecked: list[int] = []
    while missing:  # again if retention has deleted one between the two statements
        for keys in _batches(missing):
            _add_items(db, rows=[_item_row(by_key[key], now, sampled_only=key not in matching) for key in keys])
            for key, row in _known_rows(db, keys):
                rows[key] = row
                if row.checked_at > now and key in matching:  # only the sample had it until now
                    unchecked.append(row.id)
        missing = [key for key in missing if key not in rows]
    sampling.check_again(db, unchecked)
    return rows


def _known(db: Db, keys: Sequence[Key]) -> dict[Key, StoredRow]:
    """Return the rows of those of the items that are stored."""
    return {key: row for some in _batches(sorted(keys)) for key, row in _known_rows(db, some)}


def _known_rows(db: Db, keys: Sequence[Key]) -> Iterator[tuple[Key, StoredRow]]:
    """Yield those of the items that are stored."""
    for source in sorted({source for source, _ in keys}):
        rows = _known_items(db, source=source, refs=[ref for each, ref in keys if each == source])
        yield from (((source, ref), StoredRow(*row)) for ref, *row in rows)


@compiled
def _add_items(db: Db, rows: Any) -> Any:
    return StoredItem.insert_many(rows).on_conflict_ignore()


@compiled
def _known_items(db: Db, source: Any, refs: Any) -> Any:
    columns = (StoredItem.ref, StoredItem.id, StoredItem.checked_at, StoredItem.edited_at)
    known = StoredItem.select(*columns).where(StoredItem.source == source, StoredItem.ref.in_(refs))
    return db.locked_for_reference(known.order_by(StoredItem.ref))


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (rows[start : start + INSERT_ROWS] for start in range(0, len(rows), INSERT_ROWS))


def _item_row(item: Item, now: float, *, sampled_only: bool) -> dict[str, object]:
    row = {
        key: storable(value) if isinstance(value, str) else value for key, value in msgspec.structs.asdict(item).items()
    }
    row |= {"ref": row.pop("id"), "texts": texts_column(item)}
    checked_at = now + sampling.NEVER_CHECKED_SECONDS if sampled_only else now
    return {**row, "stored_at": now, "checked_at": checked_at}


def poll_started_at(db: Db, poll: str) -> float:
    """Return when a poll began; 0 if its row is gone."""
    row = list(_started(db, poll=poll))
    return float(row[0][0]) if row else UNKNOWN_START


@compiled
def _started(db: Db, poll: Any) -> Any:
    return Poll.select(Poll.started_at).where(Poll.id == poll)


def _mentions(
    db: Db, entries: Sequence[MatchedItem], item_ids: dict[Key, int], now: float, news_for: float, read_at: float
) -> list[NewMention]:
    """Insert the mentions that are new, and return them."""
    matches = [match for entry in entries for match in entry.matches]
    # Locked: the workspaces stay until the transaction ends.
    present = {
        workspace for (workspace,) in _kept_workspaces(db, ids=sorted({match.workspace_id for match in matches}))
    }
    wanted = sorted({query for match in matches for query in match.query_ids})
    query_ids = {query for batch in _batches(wanted) for (query,) in _present_queries(db, ids=batch)}
    since = _watched_since(db, present, {place for entry in entries for place in entry.item.found_in})
    rows = []
    found: dict[tuple[int, int], tuple[Item, tuple[int, ...]]] = {}  # by workspace and item
    for entry in entries:
        for match in entry.matches:
            matched = [query for query in match.query_ids if query in query_ids]
            watched = since[match.workspace_id]
            starts = [watched[place] for place in entry.item.found_in if place in watched]
            if not matched or not starts:
                continue  # the query, the watch or the workspace was removed while the message was in flight
            found[match.workspace_id, item_ids[entry.item.key]] = (entry.item, tuple(matched))
            rows.append(
                {
                    "workspace": match.workspace_id,
                    "item": item_ids[entry.item.key],
                    "query_ids": msgspec.json.encode(matched).decode(),
                    "highlights": msgspec.json.encode(match.highlights).decode(),
                    "why": why_column(match.why, matched),
                    "backfilled": is_backfilled(entry.item.created_at, min(starts), now, news_for),
                    "stored_at": now,
                    "read_at": read_at,
                }
            )
    rows.sort(key=lambda row: (row["workspace"], row["item"]))
    created = [row for batch in _batches(rows) for row in _add_mentions(db, rows=batch)]
    return [
        _new_mention(key, workspace_id, item_id, bool(backfilled), *found[workspace_id, item_id])
        for key, workspace_id, item_id, backfilled in created
    ]


def _new_mention(
    key: int, workspace_id: int, item_id: int, backfilled: bool, item: Item, queries: tuple[int, ...]
) -> NewMention:
    return NewMention(
        id=key,
        workspace_id=workspace_id,
        item_id=item_id,
        backfilled=backfilled,
        queries=queries,
        source=item.source,
        place=place_key(item.place),
        author=(item.author or "").lower(),
        thread=item.thread or "",
        link=link_key(item.url) if item.kind == "post" else None,
    )


def _found_by_edit(mention: FoundByEdit, item: Item, item_id: int, now: float, news_for: float) -> NewMention:
    backfilled = mention.backfilled or is_backfilled(item.created_at, 0.0, now, news_for)
    new = _new_mention(mention.id, mention.workspace_id, item_id, backfilled, item, mention.queries)
    return msgspec.structs.replace(new, known_queries=mention.known)


@compiled
def _add_mentions(db: Db, rows: Any) -> Any:
    added = Mention.insert_many(rows).on_conflict_ignore()
    return added.returning(Mention.id, Mention.workspace, Mention.item, Mention.backfilled)


@compiled
def _kept_workspaces(db: Db, ids: Any) -> Any:
    return db.locked_for_reference(Workspace.select(Workspace.id).where(Workspace.id.in_(ids)).order_by(Workspace.id))


@compiled
def _present_queries(db: Db, ids: Any) -> Any:
    return Query.select(Query.id).where(Query.id.in_(ids), Query.removed_at.is_null())


def _watched_since(
    db: Db, workspace_ids: Collection[int], places: Collection[WatchKey]
) -> dict[int, dict[WatchKey, float]]:
    """Return since when each workspace has watched these places; the result may have others of the same names."""
    since: dict[int, dict[WatchKey, float]] = defaultdict(dict)
    sources, keys = sorted({source for source, _, _ in places}), sorted({key for _, _, key in places})
    found = _watches(db, workspaces=sorted(workspace_ids), sources=sources, keys=keys)
    for workspace_id, source, kinds, place, created_at in found:
        since[workspace_id].update({(source, kind, place): created_at for kind in kinds.split()})
    return since


@compiled
def _watches(db: Db, workspaces: Any, sources: Any, keys: Any) -> Any:
    # All kinds, so that the index on (source, kind, place) is used.
    of_places = Feed.source.in_(sources) & Feed.kind.in_(list(KINDS_IN)) & Feed.place.in_(keys)
    return (
        Watch.select(Watch.workspace, Feed.source, Watch.kinds, Feed.place, Watch.created_at)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Watch.workspace.in_(workspaces), of_places)
    )


def _record_part(db: Db, part: PollPart, now: float) -> tuple[list[tuple[str, str]], Mapping[str, int]]:
    """Record the part. If it ends its poll, return the gaps (source, reason) that it leaves, and how many it fills."""
    # Lock the poll's row first: two workers that store its last two parts at once would each see the other's part
    # missing, and neither would finish the poll.
    key = {"poll": part.poll, "unknown": UNKNOWN_START}
    if part.parts is None:
        [row] = _touch_poll(db, **key)
    else:
        targets, numbers = (msgspec.json.encode(each).decode() for each in (part.targets, part.numbers))
        [row] = _end_poll(db, **key, parts=part.parts, targets=targets, numbers=numbers)
    started_at, parts, targets, numbers, finished_at = row
    _add_part(db, rows=[{"poll": part.poll, "part": part.part, "pieces": part.pieces, "piece": part.piece}])
    if parts is None or finished_at is not None:
        return [], {}
    # A part that was matched twice may have been cut into different pieces each time.
    if len(set(_whole_parts(db, poll=part.poll, parts=parts))) < parts:
        return [], {}
    gaps = groups.finish(db, part.poll, started_at, _TARGETS.decode(targets), now)
    read = _NUMBERS.decode(numbers) if numbers is not None else None  # a poll from before there was such a column
    filled = {read.source: gap_filling.advance(db, part.poll, read, now)} if read is not None else {}
    _finish_poll(db, poll=part.poll, now=now)
    return gaps, filled


POLL = (Poll.started_at, Poll.parts, Poll.targets, Poll.numbers, Poll.finished_at)


@compiled
def _touch_poll(db: Db, poll: Any, unknown: Any) -> Any:
    same = {Poll.started_at: Poll.started_at}  # an update, for its lock; a poll that was released gets a new row
    return Poll.insert(id=poll, started_at=unknown).on_conflict(conflict_target=[Poll.id], update=same).returning(*POLL)


@compiled
def _end_poll(db: Db, poll: Any, unknown: Any, parts: Any, targets: Any, numbers: Any) -> Any:
    last = {"parts": parts, "targets": targets, "numbers": numbers}
    made = Poll.insert(id=poll, started_at=unknown, **last)
    return made.on_conflict(conflict_target=[Poll.id], update=last).returning(*POLL)


@compiled
def _add_part(db: Db, rows: Any) -> Any:
    return StoredPart.insert_many(rows).on_conflict_ignore()


@compiled
def _finish_poll(db: Db, poll: Any, now: Any) -> Any:
    return Poll.update(finished_at=now).where(Poll.id == poll)


@compiled
def _whole_parts(db: Db, poll: Any, parts: Any) -> Any:
    return (
        StoredPart.select(StoredPart.part)
        .where(StoredPart.poll == poll, StoredPart.part < parts, StoredPart.piece < StoredPart.pieces)
        .group_by(StoredPart.part, StoredPart.pieces)
        .having(fn.count(StoredPart.piece) == StoredPart.pieces)
    )
