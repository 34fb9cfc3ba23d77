"""All queries of all workspaces matched against one item at once: a percolator.

Each distinct query is filed under its anchors (anchors.py). The words and pairs of an item are looked up in that table,
and only the queries found there, of workspaces that watch the item's place, are evaluated. So the cost follows the
length of the item and its matches, hardly the number of queries. Elasticsearch's percolator and Lucene's Monitor work
the same way.

Several threads may match while another adds and removes. One lock guards the table and the keys of each entry. A match
holds it for the lookup only, a few microseconds, and copies the keys that it needs; folding, evaluating and
highlighting happen outside, on trees that never change. A change is live for the next match, without a rebuild, and its
cost hardly depends on how many others have the same query or anchor.

Each key has an owner, whose number is stored beside it: looking it up in a table of all keys would cost more than
everything else here, as that table does not fit into the processor's cache.
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable, Mapping
from operator import itemgetter
from threading import Lock
from typing import NamedTuple

from overheard.items import Item
from overheard.matching.index.anchors import Anchor, AnchorChooser, Filing
from overheard.matching.index.item_anchors import ItemAnchors
from overheard.matching.item.document import Document, Reason
from overheard.matching.item.leaf_finder import Highlight
from overheard.matching.tree import ParsedQuery


class Hit(NamedTuple):
    """A query that matches: its key, where its positive leaves stand in the original text, and its owner.

    ``why``: the first place of each of those leaves.
    """

    key: int
    highlights: tuple[Highlight, ...]
    why: tuple[Reason, ...] = ()
    owner: int = 0


class _Entry:
    """One distinct query, with the keys under which it was added and their owners."""

    __slots__ = ("filing", "key", "others", "otherwise", "owner", "query")

    def __init__(self, query: ParsedQuery, filing: Filing, key: int, owner: int) -> None:
        self.query = query
        # Kept: what is learned of the frequency of words may change before the query is removed.
        self.filing = filing
        # Nearly always the only ones.
        self.key = key
        self.owner = owner
        # Arrays instead of lists: they grow in place too, and the garbage collector does not traverse them.
        self.others: tuple[array[int], array[int]] | None = None
        # Equal queries that are written in another way (acme, ACME), by key: reasons show each as it is written.
        self.otherwise: dict[int, ParsedQuery] | None = None

    def add(self, key: int, owner: int, query: ParsedQuery) -> None:
        if str(query) != str(self.query):
            if self.otherwise is None:
                self.otherwise = {}
            self.otherwise[key] = query
        if self.others is None:
            self.others = array("q"), array("q")
        keys, owners = self.others
        keys.append(key)
        owners.append(owner)

    def remove(self, key: int) -> bool:
        """Remove a key; return False if it is the only one, which is not removed."""
        if self.otherwise:
            self.otherwise.pop(key, None)
        if self.others is None:
            return False
        keys, owners = self.others
        at = keys.index(key) if key != self.key else 0
        if key == self.key:
            self.key, self.owner = keys[0], owners[0]
        del keys[at], owners[at]
        if not keys:
            self.others = None
        return True

    def pairs(self) -> list[tuple[int, int]]:
        """Return (key, owner) of each."""
        first = [(self.key, self.owner)]
        return first if self.others is None else [*first, *zip(*self.others, strict=True)]

    def wanted_by(self, place_watchers: Container[int], source_watchers: Container[int]) -> list[tuple[int, int]]:
        """Return (key, owner) of those owners that watch."""
        key, owner = self.key, self.owner
        wanted = [(key, owner)] if owner in place_watchers or owner in source_watchers else []
        if self.others is not None:
            for key, owner in zip(*self.others, strict=True):
                if owner in place_watchers or owner in source_watchers:
                    wanted.append((key, owner))
        return wanted

    def may_hold(self, present: set[Anchor]) -> bool:
        """Return False if an item's words and pairs lack something that the query requires."""
        for anchors in self.filing.further:  # noqa: SIM110
            if present.isdisjoint(anchors):
                return False
        return True


class QueryIndex:
    """Queries by key, matched together. Thread-safe."""

    def __init__(self, learned: Mapping[str, float] | None = None) -> None:
        """``learned``: the share of items that contain a word (``AnchorChooser``)."""
        self._lock = Lock()
        self._rarity = AnchorChooser(learned)
        self._lookup = ItemAnchors()
        # Each owner's number as one object for all of its entries: it stays in the processor's cache, many would not.
        self._owners: dict[int, int] = {}
        self._by_key: dict[int, _Entry] = {}
        self._by_query: dict[ParsedQuery, _Entry] = {}
        # Nearly always an anchor has one entry only, and a set for each would double the size of the table.
        self._by_anchor: dict[Anchor, _Entry | set[_Entry]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def always_evaluated(self) -> int:
        """How many distinct queries are evaluated for every item, or for every item of a place or an author."""
        with self._lock:
            return self._lookup.always_evaluated

    def add(self, key: int, query: ParsedQuery, owner: int = 0) -> None:
        """Add an owner's query, or replace the one with this key. Raise ValueError if it requires nothing at all."""
        with self._lock:
            entry = self._by_query.get(query)
        filing = entry.filing if entry else self._rarity.filing(query)
        if not filing.anchors:
            raise ValueError(f"query {key} ({query}) has no word that must occur: it would match everything")
        with self._lock:
            if key in self._by_key:
                self._remove(key)
            owner = self._owners.setdefault(owner, owner)
            entry = self._by_query.get(query)
            if entry is None:
                entry = self._by_query[query] = _Entry(query, filing, key, owner)
                self._lookup.add(filing.anchors, query)
                for anchor in filing.anchors:
                    self._add_anchor(anchor, entry)
            else:
                entry.add(key, owner, query)
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
            with self._lock:
                gone = [key for key, owner in entry.pairs() if owner in owners]
            for key in gone:
                self.remove(key)

    def match(
        self,
        item: Item,
        place_watchers: Container[int] | None = None,
        source_watchers: Container[int] = (),
    ) -> list[Hit]:
        """Return the queries that hold in an item, sorted by key.

        `place_watchers`, `source_watchers`: owners whose queries count, from either of the two; None: all owners. They
        are checked before a query is evaluated, so that the queries of other owners cost nothing.
        """
        candidates = self._candidates(item, place_watchers, source_watchers)
        if not candidates:
            return []
        document = Document(item)
        hits: list[Hit] = []
        for entry, wanted_by in candidates:
            if entry.query.holds(document):
                found = _hit(entry.query, document)
                for key, owner in wanted_by:
                    own = entry.otherwise.get(key) if entry.otherwise else None
                    hit = found if own is None else _hit(own, document)
                    hits.append(hit._replace(key=key, owner=owner))
        # The candidates come out of a set, in arbitrary order: sorted, the result is reproducible.
        hits.sort(key=itemgetter(0))
        return hits

    def _candidates(
        self, item: Item, place_watchers: Container[int] | None, source_watchers: Container[int]
    ) -> list[tuple[_Entry, list[tuple[int, int]]]]:
        """Return the entries with an anchor in an item, each with the (key, owner) pairs that count."""
        words, pairs = self._lookup.anchors_in(item)
        with self._lock:
            # A dict's view takes any iterable, and looks up each of its elements in C.
            present = [*(self._by_anchor.keys() & words), *(self._by_anchor.keys() & pairs)]
            found = self._found(present, place_watchers, source_watchers)
        if any(entry.filing.further for entry in found):
            texts: set[Anchor] = {*words, *pairs}
            return [(entry, wanted_by) for entry, wanted_by in found.items() if entry.may_hold(texts)]
        return list(found.items())

    def _found(
        self, anchors: Iterable[Anchor], place_watchers: Container[int] | None, source_watchers: Container[int]
    ) -> dict[_Entry, list[tuple[int, int]]]:
        """Return the entries filed under these anchors, each with the (key, owner) pairs that count. Under the lock.

        The interpreter's own lock is not enough: an anchor may leave the table between the two statements that find and
        read it, and an entry's keys and owners are changed one after the other.
        """
        found: dict[_Entry, list[tuple[int, int]]] = {}
        for anchor in anchors:
            filed = self._by_anchor[anchor]
            for entry in filed if isinstance(filed, set) else (filed,):
                # Owners first: most of the entries that an item finds are of others.
                if wanted_by := (
                    entry.pairs() if place_watchers is None else entry.wanted_by(place_watchers, source_watchers)
                ):
                    found[entry] = wanted_by
        return found

    def _remove(self, key: int) -> None:
        entry = self._by_key.pop(key)
        if entry.remove(key):
            return
        del self._by_query[entry.query]
        self._lookup.remove(entry.filing.anchors, entry.query)
        for anchor in entry.filing.anchors:
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


def matches(query: ParsedQuery, item: Item) -> Hit | None:
    """Match one query against one item, without an index; the hit's key is 0."""
    document = Document(item)
    return _hit(query, document) if query.holds(document) else None


def _hit(query: ParsedQuery, document: Document) -> Hit:
    return Hit(0, *document.places(query.positive_leaves()))
