"""How often stored queries would match, estimated from the sample of recent items in one pass for all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from overheard.db import sample
from overheard.db.database import Db
from overheard.db.query_rows import StoredQuery, watchers
from overheard.items import WatchKey
from overheard.matching.index.query_index import QueryIndex
from overheard.matching.language import ParsedQuery, QuerySyntaxError, parse_stored
from overheard.operations.rates import RateEstimate


class Estimate(msgspec.Struct, frozen=True):
    """How many items a day match a query, from ``hits`` in the sample, which covers so many hours."""

    per_day: float
    hits: int
    sampled: int
    hours: float


def parsed(query: StoredQuery) -> ParsedQuery | None:
    """Return a stored query as it is matched; None if it cannot be read: it matches nothing."""
    try:
        return parse_stored(query.text, scope=query.scope.node)[0]
    except QuerySyntaxError:
        return None


def estimates(db: Db, queries: Iterable[StoredQuery], *, now: float, seconds: float) -> dict[int, Estimate]:
    """Return an estimate for each query, by id, of whose workspace's places anything is sampled."""
    trees = [(query.id, query.workspace_id, tree) for query in queries if (tree := parsed(query)) is not None]
    return estimates_of(db, trees, now=now, seconds=seconds)


def estimates_of(
    db: Db, trees: Iterable[tuple[int, int, ParsedQuery]], *, now: float, seconds: float
) -> dict[int, Estimate]:
    """The same for queries that need not be stored: (number, workspace, query)."""
    index, owners = QueryIndex(), {}
    for number, workspace_id, tree in trees:
        index.add(number, tree, workspace_id)
        owners[number] = workspace_id
    workspace_ids = set(owners.values())
    if not workspace_ids:
        return {}
    watching = watchers(db, workspace_ids)
    places_of: dict[int, list[WatchKey]] = defaultdict(list)
    for place, owners_there in watching.items():
        for workspace_id in owners_there:
            places_of[workspace_id].append(place)
    for workspace_id, places in places_of.items():
        index.watch(workspace_id, places)
    rates: RateEstimate[int] = RateEstimate(sample.coverage(db, now - seconds), now)
    hits: Counter[int] = Counter()
    sampled_of: Counter[int] = Counter()
    nobody: frozenset[int] = frozenset()
    # Of a single workspace, nothing but what it watches is read.
    only = next(iter(workspace_ids)) if len(workspace_ids) == 1 else None
    for sampled in sample.sampled_items(db, only, since=now - seconds):
        of_place, of_source = (watching.get(key, nobody) for key in sampled.item.found_in)
        if not of_place and not of_source:
            continue
        sampled_of.update(of_place | of_source)
        found = [hit.key for hit in index.match(sampled.item, sampled.item.found_in)]
        hits.update(found)
        rates.see(sampled, found)
    return {
        number: Estimate(rates.per_day(number), hits[number], sampled_of[owner], rates.hours)
        for number, owner in owners.items()
        if sampled_of[owner]
    }
