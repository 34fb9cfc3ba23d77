"""One item's text, read once and asked many questions.

Folding happens at once, because the index needs every word. The rest (which word is where, offsets, symbols) is
made when the first question needs it: most items match nothing.

What a question costs is bounded, whatever was written and whatever is asked. A phrase is looked for where the rarest
of its words stands. Where even that one stands often, all its places are checked at once: a word's places are the
bits of a number, and a phrase stands where the shifted numbers of its words have a bit in common. So a phrase costs
a few operations a word, and never a loop over the text for each place (a thousand times "c++" held against ten
thousand of them).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice, pairwise

from overheard.matching.text import affixes, spans, widened, words
from overheard.matching.tree import Term

Highlight = tuple[str, int, int]

MAX_HIGHLIGHTS = 100  # of one query in one item, shared by the terms that were found; each of those has one at least

_GAP = ""  # stands behind each field; no word is empty, so that no phrase spans two fields
_FEW = 8  # places that are checked one by one
_NOWHERE: list[int] = []


class Document:
    """The fields of one item. `words`: all of them in order, fields one after the other."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._texts = fields
        self.words: list[str] = []
        for text in fields.values():
            self.words += words(text)
            self.words.append(_GAP)
        self._masks: dict[tuple[str, str, str], int] = {}
        self._worn: dict[str, dict[tuple[str, str], list[int]]] = {}

    def contains(self, term: Term) -> bool:
        if len(term.words) == 1 and not term.affixes:
            return term.words[0] in self._positions
        return next(self._places(term), None) is not None

    def highlights(self, terms: Sequence[Term]) -> tuple[Highlight, ...]:
        """Where the terms stand: (field, start, end), sorted, overlapping ones merged.

        The first places of each, MAX_HIGHLIGHTS in all, or one of each where more terms than that were found.
        """
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
            if word in positions:
                positions[word].append(at)
            else:
                positions[word] = [at]
        return positions

    @cached_property
    def _pairs(self) -> dict[tuple[str, ...], list[int]]:
        """Where each two words stand side by side: the shortest phrases are the most that can be asked for."""
        pairs: dict[tuple[str, ...], list[int]] = {}
        for at, pair in enumerate(pairwise(self.words)):
            pairs.setdefault(pair, []).append(at)
        return pairs

    @cached_property
    def _spots(self) -> list[Highlight]:
        """Where each of the words stands in the original text."""
        spots: list[Highlight] = []
        for field, text in self._texts.items():
            spots += [(field, start, end) for start, end in spans(text)]
            spots.append((field, len(text), len(text)))
        return spots

    def _places(self, term: Term) -> Iterator[int]:
        """The positions of a term: its first word, followed by the others, each with its symbols."""
        said, worn = term.words, term.affixes
        if worn:
            standing = [self._standing(word, *symbols) for word, symbols in zip(said, worn, strict=True)]
        else:
            first = self._positions.get(said[0], _NOWHERE)
            if len(said) == 1 or not first:
                return iter(first)
            if len(first) <= _FEW:  # as nearly always
                return iter(self._around(first, 0, term))
            standing = [self._positions.get(word, _NOWHERE) for word in said]
        rarest = min(standing, key=len)
        if len(said) == 1:
            return iter(rarest)
        if len(rarest) <= _FEW:
            return iter(self._around(rarest, standing.index(rarest), term))
        if len(said) == 2 and not worn:
            return iter(self._pairs.get(said, _NOWHERE))
        return self._common(said, worn or (("", ""),) * len(said))

    def _around(self, places: list[int], offset: int, term: Term) -> list[int]:
        """The positions of a phrase of which one word, ``offset`` words from its first, stands at these places."""
        words, wanted = self.words, list(term.words)
        length = len(wanted)
        # A place before the text's beginning would count from its end.
        starts = [at - offset for at in places if at >= offset] if offset else places
        found = [start for start in starts if words[start : start + length] == wanted]
        return [start for start in found if self._wears(term, start)] if term.affixes else found

    def _common(self, said: tuple[str, ...], worn: tuple[tuple[str, str], ...]) -> Iterator[int]:
        """The positions of a phrase whose words are all frequent here."""
        bits = -1
        for offset, (word, symbols) in enumerate(zip(said, worn, strict=True)):
            bits &= self._mask(word, *symbols) >> offset
            if not bits:
                return
        while bits:
            lowest = bits & -bits
            yield lowest.bit_length() - 1
            bits ^= lowest

    def _mask(self, word: str, before: str, behind: str) -> int:
        """The positions of a word that wears these symbols, as bits."""
        mask = self._masks.get((word, before, behind))
        if mask is None:
            bits = bytearray(len(self.words) // 8 + 1)
            for at in self._standing(word, before, behind):
                bits[at >> 3] |= 1 << (at & 7)
            mask = self._masks[word, before, behind] = int.from_bytes(bits, "little")
        return mask

    def _standing(self, word: str, before: str, behind: str) -> list[int]:
        """All positions of a word that wears these symbols, "" being any: C++ is not C, but C is C++ too."""
        places = self._positions.get(word, [])
        if not places or not (before or behind):
            return places
        worn = self._worn.get(word)
        if worn is None:
            worn = self._worn[word] = {}
            for at in places:
                field, start, end = self._spots[at]
                left, right = affixes(self._texts[field], (start, end))
                for symbols in {(left, ""), ("", right), (left, right)}:
                    worn.setdefault(symbols, []).append(at)
        return worn.get((before, behind), [])

    def _wears(self, term: Term, start: int) -> bool:
        """Whether the words that stand there wear the symbols that the term demands."""
        for at, (before, behind) in enumerate(term.affixes, start):
            if before or behind:
                field, *span = self._spots[at]
                left, right = affixes(self._texts[field], (span[0], span[1]))
                if (before and before != left) or (behind and behind != right):
                    return False
        return True

    def _highlight(self, at: int, term: Term) -> Highlight:
        spot = self._spots[at]
        if len(term.words) > 1:
            spot = (spot[0], spot[1], self._spots[at + len(term.words) - 1][2])
        if term.affixes:
            field, start, end = spot
            before, behind = term.affixes[0][0], term.affixes[-1][1]
            spot = (field, *widened(self._texts[field], (start, end), before, behind))
        return spot


def merged(found: Collection[Highlight], *, touching: bool = False) -> tuple[Highlight, ...]:
    """Sorted, and overlapping ones (or those that only touch) as one."""
    if len(found) < 2:
        return tuple(found)
    result: list[Highlight] = []
    for field, start, end in sorted(found):
        if result and result[-1][0] == field and start < result[-1][2] + touching:
            result[-1] = (field, result[-1][1], max(end, result[-1][2]))
        else:
            result.append((field, start, end))
    return tuple(result)
