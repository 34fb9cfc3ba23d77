"""match: runs the index of all queries over what was read. Writes nothing."""

from __future__ import annotations

import threading
from collections import defaultdict
from itertools import chain, groupby, islice
from operator import itemgetter

import msgspec

from actors.context import Context
from overheard.bus.actor import StageWork
from overheard.chunking import chunks, matched_size, split_matches
from overheard.db import queries
from overheard.db.database import Db
from overheard.items import Item, WatchKey
from overheard.matching.document import MAX_HIGHLIGHTS, Highlight, merged
from overheard.matching.index import QueryIndex
from overheard.matching.language import parse_stored
from overheard.messages import ItemsFetched, ItemsMatched, MatchedItem, WorkspaceMatch
from overheard.observability.log import bind, get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import Send

log = get_logger(__name__)

NO_WORKSPACES: frozenset[int] = frozenset()


def work(context: Context) -> StageWork:
    """The stage's work. The index is made before the first message."""
    matcher = Matcher(db=context.db, send=context.send, metrics=context.metrics)
    return StageWork(lambda message, permit: matcher.match(message), prepare=matcher.refresh)


class Matcher:
    """The index of every active workspace's queries, kept in step with the database.

    One thread at a time brings it up to date, and others match meanwhile. What they look at is changed in place, a
    query and a feed at a time, and never copied: a set of watchers is only ever asked whether it has one in it. What
    stays the same is not touched, so that nobody misses an item while somebody's settings change.
    """

    def __init__(self, *, db: Db, send: Send, metrics: ProcessMetrics) -> None:
        self.db = db
        self.send = send
        self.metrics = metrics
        self._index = QueryIndex()
        self._revision = 0
        self._refreshing = threading.Lock()
        self._watchers: dict[WatchKey, set[int]] = defaultdict(set)
        # What of each workspace may be in ``_watchers``; a refresh that breaks off finds here what is left to do.
        self._places: dict[int, tuple[WatchKey, ...]] = {}
        # Queries that would be refused today, each with its workspace and whether it is matched: if it was right by
        # the rules of its time. Others were changed behind our back, and cannot be read at all. They stay alone (I6).
        self._refused: dict[int, tuple[int, bool]] = {}

    def match(self, message: ItemsFetched) -> None:
        """Match one part of a poll and send on what somebody wants; the part itself goes on in any case.

        Store must learn of every part: a poll is done, and its cursors move, when all of them are stored.
        """
        self.refresh()
        matched = [entry for item in message.items if (entry := self._match_item(item)) is not None]
        bind(matched=len(matched))
        entries = [some for entry in matched for some in split_matches(entry)]
        pieces = chunks(entries, matched_size)
        for number, piece in enumerate(pieces):
            self.send(
                ItemsMatched(
                    part=msgspec.structs.replace(message.part, piece=number, pieces=len(pieces)),
                    items=piece,
                    gone=message.gone if number == 0 else (),
                )
            )

    def _match_item(self, item: Item) -> MatchedItem | None:
        here, everywhere = (self._watchers.get(place, NO_WORKSPACES) for place in item.found_in)
        if not here and not everywhere:
            return None
        by_workspace: dict[int, list[int]] = defaultdict(list)
        spans: dict[int, set[Highlight]] = defaultdict(set)
        for hit in self._index.match(item.fields, here, everywhere):
            by_workspace[hit.owner].append(hit.key)
            spans[hit.owner].update(hit.highlights)
        if not by_workspace:
            return None
        return MatchedItem(
            item,
            tuple(
                WorkspaceMatch(workspace_id, tuple(sorted(ids)), capped_highlights(spans[workspace_id]))
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
            for query_id, workspace_id, text in queries.changed_since(self.db, self._revision):
                self._refused.pop(query_id, None)
                if text is None:
                    self._index.remove(query_id)
                else:
                    self._add(query_id, workspace_id, text)
            changed = dict(queries.watches_since(self.db, self._revision))
            for workspace_id, places in changed.items():
                self._watch(workspace_id, places or ())
            if gone := {workspace_id for workspace_id, places in changed.items() if places is None}:
                self._index.remove_owned(gone)
                self._refused = {each: told for each, told in self._refused.items() if told[0] not in gone}
            self._revision = latest
        self.metrics.queries.set(len(self._index))
        outdated = sum(matched for _, matched in self._refused.values())
        self.metrics.refused_queries.labels("yes").set(outdated)
        self.metrics.refused_queries.labels("no").set(len(self._refused) - outdated)
        if outdated:
            log.warning("stored queries would be refused today; overheard check names them", queries=outdated)

    def _watch(self, workspace_id: int, places: tuple[WatchKey, ...]) -> None:
        """Let the workspace hear of these places and no others; what is there is noted before it is put there."""
        had, wanted = set(self._places.get(workspace_id, ())), set(places)
        self._places[workspace_id] = tuple(had | wanted)
        for place in wanted:
            self._watchers[place].add(workspace_id)
        for place in had - wanted:
            self._watchers[place].discard(workspace_id)
            if not self._watchers[place]:
                del self._watchers[place]
        self._places[workspace_id] = tuple(wanted)
        if not wanted:
            del self._places[workspace_id]

    def _add(self, query_id: int, workspace_id: int, text: str) -> None:
        try:
            query, error = parse_stored(text)
        except ValueError as unreadable:
            # The error's text would quote it.
            log.error("query refused", query=query_id, workspace=workspace_id, reason=type(unreadable).__name__)
            self._index.remove(query_id)
            self._refused[query_id] = workspace_id, False
            return
        self._index.add(query_id, query, workspace_id)
        if error:
            self._refused[query_id] = workspace_id, True


def capped_highlights(spans: set[Highlight]) -> tuple[Highlight, ...]:
    """Spans of several queries as one sorted list without overlaps; of each field the first MAX_HIGHLIGHTS."""
    fields = groupby(merged(spans, touching=True), key=itemgetter(0))
    return tuple(chain.from_iterable(islice(found, MAX_HIGHLIGHTS) for _, found in fields))
