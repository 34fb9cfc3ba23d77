"""One item, prepared once for many queries: what their trees ask of it, and where their leaves stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from overheard.items import Item, place_key
from overheard.matching.item.layout import NO_READINGS
from overheard.matching.item.leaf_finder import Highlight, LeafFinder
from overheard.matching.item.texts import USUAL_FIELDS, all_texts_of, texts_of
from overheard.matching.text.fast_reading import Readings
from overheard.matching.tree import Attribute, Domain, Leaf, Near, Pattern, Term

# Of one query in one item, shared by the leaves that occur; each of those has at least one.
MAX_HIGHLIGHTS = 100
MAX_REASONS = 20  # of one query in one item


class Reason(NamedTuple):
    """A place that made a query match: a leaf, as the query writes it, and where it stands."""

    term: str
    field: str
    start: int
    end: int


class Document:
    """The texts and attributes of one item, as a tree asks for them (``tree.DocumentView``)."""

    def __init__(self, item: Item, readings: Readings = NO_READINGS) -> None:
        """``readings``: what was read already of the item's texts, by text."""
        self._item = item
        self._usual = LeafFinder(texts_of(item), readings)

    @cached_property
    def _all(self) -> LeafFinder:
        """The finder in all fields, including those that are searched only by leaves that name them."""
        return LeafFinder(all_texts_of(self._item))

    def has_term(self, term: Term) -> bool:
        return self._usual.has_term(term) if term.plain else self._finder(term).has_term(term)

    def has_near(self, near: Near) -> bool:
        return self._finder(*near.left, *near.right).has_near(near)

    def has_pattern(self, pattern: Pattern) -> bool:
        return self._finder(pattern).has_pattern(pattern)

    def has_domain(self, domain: Domain) -> bool:
        return self._usual.has_domain(domain)

    def has_attribute(self, attribute: Attribute) -> bool:
        item, value = self._item, attribute.value
        match attribute.name:
            case "source":
                return item.source == value
            case "kind":
                return item.kind == value
            case "place":
                return _fits(value, item_place_key(item))
            case "author":
                return item.author is not None and _fits(value, author_key(item.author))
            case "lang":
                return item.lang == value or item.lang.startswith(f"{value}-")
            case "is":
                return _flag(item, value)

    def places(self, leaves: Sequence[Leaf]) -> tuple[tuple[Highlight, ...], tuple[Reason, ...]]:
        """Return where the leaves occur: the highlights, sorted, with overlaps merged, and the first place of each.

        Highlights are the first places of each leaf, MAX_HIGHLIGHTS in all, but at least one of each that occurs.
        """
        # Two passes: a frequent first leaf must not use up the highlights of the others.
        present = []
        found: list[Highlight] = []
        reasons: list[Reason] = []
        for leaf in leaves:
            places = self._finder_of(leaf).occurrences(leaf)
            if (first := next(places, None)) is not None:
                found.append(first)
                present.append(places)
                if len(reasons) < MAX_REASONS:
                    reasons.append(Reason(leaf.text, *first))
        if (more := MAX_HIGHLIGHTS // max(1, len(present)) - 1) > 0:
            for places in present:
                found += islice(places, more)
        return merged(found), tuple(reasons)

    def _finder_of(self, leaf: Leaf) -> LeafFinder:
        match leaf:
            case Near(left=left, right=right):
                return self._finder(*left, *right)
            case Domain():
                return self._usual
            case Term() if leaf.plain:
                return self._usual
            case _:
                return self._finder(leaf)

    def _finder(self, *leaves: Term | Pattern) -> LeafFinder:
        return self._all if any(looks_further(leaf) for leaf in leaves) else self._usual


def looks_further(leaf: Term | Pattern) -> bool:
    """Return True if a leaf is searched in a field that is not searched by default."""
    return not USUAL_FIELDS.issuperset(leaf.where.fields)


def _fits(wanted: str, value: str) -> bool:
    """Return True if a value is the wanted one, which may have a * at one end."""
    if wanted.endswith("*"):
        return value.startswith(wanted[:-1])
    if wanted.startswith("*"):
        return value.endswith(wanted[1:])
    return value == wanted


def item_place_key(item: Item) -> str:
    """Return an item's place in the form in which places are compared."""
    return place_key(item.place).casefold()


def author_key(author: str) -> str:
    """Return an author in the form in which authors are compared: @bob@example.org as people write bob@example.org."""
    return author.casefold().removeprefix("@")


def _flag(item: Item, name: str) -> bool:
    match name:
        case "nsfw":
            return item.nsfw
        case "self":
            return item.kind == "post" and not item.url
        case _:
            return item.kind == "post" and bool(item.url)


def merged(highlights: Collection[Highlight], *, touching: bool = False) -> tuple[Highlight, ...]:
    """Return the highlights sorted, with overlapping ones merged; with ``touching`` also those that only touch."""
    if len(highlights) < 2:
        return tuple(highlights)
    result: list[Highlight] = []
    for field, start, end in sorted(highlights):
        # True adds 1: a highlight that starts where the last one ends is merged, too.
        if result and result[-1][0] == field and start < result[-1][2] + touching:
            result[-1] = (field, result[-1][1], max(end, result[-1][2]))
        else:
            result.append((field, start, end))
    return tuple(result)
