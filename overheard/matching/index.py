"""All queries of all workspaces matched against one item at once: a percolator.

Each distinct query is filed under its anchors (rarity.py): a word, or two words side by side. The words and pairs of an
item are looked up in that table, and only the queries found there are evaluated. So the cost follows the length of the
item and its matches, hardly the number of queries. Elasticsearch's percolator and Lucene's Monitor work the same way.

Several threads may match while another adds and removes. One lock guards the table and the keys of each entry. A match
holds it for the lookup only, a few microseconds, and copies the keys that it needs; folding, evaluating and
highlighting happen outside, on trees that never change. A change is live for the next match, without a rebuild, and its
cost hardly depends on how many others have the same query or anchor.

Each key has an owner, whose number is stored beside it: to look it up in a table of all keys would cost more than
everything else here, as that table does not fit into the processor's cache.
"""

from array import array
from collections.abc import Container, Mapping
from itertools import pairwise
from operator import itemgetter
from threading import Lock
from typing import NamedTuple

from overheard.matching.document import Document, Highlight
from overheard.matching.rarity import Anchor, anchors
from overheard.matching.tree import Node, Or, ParsedQuery, Term


class Hit(NamedTuple):
    """A query that holds: its key, (field, start, end) of its positive terms in the original text, and its owner."""

    key: int
    highlights: tuple[Highlight, ...]
    owner: int = 0


class _Entry:
    """One distinct query, with the keys under which it was added and their owners."""

    __slots__ = ("anchor_is_match", "keys", "owners", "query")

    def __init__(self, query: ParsedQuery) -> None:
        self.query = query
        # Arrays instead of lists: they grow in place too, and the garbage collector does not traverse them.
        self.keys = array("q")
        self.owners = array("q")
        # Stored, because it is needed once per matching item and never changes.
        self.anchor_is_match = _anchor_is_match(query)


class QueryIndex:
    """Queries by key, matched together. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_key: dict[int, _Entry] = {}
        self._by_query: dict[ParsedQuery, _Entry] = {}
        # Nearly always an anchor has one entry only, and a set for each would double the size of the table.
        self._by_anchor: dict[Anchor, _Entry | set[_Entry]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, key: int, query: ParsedQuery, owner: int = 0) -> None:
        """Add an owner's query, or replace the one with this key. Raise ValueError if it requires no word at all."""
        query_anchors = anchors(query)
        if not query_anchors:
            raise ValueError(f"query {key} ({query}) has no word that must occur: it would match everything")
        with self._lock:
            if key in self._by_key:
                self._remove(key)
            entry = self._by_query.get(query)
            if entry is None:
                entry = self._by_query[query] = _Entry(query)
                for anchor in query_anchors:
                    self._add_anchor(anchor, entry)
            entry.keys.append(key)
            entry.owners.append(owner)
            self._by_key[key] = entry

    def remove(self, key: int) -> bool:
        """Remove a query. Return False if there was no such key."""
        with self._lock:
            if key not in self._by_key:
                return False
            self._remove(key)
            return True

    def remove_owners(self, owners: Container[int]) -> None:
        """Remove all queries of these owners. The cost follows the number of all keys."""
        # One key at a time under the lock, so that matches go on in between.
        with self._lock:
            entries = list(self._by_query.values())
        for entry in entries:
            for key in [key for key, owner in zip(entry.keys, entry.owners, strict=True) if owner in owners]:
                self.remove(key)

    def match(
        self,
        fields: Mapping[str, str],
        place_watchers: Container[int] | None = None,
        source_watchers: Container[int] = (),
    ) -> list[Hit]:
        """Return the queries that hold in an item, sorted by key.

        `fields`: the item's texts by name ({"title": …, "body": …}). A phrase must be in one field, AND may span them.
        `place_watchers`, `source_watchers`: owners whose queries count, from either of the two; None: all owners. They
        are checked before a query is evaluated, so that the queries of other owners cost nothing.
        """
        document = Document(fields)
        hits: list[Hit] = []
        for entry, wanted_by in self._candidates(document, place_watchers, source_watchers):
            if entry.anchor_is_match or entry.query.holds(document):
                highlights = document.highlights(entry.query.positive_terms())
                for key, owner in wanted_by:
                    hits.append(Hit(key, highlights, owner))
        # The candidates come out of a set, in arbitrary order: sorted, the result is reproducible.
        hits.sort(key=itemgetter(0))
        return hits

    def _candidates(
        self, document: Document, place_watchers: Container[int] | None, source_watchers: Container[int]
    ) -> list[tuple[_Entry, list[tuple[int, int]]]]:
        """Return the entries with an anchor in a document, each with the (key, owner) pairs that count."""
        found: set[_Entry] = set()
        words = document.words
        # The interpreter's own lock is not enough: an anchor may leave the table between the two statements that find
        # and read it, and an entry's keys and owners are changed one after the other.
        with self._lock:
            # A dict's view takes any iterable, and looks up each of its elements in C.
            for anchor in (self._by_anchor.keys() & words) | (self._by_anchor.keys() & pairwise(words)):
                filed = self._by_anchor[anchor]
                if isinstance(filed, set):
                    found |= filed
                else:
                    found.add(filed)
            if place_watchers is None:
                return [(entry, list(zip(entry.keys, entry.owners, strict=True))) for entry in found]
            candidates: list[tuple[_Entry, list[tuple[int, int]]]] = []
            for entry in found:
                wanted_by: list[tuple[int, int]] = []
                for at, owner in enumerate(entry.owners):
                    if owner in place_watchers or owner in source_watchers:
                        wanted_by.append((entry.keys[at], owner))
                if wanted_by:
                    candidates.append((entry, wanted_by))
            return candidates

    def _remove(self, key: int) -> None:
        entry = self._by_key.pop(key)
        at = entry.keys.index(key)
        del entry.keys[at], entry.owners[at]
        if entry.keys:
            return
        del self._by_query[entry.query]
        for anchor in anchors(entry.query):
            self._remove_anchor(anchor, entry)

    def _add_anchor(self, anchor: Anchor, entry: _Entry) -> None:
        filed = self._by_anchor.setdefault(anchor, entry)
        if isinstance(filed, set):
            filed.add(entry)
        elif filed is not entry:
            self._by_anchor[anchor] = {filed, entry}

    def _remove_anchor(self, anchor: Anchor, entry: _Entry) -> None:
        filed = self._by_anchor[anchor]
        if isinstance(filed, set):
            filed.remove(entry)
            if filed:
                return
        del self._by_anchor[anchor]


def matches(query: ParsedQuery, fields: Mapping[str, str]) -> Hit | None:
    """Match one query against one item, without an index; the hit's key is 0."""
    document = Document(fields)
    return Hit(0, document.highlights(query.positive_terms())) if query.holds(document) else None


def _anchor_is_match(node: Node) -> bool:
    """Return True if finding any anchor is already the match: for a word, a pair, or a choice of those."""
    match node:
        case Term(words=words, affixes=affixes):
            return len(words) <= 2 and not affixes
        case Or(parts=parts):
            return all(isinstance(part, Term) and _anchor_is_match(part) for part in parts)
    return False
