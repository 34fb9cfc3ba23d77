"""What the index looks up for a text: its words, their variants, and all pairs of neighbours of these."""

from collections.abc import Sequence
from itertools import pairwise

from overheard.matching.text.fast_reading import read_fast
from overheard.matching.text.variants import Variant

Pair = tuple[str, str]


def forms(masked: str) -> tuple[list[str], list[Pair]]:
    """Return the words and variants of a text, and all pairs of those that stand side by side.

    The words come first, in reading order. Pairs may be repeated, and may be of words of two paragraphs.
    """
    words, found = read_fast(masked)
    if not found:
        return words, list(pairwise(words))
    return words + [form for _, _, form in found], [*pairwise(words), *_pairs(words, found)]


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
