"""Match items for one workspace, and store its mentions without sending any."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from overheard.clock import Clock
from overheard.db import storing
from overheard.db.database import Db
from overheard.db.retention import RetentionAges
from overheard.items import Item
from overheard.messages import ItemsFetched, ItemsMatched, MatchedItem, PollPart, WorkspaceMatch

NOTHING_IS_NEWS = -math.inf  # the age from which items are not sent: any

Match = Callable[[ItemsFetched], list[ItemsMatched]]  # as the match stage does


class QuietResult(NamedTuple):
    """The items that were found, and how many of their mentions are new."""

    found: tuple[MatchedItem, ...]
    mentions: int


class QuietStore:
    """Stores what some of a workspace's queries find. ``match`` is the match stage's own work."""

    def __init__(self, db: Db, match: Match, clock: Clock, ages: RetentionAges) -> None:
        self.db = db
        self.match = match
        self.clock = clock
        self.ages = ages

    def store(self, workspace_id: int, query_ids: frozenset[int], items: tuple[Item, ...]) -> QuietResult:
        """Match the items, and store those that one of the queries matches, as the store stage does."""
        # A poll of its own, of one part and without targets: it moves no cursor.
        part = PollPart(poll=f"backfill-{uuid.uuid4()}", part=0, parts=1)
        found: list[MatchedItem] = []
        mentions = 0
        for matched in self.match(ItemsFetched(part=part, items=items)):
            kept = [(entry, _own(workspace_id, query_ids, entry.matches)) for entry in matched.items]
            own = replace(matched, items=tuple(replace(entry, matches=matches) for entry, matches in kept if matches))
            stored = storing.store(self.db, own, self.clock(), NOTHING_IS_NEWS, self.ages.kept_for)
            found += own.items
            mentions += stored.mentions
        return QuietResult(tuple(found), mentions)


def _own(
    workspace_id: int, query_ids: frozenset[int], matches: tuple[WorkspaceMatch, ...]
) -> tuple[WorkspaceMatch, ...]:
    """Return the matches of the workspace, if one of the wanted queries is among them.

    Its other queries that match stay: the mention is stored once, and has to name them all.
    """
    return tuple(
        match for match in matches if match.workspace_id == workspace_id and not query_ids.isdisjoint(match.query_ids)
    )
