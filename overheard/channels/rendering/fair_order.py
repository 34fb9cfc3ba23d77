"""Choose what is shown of many mentions: of each query in turn. One that finds much does not hide the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, zip_longest
from typing import TypeVar

from overheard.notices import PublicMention

Element = TypeVar("Element")
OTHER_QUERIES = "other queries"  # the heading of mentions whose query was removed


def group_query(mention: PublicMention, found: Mapping[str, int]) -> str:
    """Return the query under which a mention is shown: of those that found it, the one that found least."""
    counted = [query for query in mention.queries if query in found]
    if not counted:
        return mention.queries[0] if mention.queries else OTHER_QUERIES
    return min(counted, key=lambda query: found[query])


def fair_order(items: Iterable[Element], group: Callable[[Element], object]) -> list[Element]:
    """Return all items: the first one of each group, then the second ones, and so on."""
    groups: dict[object, list[Element]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    boxed = ([[item] for item in members] for members in groups.values())
    return [item for box in chain.from_iterable(zip_longest(*boxed, fillvalue=[])) for item in box]
