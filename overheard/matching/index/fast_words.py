"""What the index looks up for a text: its words, their variants, and all pairs of neighbours of these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from overheard.matching.text.fast_reading import Reading, read_fast
from overheard.matching.text.variants import Variant

Pair = tuple[str, str]


class Pairs:
    """All pairs of words and variants that stand side by side, some of them several times.

    Each exists only while it is looked up: to keep them would take longer than to make them again.
    """

    def __init__(self, words: Sequence[str], found: Sequence[Variant]) -> None:
        self._words = words
        self._of_variants = _pairs(words, found) if found else ()

    def __iter__(self) -> Iterator[Pair]:
        return chain(pairwise(self._words), self._of_variants)


def forms(masked: str) -> tuple[list[str], Pairs]:
    """Return the words and variants of a text, and all pairs of those that stand side by side.

    The words come first, in reading order. Pairs may be of words of two paragraphs.
    """
    return forms_of(read_fast(masked))


def forms_of(reading: Reading) -> tuple[list[str], Pairs]:
    """Return the same of a text that was read already."""
    words, found = reading
    pairs = Pairs(words, found)
    return (words + [form for _, _, form in found] if found else words), pairs


def _pairs(words: Sequence[str], found: Sequence[Variant]) -> list[Pair]:
    """Return the pairs of each variant with the words and the variants beside it."""
    pairs: list[Pair] = []
    ending: dict[int, list[str]] = {}
    # Sorted by the first word: the variants that end where one starts have all been seen.
    for start, length, form in found:
        end = start + length
        if start:
            pairs.append((words[start - 1], form))
            for before in ending.get(start, ()):
                pairs.append((before, form))
        if end < len(words):
            pairs.append((form, words[end]))
        ending.setdefault(end, []).append(form)
    return pairs
