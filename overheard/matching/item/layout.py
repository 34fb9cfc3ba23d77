"""Where each word of an item stands: the words of all its texts in one numbered sequence.

Every set of positions is an integer, bit p for position p: for texts of any length and queries of any kind, a phrase
costs a few operations per word, and never a loop over the text for each place (a phrase of "c++" a thousand times, in a
text of ten thousand).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from types import MappingProxyType

from overheard.matching.item.position_sets import position_set
from overheard.matching.item.section import GAP, Section
from overheard.matching.item.texts import USUAL_FIELDS, Texts
from overheard.matching.item.word_signs import WordSigns
from overheard.matching.item.word_spans import WordSpans
from overheard.matching.language.spelling import joined_by, literal
from overheard.matching.markup import BREAK, address_mask, flow
from overheard.matching.text.fast_reading import Readings, read_fast
from overheard.matching.text.folding import fold_keeping_accents
from overheard.matching.text.scripts import visible
from overheard.matching.text.separators import plain_signs
from overheard.matching.text.symbols import widened
from overheard.matching.tree import ANYWHERE, FieldName, Variation, Where

NO_READINGS: Readings = MappingProxyType({})
# Chosen, not measured.
FEW_WORDS = 6  # are searched for one by one, before the places of all are noted
FEW_PLACES = 8  # of a word; more than these are kept as a set


class Layout:
    """The words of an item: of its fields, of the addresses in each, with gaps in between."""

    def __init__(self, texts: Texts, readings: Readings = NO_READINGS) -> None:
        """``readings``: what was read already, by its text; most comments are a single text without markup."""
        self._readings = readings
        self.words: list[str] = []
        self.sections: list[Section] = []
        self._firsts: list[int] = []  # the first position of each section
        # Other forms of words, or of several neighbours: where each begins, and how many words it takes.
        self.forms: dict[str, list[tuple[int, int]]] = {}
        self.signs = WordSigns(self.words, self.sections)
        self._spans = WordSpans(self.words, self.sections, self._firsts)
        self._asked = 0
        self._is_usual = texts.keys() <= USUAL_FIELDS
        self._masks: dict[Hashable, int] = {}
        self._originals: dict[tuple[str, bool], dict[str, int]] = {}
        for name, text in texts.items():
            if name == "url":
                self._add(name, address_mask(text), 0, [(0, len(text))])
                continue
            flowing = flow(text)
            self._add(name, flowing.masked, 0, flowing.links)
            addresses = set(flowing.links)
            for span in flowing.targets:
                # A link's title is taken out of the flow, too, but is not an address.
                self._add(name, address_mask(text[slice(*span)]), span[0], [span] if span in addresses else [])

    def _add(self, name: FieldName, masked: str, offset: int, links: Collection[tuple[int, int]]) -> None:
        """Add the words of a text that begins ``offset`` characters into its field."""
        first = len(self.words)
        gaps: list[int] = []
        for paragraph in masked.split(BREAK):
            words, found = self._readings.get(paragraph) or read_fast(paragraph)
            if not words:
                continue
            at = len(self.words)
            if at > first:
                gaps.append(at - 1)
            self.words += words
            self.words.append(GAP)
            for start, length, form in found:
                self.forms.setdefault(form, []).append((at + start, length))
        if len(self.words) == first:
            self.words.append(GAP)
        self.sections.append(Section(first, name, masked, offset, links, gaps))
        self._firsts.append(first)

    # -- what stands where

    def places_of(self, word: str) -> Sequence[int]:
        """Return the positions of a word of the text, folded, in order."""
        if self._asked < FEW_WORDS:
            self._asked += 1
            return _places(self.words, word)
        return self.positions.get(word, ())

    def of_word(self, word: str) -> int:
        """Return the positions of a word of the text, folded."""
        if (known := self._masks.get(word)) is not None:
            return known
        places = self.places_of(word)
        if len(places) > FEW_PLACES:
            found = self._masks[word] = self._set(places)
            return found
        mask = 0
        for at in places:
            mask |= 1 << at
        return mask

    def of_forms(self, form: str, exact: frozenset[Variation]) -> dict[int, int]:
        """Return where other forms of words begin, by length; without those that come by one of these variations."""
        return self._by_length(self._forms_of(form, exact))

    def of_original(self, word: str, original: str, any_case: bool) -> int:
        """Return the positions of a word that the text writes in this way."""
        key = word, any_case
        if key not in self._originals:
            places = self.places_of(word)
            self._originals[key] = self._groups((self._original(at, any_case), at) for at in places)
        return self._originals[key].get(original, 0)

    def of_form_original(self, form: str, original: str, exact: frozenset[Variation]) -> dict[int, int]:
        """Return where other forms begin, by length, that the text writes so but for their case and their signs."""
        return self._by_length(
            (start, length)
            for start, length in self._forms_of(form, exact)
            if original == "".join(self._original(at, True) for at in range(start, start + length))[length == 1 :]
        )

    @cached_property
    def vocabulary(self) -> set[str]:
        """The different words, and the gap."""
        return set(self.words)

    @cached_property
    def all_words(self) -> list[str]:
        """The different words, sorted."""
        return sorted(self.positions)

    @cached_property
    def all_words_backwards(self) -> list[str]:
        """The different words, each spelt backwards, sorted."""
        return sorted(word[::-1] for word in self.positions)

    @cached_property
    def not_gaps(self) -> int:
        """The positions of words."""
        return self._set(at for at, word in enumerate(self.words) if word)

    def where(self, where: Where) -> int:
        """Return the positions at which a leaf may begin."""
        if where is ANYWHERE and self._is_usual:
            return -1
        if (found := self._masks.get(where)) is None:
            found = self._masks[where] = self._allowed(where)
        return found

    def span(self, first: int, last: int) -> tuple[FieldName, int, int]:
        """Return the field and the span of the text from one word to another, in code points."""
        section, start, end = self._spans.of_word(first)
        if last != first:
            end = self._spans.of_word(last)[2]
        return section.field, start + section.offset, end + section.offset

    def with_symbols(self, first: int, last: int, before: str, behind: str) -> tuple[FieldName, int, int]:
        """Return ``span``, widened by the symbols right before or after it; "" for none."""
        section = self._spans.section(first)
        _, start, end = self.span(first, last)
        start, end = widened(section.masked, (start - section.offset, end - section.offset), before, behind)
        return section.field, start + section.offset, end + section.offset

    # -- sets of positions

    def _set(self, positions: Iterable[int]) -> int:
        return position_set(positions, len(self.words))

    def _forms_of(self, form: str, exact: frozenset[Variation]) -> Iterator[tuple[int, int]]:
        for start, length in self.forms.get(form, ()):
            signs = map(plain_signs, self.signs.before[start + 1 : start + length]) if exact else ()
            if not exact & joined_by(list(signs), length == 1 or form.isdigit()):
                yield start, length

    def _by_length(self, found: Iterable[tuple[int, int]]) -> dict[int, int]:
        starts: dict[int, list[int]] = {}
        for start, length in found:
            starts.setdefault(length, []).append(start)
        return {length: self._set(places) for length, places in starts.items()}

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """The positions of each word."""
        positions: dict[str, list[int]] = {}
        for at, word in enumerate(self.words):
            if word in positions:
                positions[word].append(at)
            elif word:
                positions[word] = [at]
        return positions

    def _groups(self, named: Iterable[tuple[str, int]]) -> dict[str, int]:
        places: dict[str, list[int]] = {}
        for name, at in named:
            places.setdefault(name, []).append(at)
        return {name: self._set(found) for name, found in places.items()}

    def _original(self, at: int, any_case: bool) -> str:
        section, start, end = self._spans.of_word(at)
        said = section.masked[start:end]
        return fold_keeping_accents(visible(said)) if any_case else literal(said)

    @cached_property
    def _in_links(self) -> int:
        """The positions of words in addresses."""
        positions: list[int] = []
        for section in self.sections:
            end = self._spans.end(section)
            links = sorted(section.links)
            starts = [start for start, _ in links]
            for at in range(section.first, end) if links else ():
                if not self.words[at]:
                    continue
                place = self._spans.of_word(at)[1] + section.offset
                link = bisect_right(starts, place) - 1
                if link >= 0 and place < links[link][1]:
                    positions.append(at)
        return self._set(positions)

    def _allowed(self, where: Where) -> int:
        allowed = 0
        ends = [*self._firsts[1:], len(self.words)] if self.sections else []
        for section, end in zip(self.sections, ends, strict=True):
            if section.field in where.fields:
                allowed |= (1 << end) - (1 << section.first)
        if where.in_links is None:
            return allowed
        return allowed & (self._in_links if where.in_links else ~self._in_links)


def _places(words: list[str], word: str) -> list[int]:
    """Return the positions of a word."""
    found: list[int] = []
    at = -1
    for _ in range(words.count(word)):
        at = words.index(word, at + 1)
        found.append(at)
    return found
