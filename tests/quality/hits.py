"""What the goals' queries find, through the index that the match stage uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from overheard.items import Item
from overheard.matching.index.query_index import QueryIndex
from overheard.matching.language import parse
from tests.quality.goals import Goal
from tests.quality.scores import Judged


@dataclass
class QueryHits:
    """What the naive queries and the tuned ones find: pairs of a goal and an item."""

    naive: set[Judged] = field(default_factory=set)
    tuned: set[Judged] = field(default_factory=set)


def find_hits(goals: Iterable[Goal], items: Iterable[Item]) -> QueryHits:
    """Match items with all queries. Raise QuerySyntaxError for a query that is refused."""
    hits = QueryHits()
    index = QueryIndex()
    targets: list[tuple[str, set[Judged]]] = []
    for goal in goals:
        for query, found in ((goal.naive, hits.naive), (goal.tuned, hits.tuned)):
            index.add(len(targets), parse(query))
            targets.append((goal.id, found))
    for item in items:
        for hit in index.match(item):
            goal_id, found = targets[hit.key]
            found.add((goal_id, item.id))
    return hits
