"""Where the pieces of a term stand in an item: sets of positions, combined by a few operations for each piece."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property

from overheard.matching.item.layout import FEW_PLACES, Layout
from overheard.matching.item.position_sets import members, union
from overheard.matching.text.stems import stem
from overheard.matching.tree import Affix, Piece, Spelling, Stem, Term, Variation, Word

Lengths = dict[int, int]  # how many words an occurrence has, and the positions at which those of this length begin


class Positions:
    """The places of terms in one item, each computed once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._plain: dict[tuple[str, ...], int] = {}
        self._runs: dict[int, int] = {}
        self._pieces: dict[tuple[Piece, frozenset[Variation]], Lengths] = {}

    def starts(self, term: Term) -> int:
        """Return the positions at which a phrase begins, or at which the pieces of a window do."""
        return self._window(term) if term.within is not None else self._phrase(term)

    def ends(self, term: Term, starts: int) -> int:
        """Return the positions of the last words of a phrase's occurrences that begin at ``starts``."""
        if term.within is not None:
            return starts
        after = starts
        for piece in term.pieces:
            begin, after = after, 0
            for length, places in self.piece(piece, term.exact).items():
                after |= (begin & places) << length
        return after >> 1

    def lasts(self, term: Term, start: int) -> Iterator[int]:
        """Return the position of the last word of each occurrence that begins at a position."""
        if self.is_plain(term):
            return iter((start + len(term.plain) - 1,))
        return members(self.ends(term, 1 << start))

    def is_plain(self, term: Term) -> bool:
        """Return True if a term stands only where its words are written one by one."""
        return bool(term.plain) and self.layout.forms.keys().isdisjoint(term.plain)

    def piece(self, piece: Piece, exact: frozenset[Variation]) -> Lengths:
        """Return where a piece stands, by the number of words that it takes."""
        key = piece, exact
        if (found := self._pieces.get(key)) is None:
            found = self._pieces[key] = self._find(piece, exact)
        return found

    def spread(self, positions: int, by: int, *, forwards: bool = True) -> int:
        """Return the positions and up to so many more after (or before) each of them, in its paragraph."""
        reached, done = positions, 0
        while done < by:
            # What is reached is doubled each time, where all words up to there are of one paragraph.
            step = min(done + 1, by - done)
            if forwards:
                reached |= reached << step & self._run_ends(step)
            else:
                reached |= reached >> step & self._run_ends(step) >> (step - 1)
            done += step
        return reached

    def _run_ends(self, length: int) -> int:
        """Return the positions of the last of so many words of one paragraph."""
        if length == 1:
            return self.layout.not_gaps
        if (found := self._runs.get(length)) is None:
            half = (length + 1) // 2
            ends = self._run_ends(half)
            found = self._runs[length] = ends & ends << (length - half)
        return found

    def _phrase(self, term: Term) -> int:
        if self.is_plain(term):
            if (known := self._plain.get(term.plain)) is None:
                known = self._plain[term.plain] = self._side_by_side(term.plain)
            return known & self.layout.where(term.where)
        begins = -1
        for piece in reversed(term.pieces):
            following, begins = begins, 0
            for length, places in self.piece(piece, term.exact).items():
                begins |= places & (following >> length)
            if not begins:
                return 0
        return begins & self.layout.where(term.where)

    def _side_by_side(self, words: tuple[str, ...]) -> int:
        layout, wanted = self.layout, list(words)
        if len(wanted) == 1:
            return layout.of_word(wanted[0])
        places = layout.places_of(wanted[0])
        begins = 0
        if len(places) <= FEW_PLACES:  # as nearly always: the other words need not be searched
            for at in places:
                if layout.words[at : at + len(wanted)] == wanted:
                    begins |= 1 << at
            return begins
        begins = -1
        for word in reversed(wanted):
            begins = begins >> 1 & layout.of_word(word)
            if not begins:
                return 0
        return begins

    def _window(self, term: Term) -> int:
        allowed = self.layout.where(term.where)
        places = [union(self.piece(piece, term.exact).values()) & allowed for piece in dict.fromkeys(term.pieces)]
        width = len(places) + (term.within or 0) - 1
        last = -1  # the last positions of windows that have every piece
        for positions in places:
            last &= self.spread(positions, width)
            if not last:
                return 0
        complete = self.spread(last, width, forwards=False)
        return complete & union(places)

    def _find(self, piece: Piece, exact: frozenset[Variation]) -> Lengths:
        match piece:
            case Word(spellings=spellings):
                found: Lengths = {}
                for spelling in spellings:
                    for length, places in self._spelt(spelling, exact).items():
                        if places:
                            found[length] = found.get(length, 0) | places
                return found
            case Affix(part=part, at_end=at_end):
                return {1: union(map(self.layout.of_word, self._words_with(part, at_end)))}
            case Stem(stem=wanted):
                return {1: union(map(self.layout.of_word, self._by_stem.get(wanted, ())))}

    def _spelt(self, spelling: Spelling, exact: frozenset[Variation]) -> Lengths:
        layout, words = self.layout, spelling.words
        if len(words) == 1:
            found = self._one_word(spelling, 0, exact)
            if spelling.symbols:
                before, behind = spelling.symbols[0]
                begins = layout.signs.with_symbol(before, behind=False)
                ends = layout.signs.with_symbol(behind, behind=True)
                found = {length: places & begins & (ends >> (length - 1)) for length, places in found.items()}
            return found
        begins = -1
        for number in range(len(words) - 1, -1, -1):
            begins = (begins >> 1) & self._one_word(spelling, number, exact).get(1, 0)
            if spelling.symbols:
                before, behind = spelling.symbols[number]
                begins &= layout.signs.with_symbol(before, behind=False) & layout.signs.with_symbol(behind, behind=True)
            if number and spelling.between and (required := spelling.between[number - 1]) is not None:
                begins &= layout.signs.separated_by(required)
            if not begins:
                return {}
        return {len(words): self._within_borders(spelling, begins)}

    def _one_word(self, spelling: Spelling, number: int, exact: frozenset[Variation]) -> Lengths:
        word, layout = spelling.words[number], self.layout
        if not spelling.originals:
            found = {1: layout.of_word(word)}
            others = layout.of_forms(word, exact) if spelling.joinable else {}
        else:
            original = spelling.originals[number]
            found = {1: layout.of_original(word, original, spelling.any_case)}
            others = layout.of_form_original(word, original, exact) if spelling.joinable else {}
        for length, places in others.items():
            found[length] = found.get(length, 0) | places
        return found

    def _within_borders(self, spelling: Spelling, begins: int) -> int:
        """Return those places where a dotted name or number is not a part of a longer one."""
        signs = self.layout.signs
        if "." in spelling.between:
            begins &= ~signs.continued_numbers & ~signs.hyphenated
            begins &= ~(signs.continued_names >> (len(spelling.words) - 1))
        return begins

    def _words_with(self, part: str, at_end: bool) -> Iterator[str]:
        """Yield the different words of the text that begin, or end, with a part."""
        words = self.layout.all_words_backwards if at_end else self.layout.all_words
        wanted = part[::-1] if at_end else part
        for number in range(bisect_left(words, wanted), len(words)):
            if not words[number].startswith(wanted):
                return
            yield words[number][::-1] if at_end else words[number]

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for word in self.layout.all_words:
            found.setdefault(stem(word), []).append(word)
        return found
