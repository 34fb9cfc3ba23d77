"""Learn from the sample how frequent words are, so that the index files queries under the rare ones.

Only words that several authors use are kept: no name or token stands out that one person has written.
"""

from __future__ import annotations

from collections.abc import Iterator

from overheard.db import sample, sampling, word_frequencies
from overheard.db.database import Db
from overheard.db.storable_text import UNSTORABLE
from overheard.matching.index.item_anchors import words_in

MAX_WORDS = 20_000
MIN_AUTHORS = 3
ITEMS_PER_SOURCE = 2_000
WORD_MAX_CHARS = 40
MAX_COUNTED = 100_000  # words at a time; if there are more, those of the fewest authors so far are forgotten


class WordCounts:
    """In how many items each word occurs, by how many authors; it forgets rare ones rather than grow without bound."""

    def __init__(self) -> None:
        self._weights: dict[str, float] = {}
        self._items: dict[str, int] = {}
        self._authors: dict[str, int] = {}
        self._total = 0.0
        self._author: tuple[str, str | None] | None = None
        self._words_of_author: set[str] = set()

    def add(self, found: sample.Sampled) -> None:
        """Count an item's words. Those of one author come side by side."""
        item, weight = found
        author = None if item.author is None else item.author.lower()
        if author is None or self._author != (item.source, author):
            self._author, self._words_of_author = (item.source, author), set()
        self._total += weight
        for word in words_in(item):
            if len(word) > WORD_MAX_CHARS or UNSTORABLE.search(word):
                continue
            self._weights[word] = self._weights.get(word, 0.0) + weight
            self._items[word] = self._items.get(word, 0) + 1
            if word not in self._words_of_author:
                self._words_of_author.add(word)
                self._authors[word] = self._authors.get(word, 0) + 1
        if len(self._weights) > MAX_COUNTED:
            self._forget_rare()

    def _forget_rare(self) -> None:
        fewest = min(self._authors.values())
        for word in [word for word, authors in self._authors.items() if authors == fewest]:
            del self._weights[word], self._items[word], self._authors[word]
        self._words_of_author.clear()

    def frequent(self) -> Iterator[tuple[str, int, float]]:
        """Yield the most frequent words: (word, number of items, share of all items)."""
        common = [word for word, authors in self._authors.items() if authors >= MIN_AUTHORS]
        common.sort(key=lambda word: (-self._weights[word], word))
        for word in common[:MAX_WORDS]:
            yield word, self._items[word], min(self._weights[word] / self._total, 1.0)


def learn(db: Db) -> int:
    """Count the words of the sample, store the frequent ones, and return how many these are."""
    counts = WordCounts()
    for source in sorted(sampling.shares(db)):
        for found in sample.sampled_by_author(db, source, ITEMS_PER_SOURCE):
            counts.add(found)
    words = list(counts.frequent())
    word_frequencies.replace(db, words)
    return len(words)
