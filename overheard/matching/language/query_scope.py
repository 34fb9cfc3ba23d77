"""What a workspace file limits a query to, beside its text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from overheard.items import ALL, KINDS_IN, FeedKind, place_key
from overheard.matching.tree import And, Attribute, Node, Or, combined

_PLAIN = re.compile(r"\w+")


class QueryScope(msgspec.Struct, frozen=True, omit_defaults=True):
    """The places, sources and kinds of items (``posts``, ``comments``) that a query is limited to; () means any."""

    places: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kinds: tuple[FeedKind, ...] = ()

    @property
    def node(self) -> Node | None:
        """Return what to AND the query with; None if it is not limited."""
        return scope_node(self.places, self.sources, self.kinds)

    def reaches(self, source: str, place: str) -> bool:
        """Return True if items of a watched place (its key, or ALL) can be within the limits."""
        keys = map(place_key, self.places)
        return source in (self.sources or (source,)) and (not self.places or place == ALL or place in keys)


def scope_node(places: Sequence[str], sources: Sequence[str], kinds: Sequence[FeedKind]) -> Node | None:
    """Return the node of items that are in one of the places, of one of the sources and of one of the kinds.

    Without names, each of the three allows everything.
    """
    items = dict.fromkeys(item for kind in kinds for item in KINDS_IN[kind])
    choices: list[list[Node]] = [
        [_place(place.casefold()) for place in places],
        [Attribute("source", source, f"source:{source}") for source in sources],
        [Attribute("kind", item, f"is:{item}") for item in items] if len(items) == 1 else [],
    ]
    parts = [combined(Or, choice) for choice in choices if choice]
    return combined(And, parts) if parts else None


def _place(value: str) -> Attribute:
    return Attribute("place", value, f"place:{value}" if _PLAIN.fullmatch(value) else f'place:"{value}"')
