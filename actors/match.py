"""match: run the index of all queries over the items that were read. Writes nothing."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from itertools import chain, groupby, islice, zip_longest
from operator import itemgetter

import msgspec

from actors.context import Context
from overheard.bus.actor import StageWork
from overheard.chunking import chunks, matched_size, split_matches
from overheard.db import queries, word_frequencies
from overheard.db.database import Db
from overheard.db.sampler import Sampler
from overheard.items import Item
from overheard.matching.index.query_index import Hit, QueryIndex
from overheard.matching.item.document import MAX_HIGHLIGHTS, merged
from overheard.matching.item.leaf_finder import Highlight
from overheard.matching.language import parse_stored
from overheard.matching.language.query_scope import QueryScope
from overheard.messages import (
    TERM_MAX_CHARS,
    WHY_MAX,
    ItemsFetched,
    ItemsMatched,
    MatchedItem,
    Why,
    WorkspaceMatch,
)
from overheard.observability.log import bind, get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import Send
from overheard.sources.logged_items import logged_ids

log = get_logger(__name__)


def work(context: Context) -> StageWork:
    """Return the stage's work. The index is built before the first message is consumed."""
    sample = context.config.sample
    sampler = Sampler(context.db, context.clock, sample.seconds) if sample.items_per_source else None
    matcher = Matcher(db=context.db, send=context.send, metrics=context.metrics, sampler=sampler)
    return StageWork(lambda message, permit: matcher.match(message), prepare=matcher.load)


class Matcher:
    """The match stage's handler: an index of every active workspace's queries, kept in step with the database.

    One thread at a time refreshes the index while others match. It is changed in place, one query or the watches of one
    workspace at a time. What is unchanged is not touched, so that no workspace misses an item while settings change.
    """

    def __init__(self, *, db: Db, send: Send, metrics: ProcessMetrics, sampler: Sampler | None = None) -> None:
        self.db = db
        self.send = send
        self.metrics = metrics
        self.sampler = sampler
        self._index = QueryIndex()
        self._revision = 0
        self._refreshing = threading.Lock()
        # Queries that would be refused today: (workspace, is it matched). Those that were valid by older rules are
        # matched. Others were changed in the database directly and cannot be parsed; they affect no other query (I6).
        self._refused_queries: dict[int, tuple[int, bool]] = {}

    def match(self, message: ItemsFetched) -> None:
        """Match one part of a poll, and send it on with the items that matched, were edited, or are to be sampled.

        A part without any match is sent on too: cursors move only when store has received every part of a poll.
        """
        self.refresh()
        if self.sampler is not None:
            self.sampler.refresh()
        # Those of one place one after the other: what is looked up for the first is in the processor's cache then.
        order = sorted(range(len(message.items)), key=lambda at: message.items[at].place)
        found = {at: self._match_item(message.items[at]) for at in order}
        matched = [entry for at in range(len(found)) if (entry := found[at]) is not None]
        matching = [entry.item.key for entry in matched if entry.matches]
        bind(matched=len(matching))
        if matching:
            bind(item_ids=logged_ids(matching))
        entries = [part for entry in matched for part in split_matches(entry)]
        pieces = chunks(entries, matched_size)
        for number, piece in enumerate(pieces):
            self.send(
                ItemsMatched(
                    part=msgspec.structs.replace(message.part, piece=number, pieces=len(pieces)),
                    items=piece,
                    # Once is enough: store erases them with this piece.
                    gone=message.gone if number == 0 else (),
                    gone_authors=message.gone_authors if number == 0 else (),
                )
            )

    def _match_item(self, item: Item) -> MatchedItem | None:
        found_in = item.found_in
        is_edit = item.edited_at is not None  # it may replace a stored text, even if its place is not watched any more
        if not self._index.is_watched(found_in):
            return MatchedItem(item, ()) if is_edit else None
        hits = self._index.match(item, found_in)
        sample = self.sampler.draw(item) if self.sampler is not None else None
        if not hits and sample is None and not is_edit:
            return None
        return MatchedItem(item, tuple(matches_of(hits)) if hits else (), sample)

    def load(self) -> None:
        """Build the index, without the garbage collector: it would go through all that was loaded again and again.

        Afterwards it leaves out what is loaded, which takes it longer than all else and is hardly ever garbage.
        """
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            self.refresh()
        finally:
            if was_enabled:
                gc.enable()
        gc.freeze()

    def refresh(self) -> None:
        """Load what has changed since the last refresh; everything, the first time.

        Called before the stage consumes, and before every part, so that a new query never misses an item that is read
        after it was saved. Costs one small statement if nothing has changed. After a failure half-way the next call
        does all of it again.
        """
        if queries.revision(self.db) == self._revision:
            return
        with self._refreshing, self.metrics.index_build.time():
            latest = queries.revision(self.db)
            if latest == self._revision:
                return  # another thread refreshed the index while this one waited for the lock
            # Only before the first query is filed: later ones go where the words were rare then.
            if not len(self._index) and (learned := word_frequencies.load(self.db)):
                self._index.learn(learned)
            # Before the queries: each is filed where its workspace watches.
            changed = dict(queries.watches_since(self.db, self._revision))
            for workspace_id, places in changed.items():
                self._index.watch(workspace_id, places or ())
            for query_id, workspace_id, text, scope in queries.changed_since(self.db, self._revision):
                self._refused_queries.pop(query_id, None)
                if text is None:
                    self._index.remove(query_id)
                else:
                    self._add(query_id, workspace_id, text, scope)
            if gone := {workspace_id for workspace_id, places in changed.items() if places is None}:
                self._index.remove_owners(gone)
                self._refused_queries = {
                    query_id: refused for query_id, refused in self._refused_queries.items() if refused[0] not in gone
                }
            self._revision = latest
            # Still under the lock: the next refresh changes the dict, which must not happen while it is iterated.
            outdated = sum(matched for _, matched in self._refused_queries.values())
            unreadable = len(self._refused_queries) - outdated
        self.metrics.queries.set(len(self._index))
        self.metrics.always_evaluated.set(self._index.always_evaluated)
        self.metrics.refused_queries.labels("yes").set(outdated)
        self.metrics.refused_queries.labels("no").set(unreadable)
        if outdated:
            log.warning("stored queries would be refused today; overheard check names them", queries=outdated)

    def _add(self, query_id: int, workspace_id: int, text: str, scope: QueryScope) -> None:
        try:
            query, error = parse_stored(text, scope=scope.node)
            self._index.add(query_id, query, workspace_id)
        except ValueError as unreadable:
            # Logged by type only: the error's text would quote the query.
            log.error(
                "stored query unreadable", query=query_id, workspace=workspace_id, reason=type(unreadable).__name__
            )
            self._index.remove(query_id)
            self._refused_queries[query_id] = workspace_id, False
            return
        if error:
            self._refused_queries[query_id] = workspace_id, True


def matches_of(hits: list[Hit]) -> Iterator[WorkspaceMatch]:
    """Yield the hits of each workspace together."""
    by_workspace: dict[int, list[Hit]] = {}
    for hit in hits:
        by_workspace.setdefault(hit.owner, []).append(hit)
    for workspace_id, its_hits in sorted(by_workspace.items()):
        reasons = [
            (hit.key, term[:TERM_MAX_CHARS], field, start, end)
            for hit in its_hits
            for term, field, start, end in hit.why
        ]
        yield WorkspaceMatch(
            workspace_id,
            tuple(hit.key for hit in its_hits),
            capped_highlights({span for hit in its_hits for span in hit.highlights}),
            capped_reasons(reasons),
        )


def capped_highlights(spans: set[Highlight]) -> tuple[Highlight, ...]:
    """Return the spans of several queries, sorted and without overlaps; of each field the first MAX_HIGHLIGHTS."""
    all_spans = merged(spans, touching=True)
    if len(all_spans) <= MAX_HIGHLIGHTS:  # as nearly always
        return all_spans
    fields = groupby(all_spans, key=itemgetter(0))
    return tuple(chain.from_iterable(islice(of_field, MAX_HIGHLIGHTS) for _, of_field in fields))


def capped_reasons(reasons: list[Why]) -> tuple[Why, ...]:
    """Return the first WHY_MAX, in turns of the queries, so that a long one leaves room for the others."""
    if len(reasons) <= WHY_MAX:  # as nearly always
        return tuple(sorted(reasons, key=itemgetter(0)))
    of_queries = [list(of_query) for _, of_query in groupby(reasons, key=itemgetter(0))]
    turns = chain.from_iterable(zip_longest(*of_queries))
    return tuple(sorted(islice((each for each in turns if each is not None), WHY_MAX), key=itemgetter(0)))
