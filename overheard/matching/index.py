"""All queries of all workspaces held against one item at once: a percolator.

Each distinct query waits under its anchors (rarity.py): for a word, or for two words side by side. An
item's words and pairs are looked up in those two tables, and only the queries found there are verified.
So the cost follows the item's length and its matches, hardly the number of queries. Elasticsearch's
percolator and Lucene's Monitor do the same.

Several threads may match while another adds and removes. One lock guards the tables; a match holds it
only for the look-up, a few microseconds. Folding, verifying and highlighting happen outside it, on
entries whose tree never changes and whose keys are replaced, never edited. A change is live for the
next match, without a rebuild.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import pairwise
from operator import itemgetter
from threading import Lock
from typing import NamedTuple, TypeVar

from overheard.matching.document import Document, Highlight
from overheard.matching.rarity import Pair, anchors
from overheard.matching.tree import Node, Or, Query, Term


class Hit(NamedTuple):
    """One query that holds: its key, and (field, start, end) of its positive terms in the original text."""

    key: int
    highlights: tuple[Highlight, ...]


class _Entry:
    """One distinct query and everybody who asked it."""

    __slots__ = ("certain", "keys", "root")

    def __init__(self, root: Node) -> None:
        self.root = root
        self.keys: tuple[int, ...] = ()
        self.certain = _certain(root)


_K = TypeVar("_K", bound=Hashable)


class QueryIndex:
    """Queries by key, matched together. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._by_key: dict[int, _Entry] = {}
        self._by_root: dict[Node, _Entry] = {}
        self._by_word: dict[str, list[_Entry]] = {}
        self._by_pair: dict[Pair, list[_Entry]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, key: int, query: Query) -> None:
        """Listen for a query; a key that is there gets the new one. ValueError: it needs no word at all."""
        root = query.root
        places = anchors(root)
        if not places:
            raise ValueError(f"query {key} ({query}) has no word that must occur: it would match everything")
        with self._lock:
            if key in self._by_key:
                self._remove(key)
            entry = self._by_root.get(root)
            if entry is None:
                entry = self._by_root[root] = _Entry(root)
                for place in places:
                    if isinstance(place, str):
                        _wait(self._by_word, place, entry)
                    else:
                        _wait(self._by_pair, place, entry)
            entry.keys = (*entry.keys, key)
            self._by_key[key] = entry

    def remove(self, key: int) -> bool:
        """Stop listening; False if there was no such key."""
        with self._lock:
            if key not in self._by_key:
                return False
            self._remove(key)
            return True

    def match(self, fields: Mapping[str, str], only: Callable[[int], bool] | None = None) -> list[Hit]:
        """The queries that hold in an item, sorted by key.

        `fields`: the item's texts by name ({"title": …, "body": …}): apart for phrases, together for AND.
        `only`: which keys are of interest, asked only about queries that hold; without it all are.
        """
        document = Document(fields)
        hits: list[Hit] = []
        for entry in self._candidates(document):
            if not entry.certain and not entry.root.holds(document):
                continue
            keys: Iterable[int] = entry.keys if only is None else [key for key in entry.keys if only(key)]
            if keys:
                highlights = document.highlights(entry.root)
                for key in keys:
                    hits.append(Hit(key, highlights))
        hits.sort(key=itemgetter(0))
        return hits

    def _candidates(self, document: Document) -> set[_Entry]:
        found: set[_Entry] = set()
        words = document.words
        with self._lock:
            # A view of a dict takes any iterable and looks each of it up, all in C.
            for word in self._by_word.keys() & words:
                found.update(self._by_word[word])
            if self._by_pair:
                for pair in self._by_pair.keys() & pairwise(words):
                    found.update(self._by_pair[pair])
        return found

    def _remove(self, key: int) -> None:
        entry = self._by_key.pop(key)
        entry.keys = tuple(other for other in entry.keys if other != key)
        if entry.keys:
            return
        del self._by_root[entry.root]
        for place in anchors(entry.root):
            if isinstance(place, str):
                _leave(self._by_word, place, entry)
            else:
                _leave(self._by_pair, place, entry)


def matches(query: Query, fields: Mapping[str, str]) -> Hit | None:
    """One query held against one item, without an index; the hit's key is 0."""
    document = Document(fields)
    return Hit(0, document.highlights(query.root)) if query.root.holds(document) else None


def _certain(node: Node) -> bool:
    """Whether finding any one anchor is already the match: a word, a pair, or a choice of those."""
    match node:
        case Term(words=words, affixes=affixes):
            return len(words) <= 2 and not affixes
        case Or(parts=parts):
            return all(isinstance(part, Term) and _certain(part) for part in parts)
    return False


def _wait(table: dict[_K, list[_Entry]], place: _K, entry: _Entry) -> None:
    table.setdefault(place, []).append(entry)


def _leave(table: dict[_K, list[_Entry]], place: _K, entry: _Entry) -> None:
    waiting = table[place]
    waiting.remove(entry)
    if not waiting:
        del table[place]
