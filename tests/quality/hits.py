"""What the goals' queries find in a corpus, through the index that the match stage uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from overheard.items import Item
from overheard.matching.index import QueryIndex
from overheard.matching.language import parse
from tests.quality.goals import Goal
from tests.quality.scores import Judged


@dataclass
class Hits:
    """What the naive queries, and the tuned ones, find in all of a corpus: pairs of a goal and an item."""

    naive: set[Judged] = field(default_factory=set)
    tuned: set[Judged] = field(default_factory=set)


def find_hits(goals: Iterable[Goal], items: Iterable[Item]) -> Hits:
    """Match all items with all queries. Raise QuerySyntaxError for a query that is refused."""
    hits = Hits()
    index = QueryIndex()
    keys: dict[int, tuple[str, set[Judged]]] = {}
    for goal in goals:
        for query, found in ((goal.naive, hits.naive), (goal.tuned, hits.tuned)):
            key = len(keys)
            keys[key] = goal.id, found
            index.add(key, parse(query))
    for item in items:
        for hit in index.match(item):
            goal_id, found = keys[hit.key]
            found.add((goal_id, item.id))
    return hits
