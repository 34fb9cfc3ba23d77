"""All queries of all workspaces matched against one item at once: a percolator.

Each distinct query is filed under its anchors (anchors.py), on a shelf for each place that its owner watches
(shelf.py). The words and pairs of an item are looked up on the shelves of its place and its source, and only the
queries found there are evaluated. So the cost follows the length of the item and its matches, hardly the number of
queries. Elasticsearch's percolator and Lucene's Monitor work in a similar way.

An owner that watches many places has its queries on one shelf that is looked at for every item: they would take too
much memory on the shelves of all places.

Several threads may match while another adds and removes. One lock guards the shelves and the keys of each query. A
match holds it for the lookup only, a few microseconds, and copies the keys that it needs; folding, evaluating and
highlighting happen outside, on trees that never change. A change is live for the next match, without a rebuild, and its
cost hardly depends on how many others have the same query or anchor.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping
from operator import itemgetter
from threading import Lock
from typing import NamedTuple

from overheard.items import Item, WatchKey
from overheard.matching.index.anchors import AnchorChooser
from overheard.matching.index.filed_query import FiledQuery
from overheard.matching.index.item_anchors import AnchorsInItem, ItemAnchors
from overheard.matching.index.shelf import Shelf
from overheard.matching.item.document import Document, Reason
from overheard.matching.item.leaf_finder import Highlight
from overheard.matching.tree import ParsedQuery

MAX_SHELVES = 20  # of an owner: on each, a query takes about 50 bytes. Chosen, not measured.
FoundIn = tuple[WatchKey, WatchKey]  # an item's place, and its source
# A source and a place: one for all kinds, as most owners watch several.
ShelfName = tuple[str, str]
ANYWHERE: ShelfName = ("", "")  # the shelf that is looked at for every item
NO_OWNERS: frozenset[int] = frozenset()


class Hit(NamedTuple):
    """A query that matches: its key, where its positive leaves stand in the original text, and its owner.

    ``why``: the first place of each of those leaves.
    """

    key: int
    highlights: tuple[Highlight, ...]
    why: tuple[Reason, ...] = ()
    owner: int = 0


class QueryIndex:
    """Queries by key, matched together. Thread-safe."""

    def __init__(self, learned: Mapping[str, float] | None = None) -> None:
        """``learned``: the share of items that contain a word (``AnchorChooser``)."""
        self._lock = Lock()
        self._rarity = AnchorChooser(learned)
        self._lookup = ItemAnchors()
        self._by_key: dict[int, FiledQuery] = {}
        self._by_query: dict[ParsedQuery, FiledQuery] = {}
        # Of each owner. Arrays, as there are many owners, most with few queries.
        self._keys: dict[int, array[int]] = {}
        self._places: dict[int, tuple[WatchKey, ...]] = {}
        self._watchers: dict[WatchKey, set[int]] = {}
        self._shelves: dict[ShelfName, Shelf] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def always_evaluated(self) -> int:
        """How many distinct queries are evaluated for every item, or for every item of a place or an author."""
        with self._lock:
            return self._lookup.always_evaluated

    def learn(self, learned: Mapping[str, float]) -> None:
        """File queries that are added from now on by these shares of items that contain a word."""
        self._rarity = AnchorChooser(learned)

    def add(self, key: int, query: ParsedQuery, owner: int = 0) -> None:
        """Add an owner's query, or replace the one with this key. Raise ValueError if it requires nothing at all."""
        with self._lock:
            filed = self._by_query.get(query)
        filing = filed.filing if filed else self._rarity.filing(query)
        if not filing.anchors:
            raise ValueError(f"query {key} ({query}) has no word that must occur: it would match everything")
        with self._lock:
            if key in self._by_key:
                self._remove(key)
            filed = self._by_query.get(query)
            if filed is None:
                filed = self._by_query[query] = FiledQuery(query, filing, key, owner)
                self._lookup.add(filing.anchors, query)
            else:
                filed.add(key, owner, query)
            self._by_key[key] = filed
            self._keys.setdefault(owner, array("q")).append(key)
            self._put(filed, self._shelves_for(owner))

    def remove(self, key: int) -> bool:
        """Remove a query. Return False if there was no such key."""
        with self._lock:
            if key not in self._by_key:
                return False
            self._remove(key)
            return True

    def remove_owners(self, owners: Iterable[int]) -> None:
        """Remove all queries of these owners."""
        # One key at a time under the lock, so that matches go on in between.
        for owner in owners:
            for key in list(self._keys.get(owner, ())):
                self.remove(key)

    def watch(self, owner: int, places: Collection[WatchKey]) -> None:
        """Match an owner's queries against what is found in these places, and nothing else."""
        with self._lock:
            before, had = self._shelves_for(owner), set(self._places.pop(owner, ()))
            if places:
                self._places[owner] = tuple(places)
            after = self._shelves_for(owner)
            for key in self._keys.get(owner, ()):
                self._put(self._by_key[key], after - before)
                self._take(self._by_key[key], before - after)
            for place in places:
                self._watchers.setdefault(place, set()).add(owner)
            for place in had.difference(places):
                self._watchers[place].discard(owner)
                if not self._watchers[place]:
                    del self._watchers[place]

    def is_watched(self, found_in: FoundIn) -> bool:
        """Return True if an owner watches an item's place or its source."""
        place, source = found_in
        return place in self._watchers or source in self._watchers

    def match(self, item: Item, found_in: FoundIn | None = None) -> list[Hit]:
        """Return the queries that hold in an item, sorted by key.

        ``found_in``: the item's place and its source. Only queries of owners that watch one of them count, and those of
        others cost nothing. None: the queries of all owners.
        """
        if found_in is not None and not self.is_watched(found_in):
            return []
        anchors = self._lookup.anchors_in(item)
        candidates = self._candidates(anchors, found_in)
        if not candidates:
            return []
        document = Document(item, anchors.readings)
        hits: list[Hit] = []
        for filed, wanted_by in candidates:
            if filed.query.holds(document):
                found = _hit(filed.query, document)
                for key, owner in wanted_by:
                    own = filed.otherwise.get(key) if filed.otherwise else None
                    hit = found if own is None else _hit(own, document)
                    hits.append(Hit(key, hit.highlights, hit.why, owner))
        # The candidates come out of a set, in arbitrary order: sorted, the result is reproducible.
        hits.sort(key=itemgetter(0))
        return hits

    def _candidates(
        self, anchors: AnchorsInItem, found_in: FoundIn | None
    ) -> list[tuple[FiledQuery, list[tuple[int, int]]]]:
        """Return the queries that an item's anchors lead to, each with the (key, owner) pairs that count."""
        with self._lock:
            found = self._found(anchors, found_in)
        return [(filed, wanted_by) for filed, wanted_by in found.items() if all(map(anchors.has, filed.filing.further))]

    def _found(self, anchors: AnchorsInItem, found_in: FoundIn | None) -> dict[FiledQuery, list[tuple[int, int]]]:
        """Return the queries filed under these anchors, each with the (key, owner) pairs that count. Under the lock.

        The interpreter's own lock is not enough: an anchor may leave a shelf between the two statements that find and
        read it, and a query's keys and owners are changed one after the other.
        """
        if found_in is None:
            return {filed: filed.pairs() for shelf in self._shelves.values() for filed in shelf.found(anchors)}
        place, source = found_in
        candidates: list[FiledQuery] = []
        for name in (_shelf_name(place), _shelf_name(source), ANYWHERE):
            if (shelf := self._shelves.get(name)) is not None:
                candidates += shelf.found(anchors)
        if not candidates:
            return {}
        of_place, of_source = self._watchers.get(place, NO_OWNERS), self._watchers.get(source, NO_OWNERS)
        # Of an equal query, other owners may watch other places; and those of this place, another kind.
        return {filed: wanted for filed in candidates if (wanted := filed.wanted_by(of_place, of_source))}

    def _remove(self, key: int) -> None:
        filed = self._by_key.pop(key)
        owner = filed.owner_of(key)
        self._keys[owner].remove(key)
        if not self._keys[owner]:
            del self._keys[owner]
        self._take(filed, self._shelves_for(owner))
        if not filed.remove(key):
            del self._by_query[filed.query]
            self._lookup.remove(filed.filing.anchors, filed.query)

    def _shelves_for(self, owner: int) -> set[ShelfName]:
        """Return the names of the shelves on which an owner's queries are."""
        names = set(map(_shelf_name, self._places.get(owner, ())))
        return names if 0 < len(names) <= MAX_SHELVES else {ANYWHERE}

    def _put(self, filed: FiledQuery, shelves: Iterable[ShelfName]) -> None:
        for name in shelves:
            shelf = self._shelves.get(name)
            if shelf is None:
                shelf = self._shelves[name] = Shelf()
            shelf.add(filed)

    def _take(self, filed: FiledQuery, shelves: Iterable[ShelfName]) -> None:
        for name in shelves:
            self._shelves[name].remove(filed)
            if not self._shelves[name]:
                del self._shelves[name]


def _shelf_name(place: WatchKey) -> ShelfName:
    source, _, name = place
    return source, name


def matches(query: ParsedQuery, item: Item) -> Hit | None:
    """Match one query against one item, without an index; the hit's key is 0."""
    document = Document(item)
    return _hit(query, document) if query.holds(document) else None


def _hit(query: ParsedQuery, document: Document) -> Hit:
    return Hit(0, *document.places(query.positive_leaves()))
