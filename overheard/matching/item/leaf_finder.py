"""Which leaves of queries' trees hold in some fields of an item, and where.

Everything is computed when the first query needs it, and kept for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from overheard.matching.item.addresses import Host, host_forms, hosts
from overheard.matching.item.layout import NO_READINGS, Layout
from overheard.matching.item.plain_texts import PlainText, plain_texts
from overheard.matching.item.position_sets import members
from overheard.matching.item.positions import Positions
from overheard.matching.item.texts import Texts
from overheard.matching.text.fast_reading import Readings
from overheard.matching.text.words import Span
from overheard.matching.tree import Domain, Leaf, Near, Pattern, Piece, Term, Word

Highlight = tuple[str, int, int]  # a field, and the start and end of a span, in code points


class LeafFinder:
    """Find leaves in the texts of some fields."""

    def __init__(self, texts: Texts, readings: Readings = NO_READINGS) -> None:
        self._layout = Layout(texts, readings)
        self._places = Positions(self._layout)
        self._firsts: dict[Pattern, list[tuple[PlainText, Span]]] = {}

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
        plain = term.plain
        if len(plain) == 1:
            return plain[0] in self._layout.vocabulary or plain[0] in self._layout.forms
        return bool(self._places.starts(term))

    def has_near(self, near: Near) -> bool:
        left, right = self._starts(near.left), self._starts(near.right)
        return bool(left and right and (self._behind(near.left, near) & right or self._behind(near.right, near) & left))

    def has_pattern(self, pattern: Pattern) -> bool:
        return bool(self._firsts_of(pattern))

    def has_domain(self, domain: Domain) -> bool:
        return not self._domains.isdisjoint(host_forms(domain.host))

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
                forms = host_forms(leaf.host)
                below = tuple(f".{form}" for form in forms)
                return (host.span for host in self._hosts if host.name in forms or host.name.endswith(below))

    def _spans(self, term: Term, starts: int) -> Iterator[Highlight]:
        if self._places.is_plain(term):
            for start in members(starts):
                yield self._layout.span(start, start + len(term.plain) - 1)
            return
        if term.within is not None:
            yield from self._window_spans(term, starts)
            return
        for start in members(starts):
            yield self._span(start, max(self._places.lasts(term, start)), term.pieces[:1], term.pieces[-1:])

    def _window_spans(self, term: Term, starts: int) -> Iterator[Highlight]:
        """Yield the spans of a window's pieces, which may stand in any order."""
        found = [
            (piece, length, places)
            for piece in term.pieces
            for length, places in self._places.piece(piece, term.exact).items()
        ]
        for start in members(starts):
            here = [(piece, length) for piece, length, places in found if places >> start & 1]
            pieces = [piece for piece, _ in here]
            yield self._span(start, start + max(length for _, length in here) - 1, pieces, pieces)

    def _span(self, first: int, last: int, at_start: Iterable[Piece], at_end: Iterable[Piece]) -> Highlight:
        """Return the span of an occurrence, widened by the symbols that its first and its last piece require."""
        before, behind = self._layout.signs.symbols(first)[0], self._layout.signs.symbols(last)[1]
        if not before and not behind:
            return self._layout.span(first, last)
        wants_before = any(symbols[0][0] == before for symbols in _symbols(at_start))
        wants_behind = any(symbols[-1][1] == behind for symbols in _symbols(at_end))
        return self._layout.with_symbols(first, last, before if wants_before else "", behind if wants_behind else "")

    def _starts(self, terms: Iterable[Term]) -> int:
        found = 0
        for term in terms:
            found |= self._places.starts(term)
        return found

    def _behind(self, terms: Iterable[Term], near: Near) -> int:
        """Return the positions at which a term may begin that stands after one of these."""
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
                starts = self._places.starts(term)
                if self._places.is_plain(term):  # then all occurrences are of one length, and are looked at together
                    yield from self._spans(term, starts & (after | until >> (len(term.plain) - 1)))
                    continue
                for start in members(starts):
                    near_ones = [
                        last for last in self._places.lasts(term, start) if after >> start & 1 or until >> last & 1
                    ]
                    if near_ones:
                        yield self._span(start, max(near_ones), term.pieces[:1], term.pieces[-1:])

    def _matches(self, pattern: Pattern) -> Iterator[Highlight]:
        for plain, first in self._firsts_of(pattern):
            yield from plain.search(pattern, first)

    def _firsts_of(self, pattern: Pattern) -> list[tuple[PlainText, Span]]:
        """Return an expression's first match in each text that has one."""
        if (found := self._firsts.get(pattern)) is None:
            in_fields = [plain for plain in self._plain if plain.field in pattern.where.fields]
            firsts = [(plain, plain.first(pattern)) for plain in in_fields]
            found = self._firsts[pattern] = [(plain, first) for plain, first in firsts if first]
        return found


def _symbols(pieces: Iterable[Piece]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the symbols that spellings of these pieces require."""
    for piece in pieces:
        if isinstance(piece, Word):
            yield from (spelling.symbols for spelling in piece.particular if spelling.symbols)
