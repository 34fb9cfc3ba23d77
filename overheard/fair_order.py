"""Choose what is shown of many mentions: of each query in turn. One that finds much does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, zip_longest
from typing import TypeVar

Element = TypeVar("Element")
OTHER_QUERIES = "other queries"  # the heading of mentions whose query was removed


def group_query(queries: Sequence[str], found: Mapping[str, int]) -> str:
    """Return the query under which a mention of these is shown: the one that found least, so that it is seen."""
    counted = [query for query in queries if query in found]
    if not counted:
        return queries[0] if queries else OTHER_QUERIES
    return min(counted, key=lambda query: found[query])


def fair_order(items: Iterable[Element], group: Callable[[Element], object]) -> list[Element]:
    """Return all items: the first one of each group, then the second ones, and so on."""
    groups: dict[object, list[Element]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    boxed = ([[item] for item in members] for members in groups.values())
    return [item for box in chain.from_iterable(zip_longest(*boxed, fillvalue=[])) for item in box]
