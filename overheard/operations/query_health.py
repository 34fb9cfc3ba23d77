"""Which queries are worth a look: those that find nothing, too much, only addresses, or what another one finds.

1. **duplicate**: of a query of the same workspace, it has the same meaning, or finds nearly the same.
2. **flooding**: it has found more than FLOOD_PER_DAY a day.
3. **links_only**: whatever it found stands in addresses alone.
4. **silent**: it has found nothing, and the sample of recent items has next to nothing for it either; or, without
   a sample, its workspace has watched for a week.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, groupby
from typing import Literal

import msgspec

from overheard.db import query_rows
from overheard.db.database import Db
from overheard.db.query_rows import StoredQuery
from overheard.items import Item
from overheard.matching.index.query_index import matches
from overheard.matching.item.texts import texts_of
from overheard.matching.language import ParsedQuery
from overheard.matching.markup import flow
from overheard.operations.query_estimates import Estimate, estimates, parsed

DAY_SECONDS = 86400.0
WEEK_SECONDS = 7 * DAY_SECONDS
FLOOD_PER_DAY = 200  # more than anyone reads; chosen, not measured
ALIKE = 0.9  # of all items that one of two queries has found, both have: near-copies
ALIKE_MIN_HITS = 5
MAX_COMPARED = 50  # queries that match the same item; more of them are not compared with each other by their hits
CONCLUSIVE_HOURS = 12.0  # that the sample has to cover for its silence to say something; chosen, not measured
MAX_READ = 2000  # mentions of a workspace, the newest, in which places are looked at

HealthState = Literal["ok", "silent", "flooding", "links_only", "duplicate"]


class QueryHealth(msgspec.Struct, frozen=True):
    """A query's state. ``hits_7d``: its mentions of the last seven days, without backfilled ones."""

    workspace: str
    query: str
    state: HealthState
    hits_7d: int
    duplicate_of: str | None = None


def health(db: Db, *, now: float, sample_seconds: float, workspace_id: int | None = None) -> Iterator[QueryHealth]:
    """Yield the state of each query of a workspace (None: of all active ones), by workspace and age."""
    stored = list(query_rows.stored_queries(db, workspace_id=workspace_id))
    hits, common = _hits(db, now - WEEK_SECONDS, workspace_id)
    watching = query_rows.watching_since(db)
    found_nothing = [query for query in stored if not hits[query.id]]
    expected = estimates(db, found_nothing, now=now, seconds=sample_seconds)
    for owner, of_workspace in groupby(stored, key=lambda query: query.workspace_id):
        queries = list(of_workspace)
        trees = {query.id: tree for query in queries if (tree := parsed(query)) is not None}
        copies = _copies(queries, trees, hits, common)
        in_links = _only_in_links(db, owner, trees, hits, now - WEEK_SECONDS)
        age = now - watching.get(owner, now)
        names = {query.id: query.name for query in queries}
        for query in queries:
            count = hits[query.id]
            state: HealthState = "ok"
            if query.id in copies:
                state = "duplicate"
            elif count > FLOOD_PER_DAY * min(max(age, DAY_SECONDS), WEEK_SECONDS) / DAY_SECONDS:
                state = "flooding"
            elif query.id in in_links:
                state = "links_only"
            elif not count and _is_silent(expected.get(query.id), age):
                state = "silent"
            yield QueryHealth(query.workspace, query.name, state, count, names.get(copies.get(query.id, 0)))


def _is_silent(expected: Estimate | None, age: float) -> bool:
    if expected is None or expected.hours < CONCLUSIVE_HOURS:
        return age >= WEEK_SECONDS
    return expected.per_day * 7 < 1


def _hits(db: Db, since: float, workspace_id: int | None) -> tuple[Counter[int], Counter[tuple[int, int]]]:
    """Return how many mentions each query has, and how many each two queries have in common."""
    hits: Counter[int] = Counter()
    common: Counter[tuple[int, int]] = Counter()
    for query_ids, count in query_rows.hits_since(db, since, workspace_id):
        for query in query_ids:
            hits[query] += count
        if len(query_ids) <= MAX_COMPARED:
            for pair in combinations(sorted(query_ids), 2):
                common[pair] += count
    return hits, common


def _copies(
    queries: Iterable[StoredQuery],
    trees: Mapping[int, ParsedQuery],
    hits: Counter[int],
    common: Counter[tuple[int, int]],
) -> dict[int, int]:
    """Return the queries that are near-copies, each with the older one that it is a copy of."""
    copies: dict[int, int] = {}
    first: dict[ParsedQuery, int] = {}
    ids = [query.id for query in queries if query.id in trees]
    for query in ids:
        if (older := first.setdefault(trees[query], query)) != query:
            copies[query] = older
    of_workspace = set(ids)
    for (older, newer), both in sorted(common.items()):
        if older in of_workspace and newer in of_workspace and older not in copies and both >= ALIKE_MIN_HITS:
            either = hits[older] + hits[newer] - both
            if both >= ALIKE * either:
                copies.setdefault(newer, older)
    return copies


def _only_in_links(
    db: Db, workspace_id: int, trees: Mapping[int, ParsedQuery], hits: Counter[int], since: float
) -> set[int]:
    """Return the queries whose hits all stand in addresses, of those with any.

    Nearly every query is ruled out by its newest mention, and then nothing more is read.
    """
    open_ids = {query for query in trees if hits[query]}
    seen: dict[int, bool] = defaultdict(bool)
    for number, (query_ids, item) in enumerate(query_rows.newest_hits(db, workspace_id, since)):
        if not open_ids or number == MAX_READ:
            break
        for query in open_ids.intersection(query_ids):
            seen[query] = True
            if not _is_in_links(trees[query], item):
                open_ids.discard(query)
    return {query for query in open_ids if seen[query]}


def _is_in_links(query: ParsedQuery, item: Item) -> bool:
    """Return True if the query matches the item, and everything that it finds there stands in addresses."""
    hit = matches(query, item)
    if hit is None or not hit.highlights:
        return False  # the item was edited, or the query was
    links = {field: flow(text).links for field, text in texts_of(item).items() if field != "url"}
    return all(
        field == "url" or any(first <= start and end <= last for first, last in links.get(field, ()))  # type: ignore[call-overload]
        for field, start, end in hit.highlights
    )
