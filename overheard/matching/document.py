"""One item's text, read once and asked many questions.

Folding happens at once, because the index needs every word. The rest (which word is where, offsets) is
made when the first question needs it: most items match nothing.
"""

from collections.abc import Mapping
from functools import cached_property

from overheard.matching.text import affixed, affixes, spans, words
from overheard.matching.tree import Node, Term

Highlight = tuple[str, int, int]

_GAP = ""  # stands behind each field; no word is empty, so that no phrase spans two fields


class Document:
    """The fields of one item. `words`: all of them in order, fields one after the other."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._texts = fields
        self.words: list[str] = []
        for text in fields.values():
            self.words += words(text)
            self.words.append(_GAP)

    def contains(self, term: Term) -> bool:
        if len(term.words) == 1 and not term.affixes:
            return term.words[0] in self._positions
        return bool(self._places(term))

    def highlights(self, node: Node) -> tuple[Highlight, ...]:
        """Where the positive terms of a query stand: (field, start, end), sorted, overlapping ones merged."""
        found = [self._highlight(at, term) for term in node.positive() for at in self._places(term)]
        if len(found) < 2:
            return tuple(found)
        merged: list[Highlight] = []
        for field, start, end in sorted(found):
            if merged and merged[-1][0] == field and start < merged[-1][2]:
                merged[-1] = (field, merged[-1][1], max(end, merged[-1][2]))
            else:
                merged.append((field, start, end))
        return tuple(merged)

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
    def _spots(self) -> list[Highlight]:
        """Where each of the words stands in the original text."""
        spots: list[Highlight] = []
        for field, text in self._texts.items():
            spots += [(field, start, end) for start, end in spans(text)]
            spots.append((field, len(text), len(text)))
        return spots

    def _places(self, term: Term) -> list[int]:
        """The positions of a term: its first word, followed by the others, each with its symbols."""
        wanted = term.words
        places = self._positions.get(wanted[0], [])
        if places and len(wanted) > 1:
            rest, length = list(wanted), len(wanted)
            places = [at for at in places if self.words[at : at + length] == rest]
        if places and term.affixes:
            places = [at for at in places if self._wears(term, at)]
        return places

    def _wears(self, term: Term, at: int) -> bool:
        """Whether the words standing there wear the symbols that the term demands: C++ is not C."""
        worn_by = self._spots[at : at + len(term.words)]
        for (field, start, end), (before, behind) in zip(worn_by, term.affixes, strict=True):
            if before or behind:
                worn_before, worn_behind = affixes(self._texts[field], (start, end))
                if (before and before != worn_before) or (behind and behind != worn_behind):
                    return False
        return True

    def _highlight(self, at: int, term: Term) -> Highlight:
        spot = self._spots[at]
        if len(term.words) > 1:
            spot = (spot[0], spot[1], self._spots[at + len(term.words) - 1][2])
        if term.affixes:
            field, start, end = spot
            before, behind = term.affixes[0][0], term.affixes[-1][1]
            spot = (field, *affixed(self._texts[field], (start, end), before, behind))
        return spot
