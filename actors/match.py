"""match: runs the index of all queries over what was read. Writes nothing."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence

from overheard.canary import is_canary
from overheard.db import queries
from overheard.db.connect import Db
from overheard.db.queries import Interest
from overheard.items import ALL, KIND_OF_FEED, Item
from overheard.log import get_logger, note
from overheard.matching.index import QueryIndex
from overheard.matching.language import parse
from overheard.messages import ItemsFetched, ItemsMatched, Match, MatchedItem
from overheard.metrics import Metrics
from overheard.portions import matched_size, portions, spread
from overheard.sending import Send

log = get_logger(__name__)


class Matcher:
    """The index of every active workspace's queries, kept in step with the database."""

    def __init__(self, *, db: Db, send: Send, metrics: Metrics) -> None:
        self.db = db
        self.send = send
        self.metrics = metrics
        self._index = QueryIndex()
        self._revision = 0
        self._refreshing = threading.Lock()
        self._owner: dict[int, int] = {}  # query → workspace
        self._known: dict[int, Interest] = {}
        self._watchers: dict[tuple[str, str], set[int]] = defaultdict(set)

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
                    poll_id=message.poll_id,
                    part=message.part,
                    piece=number,
                    pieces=len(pieces),
                    items=piece,
                    parts=message.parts,
                    targets=message.targets,
                )
            )

    def _match_item(self, item: Item) -> MatchedItem | None:
        listening = self._listeners(item)
        if not listening:
            return None
        owner = self._owner
        hits = self._index.match(item.fields, only=lambda query: owner.get(query) in listening)
        by_workspace: dict[int, list[int]] = defaultdict(list)
        spans: dict[int, set[tuple[str, int, int]]] = defaultdict(set)
        for hit in hits:
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

    def _listeners(self, item: Item) -> set[int] | frozenset[int]:
        here = self._watchers.get((item.kind, item.subreddit.lower()))
        # "All of Reddit" is what people say there, not what we say to ourselves.
        everywhere = None if is_canary(item.name) else self._watchers.get((item.kind, ALL))
        if here and everywhere:
            return here | everywhere
        return here or everywhere or frozenset()

    def refresh(self) -> None:
        """Load what has changed since the index was last brought up to date. Called before every part: one small
        query when nothing has changed, so that a new query never misses what is read after it was saved.
        """
        if queries.revision(self.db) == self._revision:
            return
        with self._refreshing, self.metrics.index_build.time():
            latest = queries.revision(self.db)
            if latest == self._revision:
                return
            changed = queries.changed_since(self.db, self._revision)
            for interest in queries.interests(self.db, changed):
                self._replace(interest)
            self._revision = latest
            self.metrics.queries.set(len(self._index))

    def _replace(self, interest: Interest) -> None:
        before = self._known.pop(interest.workspace_id, None)
        had = dict(before.queries) if before else {}
        has = dict(interest.queries)
        for query_id, text in has.items():
            if had.get(query_id) != text:
                self._add(query_id, interest.workspace_id, text)
        for query_id in had.keys() - has.keys():
            self._index.remove(query_id)
            self._owner.pop(query_id, None)
        for kind, name in before.feeds if before else ():
            self._watch(kind, name).discard(interest.workspace_id)
        for kind, name in interest.feeds:
            self._watch(kind, name).add(interest.workspace_id)
        if has or interest.feeds:
            self._known[interest.workspace_id] = interest

    def _add(self, query_id: int, workspace_id: int, text: str) -> None:
        try:
            query = parse(text)
            self._owner[query_id] = workspace_id
            self._index.add(query_id, query)
        except ValueError as error:
            # Queries are checked when they are saved; this one was changed behind our back, or what was a query
            # once is none any more. It stays alone (I6). The error's text would quote it.
            log.error("query refused", query=query_id, workspace=workspace_id, reason=type(error).__name__)
            self._index.remove(query_id)
            self._owner.pop(query_id, None)

    def _watch(self, kind: str, name: str) -> set[int]:
        item_kind = KIND_OF_FEED["posts" if kind == "posts" else "comments"]
        # A new set each time: a thread that is matching keeps reading the one it has.
        watchers = self._watchers[(item_kind, name)] = set(self._watchers[(item_kind, name)])
        return watchers


def merged(spans: set[tuple[str, int, int]]) -> tuple[tuple[str, int, int], ...]:
    """Spans of several queries as one sorted list without overlaps."""
    result: list[tuple[str, int, int]] = []
    for field, start, end in sorted(spans):
        if result and result[-1][0] == field and start <= result[-1][2]:
            result[-1] = (field, result[-1][1], max(end, result[-1][2]))
        else:
            result.append((field, start, end))
    return tuple(result)


__all__: Sequence[str] = ("Matcher", "merged")
