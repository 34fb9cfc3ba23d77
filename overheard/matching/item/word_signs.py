"""What stands between the words of an item: what separates them, and the symbols beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain, pairwise

from overheard.matching.item.position_sets import position_set
from overheard.matching.item.section import GAP, Section
from overheard.matching.text.separators import HYPHEN, HYPHEN_OR_SPACE, plain_signs
from overheard.matching.text.symbols import symbols_of
from overheard.matching.text.words import read

NUMBER_SIGNS = (".", ",", ":")  # that join what is before a number to it


class WordSigns:
    """The signs between an item's words. Most items are read without."""

    def __init__(self, words: Sequence[str], sections: Sequence[Section]) -> None:
        self._words = words
        self._sections = sections
        self._separated: dict[str, int] = {}

    @cached_property
    def before(self) -> list[str]:
        """What separates each word, or gap, from the word before it."""
        before: list[str] = []
        for section in self._sections:
            separators = read(section.masked)[1]
            breaks = [at - section.first - number for number, at in enumerate(section.gaps)]
            for start, end in pairwise([0, *breaks, len(separators) - 1]):
                before += separators[start : end + 1]
        return before

    def separated_by(self, required: str) -> int:
        """Return the positions of words that these signs separate from the word before (``Spelling.between``)."""
        if (found := self._separated.get(required)) is None:
            signs = (HYPHEN, " ") if required == HYPHEN_OR_SPACE else (required,)
            found = self._separated[required] = self._set(
                chain.from_iterable(self._by_sign.get(sign, ()) for sign in signs)
            )
        return found

    def with_symbol(self, symbol: str, *, behind: bool) -> int:
        """Return the positions of words with this symbol right before or after them; "" is any or none."""
        if not symbol:
            return -1
        # Most texts with a word have no sign at all that a query wants beside it: then nothing more is read.
        sign = symbol[-1]
        if not any(sign in section.masked or not section.masked.isascii() for section in self._sections):
            return 0
        return self._symbols[behind].get(symbol, 0)

    def symbols(self, at: int) -> tuple[str, str]:
        """Return the symbols right before and after a word."""
        return symbols_of(self.before[at], self.before[at + 1], self._words[at - 1] if at else GAP)

    @cached_property
    def continued_numbers(self) -> int:
        """The positions of numbers that go on from a number before: the 3 in 2.3.11."""
        words = self._words
        return self._set(
            at
            for sign in NUMBER_SIGNS
            for at in self._by_sign.get(sign, ())
            if at and words[at][0].isdigit() and words[at - 1][-1:].isdigit()
        )

    @cached_property
    def hyphenated(self) -> int:
        """The positions of names with a hyphen between them and the word before: evil-acme.com, not python-3.11."""
        words = self._words
        return self._set(
            at for at in self._by_sign.get(HYPHEN, ()) if at and words[at - 1] and not words[at][0].isdigit()
        )

    @cached_property
    def continued_names(self) -> int:
        """The positions of words that a dot and a letter follow: the com in acme.com.evil.org."""
        return self._set(at - 1 for at in self._by_sign.get(".", ()) if at and self._words[at][0].isalpha())

    @cached_property
    def _by_sign(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for at, before in enumerate(self.before):
            if self._words[at]:
                places.setdefault(plain_signs(before), []).append(at)
        return places

    @cached_property
    def _symbols(self) -> tuple[dict[str, int], dict[str, int]]:
        sides: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
        # Between most words there is one space only.
        beside_signs = (at for at, signs in enumerate(pairwise(self.before)) if signs != (" ", " "))
        for at in beside_signs:
            for side, symbol in zip(sides, self.symbols(at) if self._words[at] else (), strict=False):
                if symbol:
                    side.setdefault(symbol, []).append(at)
        before, behind = ({symbol: self._set(places) for symbol, places in side.items()} for side in sides)
        return before, behind

    def _set(self, positions: Iterable[int]) -> int:
        return position_set(positions, len(self._words))
