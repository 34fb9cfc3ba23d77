"""One item's text, prepared once for many queries.

Folding happens at once, because the index needs every word. The rest (positions, offsets, symbols) is computed when the
first query needs it: most items match nothing.

The cost of a query is bounded for every text and every query. A phrase is searched at the places of its rarest word. If
even that word is frequent, all places are tested at once: the positions of a word are the bits of an integer, and a
phrase occurs where the shifted integers of its words have a bit in common. So a phrase costs a few operations per word,
and never a loop over the text for each place (a phrase of "c++" a thousand times, in a text of ten thousand).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice, pairwise

from overheard.matching.symbols import affixes, widened
from overheard.matching.text import read, spans
from overheard.matching.tree import Term

Highlight = tuple[str, int, int]

# Of one query in one item, shared by the terms that occur; each of those has at least one.
MAX_HIGHLIGHTS = 100

_GAP = ""  # after each field; no word is empty, so no phrase spans two fields
# Places that are checked one by one; more than these are tested at once. Chosen, not measured.
_FEW_PLACES = 8
_NO_PLACES: list[int] = []


class Document:
    """The fields of one item. `words`: the folded words of all fields in order, with a gap after each field."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._texts = fields
        self.words: list[str] = []
        for text in fields.values():
            self.words += read(text)[0]
            self.words.append(_GAP)
        self._bitmasks: dict[tuple[str, str, str], int] = {}
        self._positions_by_affixes: dict[str, dict[tuple[str, str], list[int]]] = {}

    def contains(self, term: Term) -> bool:
        """Return True if the term occurs in one of the fields."""
        if len(term.words) == 1 and not term.affixes:
            return term.words[0] in self._positions
        return next(self._places(term), None) is not None

    def highlights(self, terms: Sequence[Term]) -> tuple[Highlight, ...]:
        """Return where the terms occur: (field, start, end), sorted, with overlaps merged.

        The first places of each term, MAX_HIGHLIGHTS in all, but at least one of each term that occurs.
        """
        # Two passes: a frequent first term must not use up the highlights of the others.
        found, present = [], []
        for term in terms:
            places = self._places(term)
            if (first := next(places, None)) is not None:
                found.append(self._highlight(first, term))
                present.append((term, places))
        if (more := MAX_HIGHLIGHTS // max(1, len(present)) - 1) > 0:
            for term, places in present:
                for at in islice(places, more):
                    found.append(self._highlight(at, term))
        return merged(found)

    @cached_property
    def _positions(self) -> dict[str, list[int]]:
        positions: dict[str, list[int]] = {}
        for at, word in enumerate(self.words):
            # Not setdefault: it would build an empty list for every repeated word of the text.
            if word in positions:
                positions[word].append(at)
            else:
                positions[word] = [at]
        return positions

    @cached_property
    def _pairs(self) -> dict[tuple[str, ...], list[int]]:
        """The positions of every two adjacent words."""
        # A query can have more phrases of two words than of any other length, so each of them is one lookup here.
        pairs: dict[tuple[str, ...], list[int]] = {}
        for at, pair in enumerate(pairwise(self.words)):
            pairs.setdefault(pair, []).append(at)
        return pairs

    @cached_property
    def _spans(self) -> list[Highlight]:
        """The span of each of the words in the original text."""
        all_spans: list[Highlight] = []
        for field, text in self._texts.items():
            all_spans += [(field, start, end) for start, end in spans(text)]
            all_spans.append((field, len(text), len(text)))  # of the gap
        return all_spans

    def _places(self, term: Term) -> Iterator[int]:
        """Return the positions of a term's first word where the whole term occurs, with its symbols."""
        wanted, symbols = term.words, term.affixes
        if symbols:
            positions = [self._positions_with_affixes(word, *pair) for word, pair in zip(wanted, symbols, strict=True)]
        else:
            first = self._positions.get(wanted[0], _NO_PLACES)
            if len(wanted) == 1 or not first:
                return iter(first)
            if len(first) <= _FEW_PLACES:  # as nearly always: the rarest word need not be searched
                return iter(self._phrase_starts(first, 0, term))
            positions = [self._positions.get(word, _NO_PLACES) for word in wanted]
        rarest = min(positions, key=len)
        if len(wanted) == 1:
            return iter(rarest)
        if len(rarest) <= _FEW_PLACES:
            return iter(self._phrase_starts(rarest, positions.index(rarest), term))
        if len(wanted) == 2 and not symbols:
            return iter(self._pairs.get(wanted, _NO_PLACES))
        return self._phrase_starts_by_bitmask(wanted, symbols or (("", ""),) * len(wanted))

    def _phrase_starts(self, places: list[int], offset: int, term: Term) -> list[int]:
        """Return the positions of a phrase, given the places of its word number ``offset``."""
        words, wanted = self.words, list(term.words)
        length = len(wanted)
        # Starts before the beginning of the text are left out: a negative index would count from its end.
        starts = [at - offset for at in places if at >= offset] if offset else places
        found = [start for start in starts if words[start : start + length] == wanted]
        return [start for start in found if self._has_affixes(term, start)] if term.affixes else found

    def _phrase_starts_by_bitmask(self, wanted: tuple[str, ...], symbols: tuple[tuple[str, str], ...]) -> Iterator[int]:
        """Yield the positions of a phrase whose words are all frequent in this document."""
        # All bits are set, so that the first AND keeps every place of the first word.
        bits = -1
        for offset, (word, pair) in enumerate(zip(wanted, symbols, strict=True)):
            bits &= self._bitmask(word, *pair) >> offset
            if not bits:
                return
        while bits:
            lowest = bits & -bits
            yield lowest.bit_length() - 1
            bits ^= lowest

    def _bitmask(self, word: str, before: str, behind: str) -> int:
        """Return the positions of a word with these symbols, as bits of an integer."""
        mask = self._bitmasks.get((word, before, behind))
        if mask is None:
            # Bytes first: setting one bit after the other in an integer would copy it each time.
            bits = bytearray(len(self.words) // 8 + 1)
            for at in self._positions_with_affixes(word, before, behind):
                bits[at >> 3] |= 1 << (at & 7)
            mask = self._bitmasks[word, before, behind] = int.from_bytes(bits, "little")
        return mask

    def _positions_with_affixes(self, word: str, before: str, behind: str) -> list[int]:
        """Return all positions of a word with these symbols; "" stands for any: C++ is not C, but C is C++ too."""
        places = self._positions.get(word, [])
        if not places or not (before or behind):
            return places
        by_affixes = self._positions_by_affixes.get(word)
        if by_affixes is None:
            by_affixes = self._positions_by_affixes[word] = {}
            for at in places:
                field, start, end = self._spans[at]
                left, right = affixes(self._texts[field], (start, end))
                # A set: without a symbol on one side, two of them are equal, and each place must be listed once.
                for symbols in {(left, ""), ("", right), (left, right)}:
                    by_affixes.setdefault(symbols, []).append(at)
        return by_affixes.get((before, behind), [])

    def _has_affixes(self, term: Term, start: int) -> bool:
        """Return True if the words from ``start`` on have the symbols that the term requires."""
        for at, (before, behind) in enumerate(term.affixes, start):
            if before or behind:
                field, *span = self._spans[at]
                left, right = affixes(self._texts[field], (span[0], span[1]))
                if (before and before != left) or (behind and behind != right):
                    return False
        return True

    def _highlight(self, at: int, term: Term) -> Highlight:
        span = self._spans[at]
        if len(term.words) > 1:
            span = (span[0], span[1], self._spans[at + len(term.words) - 1][2])
        if term.affixes:
            field, start, end = span
            before, behind = term.affixes[0][0], term.affixes[-1][1]
            span = (field, *widened(self._texts[field], (start, end), before, behind))
        return span


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
