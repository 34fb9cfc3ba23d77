"""How often stored queries would match, estimated from the sample of recent items in one pass for all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from overheard.db import sample
from overheard.db.database import Db
from overheard.db.query_rows import StoredQuery, watchers
from overheard.matching.index import QueryIndex
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


def estimates(db: Db, queries: Iterable[StoredQuery], *, now: float, seconds: float) -> Mapping[int, Estimate]:
    """Return an estimate for each query, by id, of which anything is sampled that its workspace watches."""
    index, owners = QueryIndex(), {}
    for query in queries:
        if (tree := parsed(query)) is not None:
            index.add(query.id, tree, query.workspace_id)
            owners[query.id] = query.workspace_id
    if not owners:
        return {}
    watching = watchers(db, set(owners.values()))
    rates: RateEstimate[int] = RateEstimate(sample.coverage(db, now - seconds), now)
    hits: Counter[int] = Counter()
    sampled_of: Counter[int] = Counter()
    nobody: frozenset[int] = frozenset()
    # With one workspace, nothing but what it watches is read.
    only = next(iter(owners.values())) if len(set(owners.values())) == 1 else None
    for sampled in sample.sampled_items(db, only, since=now - seconds):
        of_place, of_source = (watching.get(key, nobody) for key in sampled.item.found_in)
        if not of_place and not of_source:
            continue
        sampled_of.update(of_place | of_source)
        found = [hit.key for hit in index.match(sampled.item, of_place, of_source)]
        hits.update(found)
        rates.see(sampled, found)
    return {
        query: Estimate(rates.per_day(query), hits[query], sampled_of[owner], rates.hours)
        for query, owner in owners.items()
        if sampled_of[owner]
    }
