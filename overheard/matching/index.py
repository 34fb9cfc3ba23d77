"""All queries of all workspaces held against one item at once: a percolator.

Each distinct query waits under its anchors (rarity.py): for a word, or for two words side by side. An
item's words and pairs are looked up in that table, and only the queries found there are verified.
So the cost follows the item's length and its matches, hardly the number of queries. Elasticsearch's
percolator and Lucene's Monitor do the same.

Several threads may match while another adds and removes. One lock guards the table and each entry's
keys; a match holds it only for the look-up, a few microseconds, and takes the keys of those who listen with it.
Each key has an owner, whose number stands beside it: a look into a table of all keys, once for each of
them, would cost more than all else here, as that table is too large for the processor's cache.
Folding, verifying and highlighting happen outside it, on trees that never change. A change is live for
the next match, without a rebuild, and costs the same however many others ask the same or wait for the
same word.
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
    """One query that holds: its key, (field, start, end) of its positive terms in the original text, and its owner."""

    key: int
    highlights: tuple[Highlight, ...]
    owner: int = 0


class _Entry:
    """One distinct query and everybody who asked it."""

    __slots__ = ("certain", "keys", "owners", "query")

    def __init__(self, query: ParsedQuery) -> None:
        self.query = query
        # They grow in place; and unlike with a list, the garbage collector has no work with them.
        self.keys = array("q")
        self.owners = array("q")
        self.certain = _certain(query)


class QueryIndex:
    """Queries by key, matched together. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_key: dict[int, _Entry] = {}
        self._by_query: dict[ParsedQuery, _Entry] = {}
        # Nearly always one waits for an anchor, and a set of its own would double the table.
        self._waiting: dict[Anchor, _Entry | set[_Entry]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, key: int, query: ParsedQuery, owner: int = 0) -> None:
        """Listen for an owner's query; a key that is there gets the new one. ValueError: it needs no word at all."""
        places = anchors(query)
        if not places:
            raise ValueError(f"query {key} ({query}) has no word that must occur: it would match everything")
        with self._lock:
            if key in self._by_key:
                self._remove(key)
            entry = self._by_query.get(query)
            if entry is None:
                entry = self._by_query[query] = _Entry(query)
                for place in places:
                    self._wait(place, entry)
            entry.keys.append(key)
            entry.owners.append(owner)
            self._by_key[key] = entry

    def remove(self, key: int) -> bool:
        """Stop listening; False if there was no such key."""
        with self._lock:
            if key not in self._by_key:
                return False
            self._remove(key)
            return True

    def remove_owners(self, owners: Container[int]) -> None:
        """Stop listening for what these owners asked. This looks at every key."""
        with self._lock:
            entries = list(self._by_query.values())
        for entry in entries:
            for key in [key for key, owner in zip(entry.keys, entry.owners, strict=True) if owner in owners]:
                self.remove(key)

    def match(
        self, fields: Mapping[str, str], here: Container[int] | None = None, everywhere: Container[int] = ()
    ) -> list[Hit]:
        """The queries that hold in an item, sorted by key.

        `fields`: the item's texts by name ({"title": …, "body": …}): apart for phrases, together for AND.
        `here`, `everywhere`: the owners who listen, in one of the two; without them all do. They are looked at before
        a query is verified: nobody pays for the queries of those who do not listen here.
        """
        document = Document(fields)
        hits: list[Hit] = []
        for entry, asking in self._candidates(document, here, everywhere):
            if entry.certain or entry.query.holds(document):
                highlights = document.highlights(entry.query.positive())
                for key, owner in asking:
                    hits.append(Hit(key, highlights, owner))
        hits.sort(key=itemgetter(0))
        return hits

    def _candidates(
        self, document: Document, here: Container[int] | None, everywhere: Container[int]
    ) -> list[tuple[_Entry, list[tuple[int, int]]]]:
        """The entries whose anchors stand in a document, each with the keys and owners of those who listen."""
        found: set[_Entry] = set()
        words = document.words
        with self._lock:
            # A view of a dict takes any iterable and looks each of it up, all in C.
            for place in (self._waiting.keys() & words) | (self._waiting.keys() & pairwise(words)):
                there = self._waiting[place]
                if isinstance(there, set):
                    found |= there
                else:
                    found.add(there)
            if here is None:
                return [(entry, list(zip(entry.keys, entry.owners, strict=True))) for entry in found]
            listening: list[tuple[_Entry, list[tuple[int, int]]]] = []
            for entry in found:
                asking: list[tuple[int, int]] = []
                for at, owner in enumerate(entry.owners):
                    if owner in here or owner in everywhere:
                        asking.append((entry.keys[at], owner))
                if asking:
                    listening.append((entry, asking))
            return listening

    def _remove(self, key: int) -> None:
        entry = self._by_key.pop(key)
        at = entry.keys.index(key)
        del entry.keys[at], entry.owners[at]
        if entry.keys:
            return
        del self._by_query[entry.query]
        for place in anchors(entry.query):
            self._leave(place, entry)

    def _wait(self, place: Anchor, entry: _Entry) -> None:
        there = self._waiting.setdefault(place, entry)
        if isinstance(there, set):
            there.add(entry)
        elif there is not entry:
            self._waiting[place] = {there, entry}

    def _leave(self, place: Anchor, entry: _Entry) -> None:
        there = self._waiting[place]
        if isinstance(there, set):
            there.remove(entry)
            if there:
                return
        del self._waiting[place]


def matches(query: ParsedQuery, fields: Mapping[str, str]) -> Hit | None:
    """One query held against one item, without an index; the hit's key is 0."""
    document = Document(fields)
    return Hit(0, document.highlights(query.positive())) if query.holds(document) else None


def _certain(node: Node) -> bool:
    """Whether finding any one anchor is already the match: a word, a pair, or a choice of those."""
    match node:
        case Term(words=words, affixes=affixes):
            return len(words) <= 2 and not affixes
        case Or(parts=parts):
            return all(isinstance(part, Term) and _certain(part) for part in parts)
    return False
