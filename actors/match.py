"""match: runs the index of all queries over what was read. Writes nothing."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from actors.context import Context
from overheard.bus.actor import Work
from overheard.db import queries
from overheard.db.connect import Db
from overheard.db.queries import Interest
from overheard.items import Item, Place
from overheard.log import get_logger, note
from overheard.matching.document import MAX_HIGHLIGHTS, Highlight
from overheard.matching.index import QueryIndex
from overheard.matching.language import read
from overheard.messages import ItemsFetched, ItemsMatched, Match, MatchedItem
from overheard.metrics import Metrics
from overheard.portions import matched_size, portions, spread
from overheard.sending import Send

log = get_logger(__name__)

NOBODY: frozenset[int] = frozenset()


def work(context: Context) -> Work:
    """The stage's work. The index is made before the first message."""
    matcher = Matcher(db=context.db, send=context.send, metrics=context.metrics)
    return Work(lambda message, permit: matcher.match(message), prepare=matcher.refresh)


class Matcher:
    """The index of every active workspace's queries, kept in step with the database.

    One thread at a time brings it up to date, and others match meanwhile. What they look at is changed in place, a
    query and a feed at a time, and never copied: a set of watchers is only ever asked whether it has one in it. What
    stays the same is not touched, so that nobody misses an item while somebody's settings change.
    """

    def __init__(self, *, db: Db, send: Send, metrics: Metrics) -> None:
        self.db = db
        self.send = send
        self.metrics = metrics
        self._index = QueryIndex()
        self._revision = 0
        self._refreshing = threading.Lock()
        self._owner: dict[int, int] = {}  # query → workspace
        self._watchers: dict[Place, set[int]] = defaultdict(set)
        # What of each workspace may be in the index; a refresh that breaks off finds here what is left to do.
        self._texts: dict[int, dict[int, str | None]] = {}
        self._places: dict[int, set[Place]] = {}
        # Queries that would be refused today. Those are matched that were right by the rules of their time; the others
        # were changed behind our back, and cannot be read at all. They stay alone (I6).
        self._outdated: set[int] = set()
        self._unreadable: set[int] = set()

    def match(self, message: ItemsFetched) -> None:
        """Match one part of a poll and send on what somebody wants; the part itself goes on in any case.

        Store must learn of every part: a poll is done, and its cursors move, when all of them are stored.
        """
        self.refresh()
        matched = [entry for item in message.items if (entry := self._match_item(item)) is not None]
        note(matched=len(matched))
        entries = [some for entry in matched for some in spread(entry)]
        pieces = portions(entries, matched_size)
        for number, piece in enumerate(pieces):
            self.send(
                ItemsMatched(
                    part=msgspec.structs.replace(message.part, piece=number, pieces=len(pieces)),
                    items=piece,
                    gone=message.gone if number == 0 else (),
                )
            )

    def _match_item(self, item: Item) -> MatchedItem | None:
        here, everywhere = (self._watchers.get(place, NOBODY) for place in item.found_in)
        if not here and not everywhere:
            return None
        owner = self._owner

        def listens(query_id: int) -> bool:
            workspace_id = owner.get(query_id)
            return workspace_id in here or workspace_id in everywhere

        by_workspace: dict[int, list[int]] = defaultdict(list)
        spans: dict[int, set[Highlight]] = defaultdict(set)
        for hit in self._index.match(item.fields, only=listens):
            workspace_id = owner.get(hit.key)
            if workspace_id is not None:
                by_workspace[workspace_id].append(hit.key)
                spans[workspace_id].update(hit.highlights)
        if not by_workspace:
            return None
        return MatchedItem(
            item,
            tuple(
                Match(workspace_id, tuple(sorted(ids)), merged(spans[workspace_id]))
                for workspace_id, ids in sorted(by_workspace.items())
            ),
        )

    def refresh(self) -> None:
        """Load what has changed since the index was last brought up to date: everything, the first time.

        Called before the stage consumes, and before every part: one small query when nothing has changed, so that a
        new query never misses what is read after it was saved. When it breaks off half-way, the next call does all of
        it again.
        """
        if queries.revision(self.db) == self._revision:
            return
        with self._refreshing, self.metrics.index_build.time():
            latest = queries.revision(self.db)
            if latest == self._revision:
                return
            for interest in queries.interests(self.db, queries.changed_since(self.db, self._revision)):
                self._replace(interest)
            self._revision = latest
        self.metrics.queries.set(len(self._index))
        self.metrics.refused_queries.labels("yes").set(len(self._outdated))
        self.metrics.refused_queries.labels("no").set(len(self._unreadable))
        if self._outdated:
            log.warning(
                "stored queries would be refused today; overheard check names them", queries=len(self._outdated)
            )

    def _replace(self, interest: Interest) -> None:
        """Make of one workspace what is stored of it now; what is there is noted before it is put there."""
        workspace_id = interest.workspace_id
        had, has = self._texts.setdefault(workspace_id, {}), dict(interest.queries)
        for query_id, text in has.items():
            if had.get(query_id) != text:
                had[query_id] = None
                self._add(query_id, workspace_id, text)
                had[query_id] = text
        for query_id in had.keys() - has.keys():
            self._remove(query_id)
            del had[query_id]
        watched = self._places.setdefault(workspace_id, set())
        wanted = set(interest.places)
        for place in wanted:
            watched.add(place)
            self._watchers[place].add(workspace_id)
        for place in watched - wanted:
            self._watchers[place].discard(workspace_id)
            if not self._watchers[place]:
                del self._watchers[place]
            watched.remove(place)
        if not has and not wanted:
            del self._texts[workspace_id], self._places[workspace_id]

    def _add(self, query_id: int, workspace_id: int, text: str) -> None:
        try:
            query, error = read(text)
        except ValueError as unreadable:
            # The error's text would quote it.
            log.error("query refused", query=query_id, workspace=workspace_id, reason=type(unreadable).__name__)
            self._remove(query_id)
            self._unreadable.add(query_id)
            return
        self._owner[query_id] = workspace_id
        self._index.add(query_id, query)
        self._unreadable.discard(query_id)
        (self._outdated.add if error else self._outdated.discard)(query_id)

    def _remove(self, query_id: int) -> None:
        self._index.remove(query_id)
        self._owner.pop(query_id, None)
        self._outdated.discard(query_id)
        self._unreadable.discard(query_id)


def merged(spans: set[Highlight]) -> tuple[Highlight, ...]:
    """Spans of several queries as one sorted list without overlaps; of each field the first MAX_HIGHLIGHTS."""
    result: list[Highlight] = []
    in_field = 0
    for field, start, end in sorted(spans):
        if result and result[-1][0] != field:
            in_field = 0
        if in_field and start <= result[-1][2]:
            result[-1] = (field, result[-1][1], max(end, result[-1][2]))
        elif in_field < MAX_HIGHLIGHTS:
            result.append((field, start, end))
            in_field += 1
    return tuple(result)


__all__: Sequence[str] = ("Matcher", "merged")
