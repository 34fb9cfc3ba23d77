"""One item, prepared once for many queries: which leaves of a query's tree hold in it, and where.

Everything is computed when the first query needs it, and kept for the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from overheard.items import Item, place_key
from overheard.matching.addresses import Host, hosts
from overheard.matching.layout import Layout
from overheard.matching.places import Places, bits
from overheard.matching.plain_texts import PlainText, plain_texts
from overheard.matching.tree import Attribute, Domain, Leaf, Near, Pattern, Term

Highlight = tuple[str, int, int]

# Of one query in one item, shared by the leaves that occur; each of those has at least one.
MAX_HIGHLIGHTS = 100


class Reason(NamedTuple):
    """A place that made a query match: a leaf, as the query writes it, and where it stands."""

    term: str
    field: str
    start: int
    end: int


class Document:
    """The texts and attributes of one item, as a tree asks for them (``tree.DocumentView``)."""

    def __init__(self, item: Item) -> None:
        self._item = item

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self._item)

    @cached_property
    def _places(self) -> Places:
        return Places(self._layout)

    @cached_property
    def _plain(self) -> list[PlainText]:
        return plain_texts(self._layout)

    @cached_property
    def _hosts(self) -> list[Host]:
        return hosts(self._layout)

    @cached_property
    def _domains(self) -> set[str]:
        """Every host in the item, and every domain above one."""
        found: set[str] = set()
        for host in self._hosts:
            labels = host.name.split(".")
            found.update(".".join(labels[first:]) for first in range(len(labels)))
        return found

    def has_term(self, term: Term) -> bool:
        return bool(self._places.starts(term))

    def has_near(self, near: Near) -> bool:
        left, right = self._starts(near.left), self._starts(near.right)
        return bool(left and right and (self._behind(near.left, near) & right or self._behind(near.right, near) & left))

    def has_pattern(self, pattern: Pattern) -> bool:
        return next(self._matches(pattern), None) is not None

    def has_domain(self, domain: Domain) -> bool:
        return domain.host in self._domains

    def has_attribute(self, attribute: Attribute) -> bool:
        item, value = self._item, attribute.value
        match attribute.name:
            case "source":
                return item.source == value
            case "kind":
                return item.kind == value
            case "place":
                return _fits(value, place_key(item.place).casefold())
            case "author":
                return item.author is not None and _fits(value, item.author.casefold())
            case "lang":
                return item.lang == value or item.lang.startswith(f"{value}-")
            case "is":
                return _flag(item, value)

    def highlights(self, leaves: Sequence[Leaf]) -> tuple[Highlight, ...]:
        """Return where the leaves occur: (field, start, end), sorted, with overlaps merged.

        The first places of each leaf, MAX_HIGHLIGHTS in all, but at least one of each that occurs.
        """
        # Two passes: a frequent first leaf must not use up the highlights of the others.
        present = []
        found: list[Highlight] = []
        for leaf in leaves:
            places = self.occurrences(leaf)
            if (first := next(places, None)) is not None:
                found.append(first)
                present.append(places)
        if (more := MAX_HIGHLIGHTS // max(1, len(present)) - 1) > 0:
            for places in present:
                found += islice(places, more)
        return merged(found)

    def reasons(self, leaves: Iterable[Leaf]) -> Iterator[Reason]:
        """Yield the first place of each leaf that occurs."""
        for leaf in leaves:
            if (first := next(self.occurrences(leaf), None)) is not None:
                yield Reason(leaf.text, *first)

    def occurrences(self, leaf: Leaf) -> Iterator[Highlight]:
        """Yield the places of a leaf, in order; of those that begin at one word, the longest."""
        match leaf:
            case Term():
                return self._spans(leaf, self._places.starts(leaf))
            case Near():
                return self._near_spans(leaf)
            case Pattern():
                return self._matches(leaf)
            case Domain():
                below = f".{leaf.host}"
                return (host.span for host in self._hosts if host.name == leaf.host or host.name.endswith(below))

    def _spans(self, term: Term, starts: int) -> Iterator[Highlight]:
        for start in bits(starts):
            yield self._span(term, start, max(self._lasts(term, start)))

    def _lasts(self, term: Term, start: int) -> Iterator[int]:
        if term.within is None:
            return self._places.lasts(term, start)
        lengths = (
            length
            for piece in term.pieces
            for length, places in self._places.piece(piece, term.exact).items()
            if places >> start & 1
        )
        return (start + length - 1 for length in lengths)

    def _span(self, term: Term, first: int, last: int) -> Highlight:
        """Return the span of an occurrence, widened by the symbols that the term requires there."""
        before, behind = self._layout.symbols(first)[0], self._layout.symbols(last)[1]
        if not before and not behind:
            return self._layout.span(first, last)
        pairs = [spelling.affixes for piece in term.pieces for spelling in getattr(piece, "spellings", ())]
        required = [affixes for affixes in pairs if affixes]
        wants_before = any(affixes[0][0] == before for affixes in required)
        wants_behind = any(affixes[-1][1] == behind for affixes in required)
        return self._layout.with_symbols(first, last, before if wants_before else "", behind if wants_behind else "")

    def _starts(self, terms: Iterable[Term]) -> int:
        found = 0
        for term in terms:
            found |= self._places.starts(term)
        return found

    def _behind(self, terms: Iterable[Term], near: Near) -> int:
        """Return the positions at which a term may begin that stands behind one of these."""
        ends = 0
        for term in terms:
            ends |= self._places.ends(term, self._places.starts(term))
        return self._places.spread(ends << 1 & self._layout.not_gaps, near.distance)

    def _before(self, terms: Iterable[Term], near: Near) -> int:
        """Return the positions at which a term may end that stands before one of these."""
        starts = self._starts(terms) >> 1 & self._layout.not_gaps
        return self._places.spread(starts, near.distance, forwards=False)

    def _near_spans(self, near: Near) -> Iterator[Highlight]:
        for terms, others in ((near.left, near.right), (near.right, near.left)):
            after, until = self._behind(others, near), self._before(others, near)
            for term in terms:
                for start in bits(self._places.starts(term)):
                    near_ones = [
                        last for last in self._places.lasts(term, start) if after >> start & 1 or until >> last & 1
                    ]
                    if near_ones:
                        yield self._span(term, start, max(near_ones))

    def _matches(self, pattern: Pattern) -> Iterator[Highlight]:
        for plain in self._plain:
            if plain.field in pattern.where.fields:
                yield from plain.search(pattern)


def _fits(wanted: str, value: str) -> bool:
    """Return True if a value is the wanted one, which may have a * at one end."""
    if wanted.endswith("*"):
        return value.startswith(wanted[:-1])
    if wanted.startswith("*"):
        return value.endswith(wanted[1:])
    return value == wanted


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
