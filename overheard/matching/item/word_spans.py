"""Where the words of an item stand in its texts, in code points."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from overheard.matching.item.section import Section
from overheard.matching.text.scripts import IGNORED
from overheard.matching.text.visible_text import VisibleText, visible_text
from overheard.matching.text.words import Span, original_span, visible_spans

# Chosen, not measured.
FEW_SPANS = 4  # are searched for one by one, before those of all words are noted
FEW_BEFORE = 8  # of the same word; behind more of them, none is searched for
FEW_TRIES = 20  # of a search, for a word that is inside of others
FEW_MARKS = 20  # characters of markup beside a word


class WordSpans:
    """The spans of an item's words; those of a whole section are noted only when several are asked for."""

    def __init__(self, words: Sequence[str], sections: Sequence[Section], firsts: Sequence[int]) -> None:
        """``firsts``: the first position of each section."""
        self._words = words
        self._sections = sections
        self._firsts = firsts
        self._visible: dict[int, tuple[VisibleText, list[Span]]] = {}
        self._lower: dict[int, str] = {}
        self._asked = 0

    def section(self, at: int) -> Section:
        """Return the section of a position."""
        # A text may have thousands: each target of a link is one.
        return self._sections[bisect_right(self._firsts, at) - 1]

    def end(self, section: Section) -> int:
        """Return the position after the last of a section."""
        number = bisect_right(self._firsts, section.first)
        return self._firsts[number] if number < len(self._firsts) else len(self._words)

    def of_word(self, at: int) -> tuple[Section, int, int]:
        """Return a word's section, and its span in the section's text."""
        section = self.section(at)
        if self._asked < FEW_SPANS:
            self._asked += 1
            if found := self._quick_span(section, at):
                return section, *found
        if (known := self._visible.get(section.first)) is None:
            seen = visible_text(section.masked)
            known = self._visible[section.first] = seen, visible_spans(seen.text)
        number = at - section.first
        if section.gaps:  # each has taken a position
            number -= bisect_left(section.gaps, at)
        return section, *original_span(section.masked, known[0], known[1][number])

    def _quick_span(self, section: Section, at: int) -> Span | None:
        """Return a word's span in the section's text, where a search for the word cannot be wrong; otherwise None."""
        if (text := self._lower.get(section.first)) is None:
            text = self._lower[section.first] = section.masked.lower() if section.masked.isascii() else ""
        word = self._words[at]
        # The words of "don't" are neither don nor t, and dont may be written so.
        if not text or ("n't" in text and ("nt" in word or word[0] == "t" or word[-1] == "n")):
            return None
        before = self._words[section.first : at].count(word)
        # What markup divides is not found, and so would not be counted.
        if before >= FEW_BEFORE or (IGNORED in text and (before or word in self._words[at + 1 : self.end(section)])):
            return None
        return _nth_place(text, word, before)


def _nth_place(text: str, word: str, before: int) -> Span | None:
    """Return the span of a word in a text of ASCII, lower case, after so many others of it; None if it is not near."""
    end = 0
    for _ in range(FEW_TRIES):
        start = text.find(word, end)
        end = start + len(word)
        left = text[max(0, start - FEW_MARKS) : start].rstrip(IGNORED)
        right = text[end : end + FEW_MARKS].lstrip(IGNORED)
        if start < 0 or not (left or start == 0) or not (right or end == len(text)):
            return None
        if not (left[-1:].isalnum() or right[:1].isalnum()):
            if not before:
                return start, end
            before -= 1
    return None
