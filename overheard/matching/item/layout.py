"""Where each word of an item stands: the words of all its texts in one numbered sequence.

Every set of positions is an integer, bit p for position p: for texts of any length and queries of any kind, a phrase
costs a few operations per word, and never a loop over the text for each place (a phrase of "c++" a thousand times, in a
text of ten thousand).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, pairwise
from types import MappingProxyType
from typing import NamedTuple

from overheard.items import SEARCHED_TEXTS, Item
from overheard.matching.language.spelling import joined_by, literal
from overheard.matching.markup import BREAK, address_mask, flow
from overheard.matching.text.fast_reading import Readings, read_fast
from overheard.matching.text.folding import fold_keeping_accents
from overheard.matching.text.scripts import IGNORED, visible
from overheard.matching.text.separators import HYPHEN, HYPHEN_OR_SPACE, plain_signs
from overheard.matching.text.symbols import affixes, widened
from overheard.matching.text.visible_text import VisibleText, visible_text
from overheard.matching.text.words import Span, original_span, read, visible_spans
from overheard.matching.tree import ANYWHERE, DEFAULT_FIELDS, FieldName, Variation, Where

# Chosen, not measured: of so many words the places are found one by one, before those of all words are noted.
FEW_WORDS = 6
FEW_PLACES = 8  # of a word; more than these are kept as a set
FEW_SPANS = 4  # are searched for one by one, before those of all words are noted
FEW_TRIES = 20  # of a search, for a word that is inside of others
FEW_MARKS = 20  # characters of markup beside a word

Texts = dict[FieldName, str]

USUAL_FIELDS = frozenset(DEFAULT_FIELDS)
NO_READINGS: Readings = MappingProxyType({})
GAP = ""  # a position where a paragraph ends; no word is empty
NUMBER_SIGNS = (".", ",", ":")  # that join what is before a number to it


class Section(NamedTuple):
    """A text of its own within a field: the flow, or an address that was taken out of it.

    ``first``: the position of its first word; ``offset``: where its text begins in the field; ``links``: the spans of
    its addresses in the field; ``gaps``: the positions in it where a paragraph ends.
    """

    first: int
    field: FieldName
    masked: str
    offset: int
    links: Collection[tuple[int, int]]
    gaps: Sequence[int]


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
        self._visible: dict[int, tuple[VisibleText, list[Span]]] = {}
        self._lower: dict[int, str] = {}
        self._asked = self._spans_asked = 0
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

    @cached_property
    def _before(self) -> list[str]:
        """What separates each word, or gap, from the word before it. Most items are read without."""
        before: list[str] = []
        for section in self.sections:
            separators = read(section.masked)[1]
            breaks = [at - section.first - number for number, at in enumerate(section.gaps)]
            for start, end in pairwise([0, *breaks, len(separators) - 1]):
                before += separators[start : end + 1]
        return before

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
            return self._once(word, lambda: places)
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

    def separated_by(self, required: str) -> int:
        """Return the positions of words that these signs separate from the word before (``Spelling.between``)."""
        signs = (HYPHEN, " ") if required == HYPHEN_OR_SPACE else (required,)
        return self._once(
            ("signs", required), lambda: chain.from_iterable(self._by_sign.get(sign, ()) for sign in signs)
        )

    def with_symbol(self, symbol: str, *, behind: bool) -> int:
        """Return the positions of words with this symbol right before or after them; "" is any or none."""
        if not symbol:
            return -1
        # Most texts with a word have no sign at all that a query wants beside it: then nothing more is read.
        sign = symbol[-1]
        if not any(sign in section.masked or not section.masked.isascii() for section in self.sections):
            return 0
        return self._symbols[behind].get(symbol, 0)

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
        return self.mask(at for at, word in enumerate(self.words) if word)

    @cached_property
    def continued_numbers(self) -> int:
        """The positions of numbers that go on from a number before: the 3 in 2.3.11."""
        return self.mask(
            at
            for sign in NUMBER_SIGNS
            for at in self._by_sign.get(sign, ())
            if at and self.words[at][0].isdigit() and self.words[at - 1][-1:].isdigit()
        )

    @cached_property
    def hyphenated(self) -> int:
        """The positions of names with a hyphen between them and the word before: evil-acme.com, not python-3.11."""
        return self.mask(
            at for at in self._by_sign.get(HYPHEN, ()) if at and self.words[at - 1] and not self.words[at][0].isdigit()
        )

    @cached_property
    def continued_names(self) -> int:
        """The positions of words that a dot and a letter follow: the com in acme.com.evil.org."""
        return self.mask(at - 1 for at in self._by_sign.get(".", ()) if at and self.words[at][0].isalpha())

    def where(self, where: Where) -> int:
        """Return the positions at which a leaf may begin."""
        if where is ANYWHERE and self._is_usual:
            return -1
        if (found := self._masks.get(where)) is None:
            found = self._masks[where] = self._allowed(where)
        return found

    def span(self, first: int, last: int) -> tuple[FieldName, int, int]:
        """Return the field and the span of the text from one word to another, in code points."""
        section, start, end = self._word_span(first)
        if last != first:
            end = self._word_span(last)[2]
        return section.field, start + section.offset, end + section.offset

    def symbols(self, at: int) -> tuple[str, str]:
        """Return the symbols right before and after a word."""
        return affixes(self._before[at], self._before[at + 1], self.words[at - 1] if at else GAP)

    def with_symbols(self, first: int, last: int, before: str, behind: str) -> tuple[FieldName, int, int]:
        """Return ``span``, widened by the symbols right before or after it; "" for none."""
        section = self._section(first)
        _, start, end = self.span(first, last)
        start, end = widened(section.masked, (start - section.offset, end - section.offset), before, behind)
        return section.field, start + section.offset, end + section.offset

    # -- sets of positions

    def _forms_of(self, form: str, exact: frozenset[Variation]) -> Iterator[tuple[int, int]]:
        for start, length in self.forms.get(form, ()):
            signs = map(plain_signs, self._before[start + 1 : start + length]) if exact else ()
            if not exact & joined_by(list(signs), length == 1 or form.isdigit()):
                yield start, length

    def _by_length(self, found: Iterable[tuple[int, int]]) -> dict[int, int]:
        starts: dict[int, list[int]] = {}
        for start, length in found:
            starts.setdefault(length, []).append(start)
        return {length: self.mask(places) for length, places in starts.items()}

    def mask(self, positions: Iterable[int]) -> int:
        """Return positions as the bits of an integer."""
        # Bytes first: setting one bit after the other in an integer would copy it each time.
        bits = bytearray(len(self.words) // 8 + 1)
        for at in positions:
            bits[at >> 3] |= 1 << (at & 7)
        return int.from_bytes(bits, "little")

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

    @cached_property
    def _by_sign(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for at, before in enumerate(self._before):
            if self.words[at]:
                places.setdefault(plain_signs(before), []).append(at)
        return places

    @cached_property
    def _symbols(self) -> tuple[dict[str, int], dict[str, int]]:
        sides: tuple[dict[str, list[int]], dict[str, list[int]]] = ({}, {})
        # Between most words there is one space only.
        beside_signs = (at for at, signs in enumerate(pairwise(self._before)) if signs != (" ", " "))
        for at in beside_signs:
            for side, symbol in zip(sides, self.symbols(at) if self.words[at] else (), strict=False):
                if symbol:
                    side.setdefault(symbol, []).append(at)
        before, behind = ({symbol: self.mask(places) for symbol, places in side.items()} for side in sides)
        return before, behind

    def _once(self, key: Hashable, positions: Callable[[], Iterable[int]]) -> int:
        if (found := self._masks.get(key)) is None:
            found = self._masks[key] = self.mask(positions())
        return found

    def _groups(self, named: Iterable[tuple[str, int]]) -> dict[str, int]:
        places: dict[str, list[int]] = {}
        for name, at in named:
            places.setdefault(name, []).append(at)
        return {name: self.mask(found) for name, found in places.items()}

    def _section(self, at: int) -> Section:
        # A text may have thousands: each target of a link is one.
        return self.sections[bisect_right(self._firsts, at) - 1]

    def _end(self, section: Section) -> int:
        """Return the position after the last of a section."""
        number = bisect_right(self._firsts, section.first)
        return self._firsts[number] if number < len(self._firsts) else len(self.words)

    def _original(self, at: int, any_case: bool) -> str:
        section, start, end = self._word_span(at)
        said = section.masked[start:end]
        return fold_keeping_accents(visible(said)) if any_case else literal(said)

    def _word_span(self, at: int) -> tuple[Section, int, int]:
        """Return a word's section, and its span in the section's text."""
        section = self._section(at)
        if self._spans_asked < FEW_SPANS:
            self._spans_asked += 1
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
        word = self.words[at]
        # The words of "don't" are neither don nor t, and dont may be written so.
        if not text or ("n't" in text and ("nt" in word or word[0] == "t" or word[-1] == "n")):
            return None
        before = self.words[section.first : at].count(word)
        # What markup divides is not found, and so would not be counted.
        if before >= FEW_PLACES or (IGNORED in text and (before or word in self.words[at + 1 : self._end(section)])):
            return None
        return _nth_place(text, word, before)

    @cached_property
    def _in_links(self) -> int:
        """The positions of words in addresses."""
        positions: list[int] = []
        for section in self.sections:
            end = self._end(section)
            links = sorted(section.links)
            starts = [start for start, _ in links]
            for at in range(section.first, end) if links else ():
                if not self.words[at]:
                    continue
                place = self._word_span(at)[1] + section.offset
                link = bisect_right(starts, place) - 1
                if link >= 0 and place < links[link][1]:
                    positions.append(at)
        return self.mask(positions)

    def _allowed(self, where: Where) -> int:
        allowed = 0
        ends = [*self._firsts[1:], len(self.words)] if self.sections else []
        for section, end in zip(self.sections, ends, strict=True):
            if section.field in where.fields:
                allowed |= (1 << end) - (1 << section.first)
        if where.in_links is None:
            return allowed
        return allowed & (self._in_links if where.in_links else ~self._in_links)


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


def _places(words: list[str], word: str) -> list[int]:
    """Return the positions of a word."""
    found: list[int] = []
    at = -1
    for _ in range(words.count(word)):
        at = words.index(word, at + 1)
        found.append(at)
    return found


def texts_of(item: Item) -> Texts:
    """Return the texts of an item in which queries look that name no field; empty ones are left out."""
    texts: Texts = {"title": item.title, "body": item.body, **searched_texts(item), "url": item.url}
    return {name: text for name, text in texts.items() if text}


def searched_texts(item: Item) -> Texts:
    """Return those of an item's further texts that are searched like its title and body; most items have none."""
    return {name: item.texts[name] for name in SEARCHED_TEXTS if name in item.texts} if item.texts else {}


def all_texts_of(item: Item) -> Texts:
    """Return all texts of an item."""
    further: Texts = {"thread": item.thread_title or item.title, "flair": item.texts.get("flair", "")}
    return texts_of(item) | {name: text for name, text in further.items() if text}
