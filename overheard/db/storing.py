"""The transaction of the store stage: what was matched is stored once, and only then do cursors move (I2, I3)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence

import msgspec
from msgspec.structs import replace
from peewee import fn

from overheard.db import deliveries, erasing, groups
from overheard.db.connect import Db
from overheard.db.models import Feed, Item, Mention, Poll, Query, StoredPart, Watch, Workspace
from overheard.db.text import storable
from overheard.db.threads import without_title
from overheard.items import Item as FoundItem
from overheard.items import Place
from overheard.messages import ItemsMatched, Key, MatchedItem, PollPart, Target
from overheard.sources.registry import is_internal

NEWS = 30 * 86400.0  # seconds: nobody wants to be told today of what was said a month ago
UNKNOWN = 0.0  # when a poll began whose row is gone: it makes nothing fresh
ROWS = 400  # rows an INSERT: well under every database's limit of parameters


class Stored(msgspec.Struct, frozen=True):
    """What a transaction of store did: ``channels`` to notify now, each with its workspace's slug.

    ``mentions`` counts the new ones, ``ages`` are their items' ages in seconds: without the canary's, which nobody
    said, and without the ages of silent mentions, which were old before anybody watched, and say nothing of how fast
    we are. ``gaps``: (source, reason) of each gap that the poll has left. ``erased``: items that were gone.
    """

    channels: dict[int, str] = {}
    mentions: int = 0
    ages: tuple[float, ...] = ()
    gaps: tuple[tuple[str, str], ...] = ()
    erased: int = 0


def store(db: Db, message: ItemsMatched, now: float, news_for: float = NEWS, kept_for: float = math.inf) -> Stored:
    """Store one part of a poll, in one transaction; first, in one of its own, erase what is gone.

    Apart, because both lock items in the order of their keys, and together would lock them in two orders. Erasing comes
    first: a crash in between leaves the part to be stored again, and what is gone is refused by then.

    1. the items, those seen before left as they are; but none that was erased, nor any that is older than
       ``kept_for`` seconds: in quiet listings stands what retention has forgotten long ago;
    2. a mention for each (workspace, item) that has none: uniqueness decides what is new, never the cursor;
    3. a delivery for each new mention and channel of its workspace, unless the item is older than the watch;
       or is no news any more (``news_for`` seconds);
    4. the part itself; when it was the poll's last missing one, the feeds' cursors move and their lease ends.
    """
    erased = erasing.erase_gone(db, message.gone, now)
    with db.transaction():
        created: list[tuple[int, int, int, bool]] = []
        entries = _storable_now(db, message.items, now - kept_for)
        if entries:
            item_ids = _items(db, entries, now)
            entries = _without_erased(db, entries, item_ids)
            created = _mentions(db, entries, item_ids, now, news_for)
        loud = [(mention, workspace) for mention, workspace, _, silent in created if not silent]
        channels = deliveries.add(db, loud, now)
        gaps = _part(db, message.part, now)
    said = [entry.item for entry in entries if not is_internal(entry.item.source)] if created else []
    born = {item_ids[item.key]: item.created_at for item in said}
    ages = tuple(now - born[item_id] for _, _, item_id, silent in created if item_id in born and not silent)
    return Stored(channels, sum(item_id in born for _, _, item_id, _ in created), ages, tuple(gaps), erased.items)


def _storable_now(db: Db, entries: Sequence[MatchedItem], oldest: float) -> list[MatchedItem]:
    young = [entry for entry in entries if entry.item.created_at >= oldest]
    refused = erasing.refused(db, [entry.item for entry in young]) if young else set()
    kept = [entry for entry in young if entry.item.key not in refused]
    bare = erasing.threads_refused(db, [entry.item for entry in kept])
    return [replace(entry, item=without_title(entry.item)) if entry.item.key in bare else entry for entry in kept]


def _without_erased(db: Db, entries: list[MatchedItem], item_ids: dict[Key, int]) -> list[MatchedItem]:
    """Look again, now that the items' rows are held: one may have been erased in between, and was made anew here."""
    refused = erasing.refused(db, [entry.item for entry in entries])
    if not refused:
        return entries
    Item.delete().where(Item.id.in_([item_ids[key] for key in refused])).execute(db.peewee)
    return [entry for entry in entries if entry.item.key not in refused]


def _items(db: Db, entries: Sequence[MatchedItem], now: float) -> dict[Key, int]:
    by_key = {entry.item.key: entry.item for entry in entries}
    missing = sorted(by_key)  # one order of locks for all workers
    ids: dict[Key, int] = {}
    while missing:  # again, when retention has deleted one between the two statements
        for start in range(0, len(missing), ROWS):
            keys = missing[start : start + ROWS]
            Item.insert_many([_item_row(by_key[key], now) for key in keys]).on_conflict_ignore().execute(db.peewee)
            known = (
                Item.select(Item.source, Item.ref, Item.id).where(erasing.of_keys(keys)).order_by(Item.source, Item.ref)
            )
            ids.update({(source, ref): row for source, ref, row in db.kept(known).tuples().execute(db.peewee)})
        missing = [key for key in missing if key not in ids]
    return ids


def _item_row(item: FoundItem, now: float) -> dict[str, object]:
    row = {
        key: storable(value) if isinstance(value, str) else value for key, value in msgspec.structs.asdict(item).items()
    }
    row |= {"ref": row.pop("id"), "texts": storable(msgspec.json.encode(item.texts).decode())}
    return {**row, "stored_at": now, "checked_at": now}


def _mentions(
    db: Db, entries: Sequence[MatchedItem], item_ids: dict[Key, int], now: float, news_for: float
) -> list[tuple[int, int, int, bool]]:
    """Insert the mentions that are new; returns (mention, workspace, item, silent) of each."""
    workspace_ids = _present(db, sorted({match.workspace_id for entry in entries for match in entry.matches}))
    present = _present_queries(db, {query for entry in entries for match in entry.matches for query in match.query_ids})
    since = _watched_since(db, workspace_ids)
    rows = []
    for entry in entries:
        for match in entry.matches:
            query_ids = [query for query in match.query_ids if query in present]
            watched = since[match.workspace_id]
            starts = [watched[place] for place in entry.item.found_in if place in watched]
            if not query_ids or not starts:
                continue  # the query, the watch or the workspace went while the message was under way
            rows.append(
                {
                    "workspace": match.workspace_id,
                    "item": item_ids[entry.item.key],
                    "query_ids": msgspec.json.encode(query_ids).decode(),
                    "highlights": msgspec.json.encode(match.highlights).decode(),
                    # Some sources give times in whole seconds: an item of the second in which the watch began is new.
                    "silent": entry.item.created_at < max(int(min(starts)), now - news_for),
                    "stored_at": now,
                }
            )
    rows.sort(key=lambda row: (row["workspace"], row["item"]))
    created: list[tuple[int, int, int, bool]] = []
    for start in range(0, len(rows), ROWS):
        created.extend(
            Mention.insert_many(rows[start : start + ROWS])
            .on_conflict_ignore()
            .returning(Mention.id, Mention.workspace, Mention.item, Mention.silent)
            .tuples()
            .execute(db.peewee)
        )
    return created


def _present(db: Db, workspace_ids: list[int]) -> list[int]:
    """Those of the workspaces that are still there, and stay until the transaction ends."""
    there = Workspace.select(Workspace.id).where(Workspace.id.in_(workspace_ids)).order_by(Workspace.id)
    return [workspace_id for (workspace_id,) in db.kept(there).tuples().execute(db.peewee)]


def _present_queries(db: Db, query_ids: Collection[int]) -> set[int]:
    """Return those of the queries that are still there."""
    present: set[int] = set()
    ordered = sorted(query_ids)
    for start in range(0, len(ordered), ROWS):
        rows = Query.select(Query.id).where(Query.id.in_(ordered[start : start + ROWS]), Query.removed_at.is_null())
        present.update(query for (query,) in rows.tuples().execute(db.peewee))
    return present


def _watched_since(db: Db, workspace_ids: list[int]) -> dict[int, dict[Place, float]]:
    since: dict[int, dict[Place, float]] = defaultdict(dict)
    rows = (
        Watch.select(Watch.workspace, Feed.source, Watch.kinds, Feed.place, Watch.created_at)
        .join(Feed, on=(Watch.feed == Feed.id))
        .where(Watch.workspace.in_(workspace_ids))
    )
    for workspace_id, source, kinds, place, created_at in rows.tuples().execute(db.peewee):
        since[workspace_id].update({(source, kind, place): created_at for kind in kinds.split()})
    return since


def _part(db: Db, part: PollPart, now: float) -> list[tuple[str, str]]:
    # The poll's row is locked first: two workers that store its last two parts at once would each see the other's
    # part missing, and nobody would finish the poll.
    last = {} if part.parts is None else {"parts": part.parts, "targets": msgspec.json.encode(part.targets).decode()}
    touched = {"id": part.poll, "started_at": UNKNOWN, **last}  # where the poll has been given up
    Poll.insert(**touched).on_conflict(
        conflict_target=[Poll.id], update=last or {Poll.started_at: Poll.started_at}
    ).execute(db.peewee)
    row = {"poll": part.poll, "part": part.part, "pieces": part.pieces, "piece": part.piece}
    StoredPart.insert(row).on_conflict_ignore().execute(db.peewee)
    started_at, parts, targets, finished_at = (
        Poll.select(Poll.started_at, Poll.parts, Poll.targets, Poll.finished_at)
        .where(Poll.id == part.poll)
        .tuples()
        .execute(db.peewee)[0]
    )
    if parts is None or finished_at is not None:
        return []
    if _parts_stored(db, part.poll, parts) < parts:
        return []
    gaps = groups.finish(db, part.poll, started_at, msgspec.json.decode(targets, type=list[Target]), now)
    Poll.update(finished_at=now).where(Poll.id == part.poll).execute(db.peewee)
    return gaps


def _parts_stored(db: Db, poll: str, parts: int) -> int:
    """How many parts are stored whole. One that was matched twice may have come in other pieces each time."""
    whole = (
        StoredPart.select(StoredPart.part)
        .where(StoredPart.poll == poll, StoredPart.part < parts, StoredPart.piece < StoredPart.pieces)
        .group_by(StoredPart.part, StoredPart.pieces)
        .having(fn.count(StoredPart.piece) == StoredPart.pieces)
    )
    return len({part for (part,) in whole.tuples().execute(db.peewee)})
