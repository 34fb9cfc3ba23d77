"""One distinct query of the index, with the keys under which it was added and their owners."""

from __future__ import annotations

from array import array
from collections.abc import Set

from overheard.matching.index.anchors import Filing
from overheard.matching.tree import ParsedQuery


class FiledQuery:
    """A query, where it is filed, and whose it is. Changed and read under the index's lock."""

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

    def owner_of(self, key: int) -> int:
        """Return the owner of a key."""
        if key == self.key or self.others is None:
            return self.owner
        keys, owners = self.others
        return owners[keys.index(key)]

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

    def wanted_by(self, place_watchers: Set[int], source_watchers: Set[int]) -> list[tuple[int, int]]:
        """Return (key, owner) of those owners that watch."""
        key, owner = self.key, self.owner
        wanted = [(key, owner)] if owner in place_watchers or owner in source_watchers else []
        if self.others is not None:
            for key, owner in zip(*self.others, strict=True):
                if owner in place_watchers or owner in source_watchers:
                    wanted.append((key, owner))
        return wanted
