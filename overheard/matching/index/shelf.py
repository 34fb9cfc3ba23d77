"""The queries of those who watch one place, by anchor.

Most of the queries that an item's words lead to belong to workspaces that do not watch its place. A table of the
place's own contains none of them, and as it is small, most of it is in the processor's cache after a few lookups: a
table of all queries is not, and there each lookup takes several times as long.
"""

from __future__ import annotations

from overheard.matching.index.anchors import Anchor
from overheard.matching.index.filed_query import FiledQuery
from overheard.matching.index.item_anchors import AnchorsInItem


class Shelf:
    """Queries by anchor. Changed and read under the index's lock."""

    def __init__(self) -> None:
        # Nearly always an anchor has one query only, and a set for each would double the size of the table.
        self._by_anchor: dict[Anchor, FiledQuery | set[FiledQuery]] = {}
        # How many more keys a query has here, where it has several.
        self._further_keys: dict[FiledQuery, int] = {}

    def __len__(self) -> int:
        return len(self._by_anchor)

    def add(self, filed: FiledQuery) -> None:
        """Add a query for one more of its keys."""
        if self._has(filed):
            self._further_keys[filed] = self._further_keys.get(filed, 0) + 1
            return
        for anchor in filed.filing.anchors:
            others = self._by_anchor.setdefault(anchor, filed)
            if isinstance(others, set):
                others.add(filed)
            elif others is not filed:
                self._by_anchor[anchor] = {others, filed}

    def remove(self, filed: FiledQuery) -> None:
        """Remove a query for one of its keys."""
        if further := self._further_keys.pop(filed, 0):
            if further > 1:
                self._further_keys[filed] = further - 1
            return
        for anchor in filed.filing.anchors:
            others = self._by_anchor[anchor]
            if isinstance(others, set):
                others.remove(filed)
                if others:
                    continue
            del self._by_anchor[anchor]

    def found(self, anchors: AnchorsInItem) -> list[FiledQuery]:
        """Return the queries under any of an item's anchors; one that is under several, several times."""
        # A dict's view takes any iterable, and looks up each of its elements in C.
        table = self._by_anchor.keys()
        found: list[FiledQuery] = []
        for anchor in (*(table & anchors.texts), *(table & anchors.pairs)):
            filed = self._by_anchor[anchor]
            if isinstance(filed, set):
                found += filed
            else:
                found.append(filed)
        return found

    def _has(self, filed: FiledQuery) -> bool:
        others = self._by_anchor.get(filed.filing.anchors[0])
        return others is filed or (isinstance(others, set) and filed in others)
