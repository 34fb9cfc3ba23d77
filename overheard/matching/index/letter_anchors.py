"""Anchors that are found in the letters of a word: its beginning (``optim*``), end (``*sql``), stem and parts."""

from __future__ import annotations

from collections import Counter

from overheard.matching.text.stems import stems

_OfSize = dict[int, Counter[str]]


class LetterAnchors:
    """The anchors of this kind that queries have, and which of them a word has.

    Changed under the index's lock; ``of_words`` runs without it.
    """

    def __init__(self) -> None:
        # How many queries have a beginning, an end or a part, by its size, and a stem.
        self._beginnings: _OfSize = {}
        self._ends: _OfSize = {}
        self._parts: _OfSize = {}
        self._stems: Counter[str] = Counter()

    @staticmethod
    def is_one(anchor: str) -> bool:
        """Return True for an anchor of this kind."""
        return anchor[-1] == "*" or anchor[0] in "*~/"

    def change(self, anchor: str, by: int) -> None:
        """Count so many more (or fewer) queries with an anchor."""
        if anchor[-1] == "*":
            self._beginnings = _changed(self._beginnings, anchor[:-1], by)
        elif anchor[0] == "*":
            self._ends = _changed(self._ends, anchor[1:], by)
        elif anchor[0] == "/":
            self._parts = _changed(self._parts, anchor[1:], by)
        else:
            count(self._stems, anchor[1:], by)

    def of_words(self, words: list[str]) -> list[list[str]]:
        """Return the anchors of each of these words that some query has."""
        found = list(map(self._of_word, words))
        if self._stems:
            for of_word, stem in zip(found, stems(words), strict=True):
                if stem in self._stems:
                    of_word.append(f"~{stem}")
        return found

    def _of_word(self, word: str) -> list[str]:
        found: list[str] = []
        for size, texts in self._beginnings.items():
            if word[:size] in texts:
                found.append(f"{word[:size]}*")
        for size, texts in self._ends.items():
            if word[-size:] in texts:
                found.append(f"*{word[-size:]}")
        for size, texts in self._parts.items():
            for at in range(len(word) - size + 1):
                if word[at : at + size] in texts:
                    found.append(f"/{word[at : at + size]}")
        return found


def _changed(of_size: _OfSize, text: str, by: int) -> _OfSize:
    """Return the texts by their size, with so many more (or fewer) of one."""
    texts = of_size.get(len(text), Counter())
    count(texts, text, by)
    # A new table, for a thread may be going through the old one.
    others = {size: of_other for size, of_other in of_size.items() if size != len(text)}
    return others | {len(text): texts} if texts else others


def count(counter: Counter[str], text: str, by: int) -> None:
    """Count so many more (or fewer); keep nothing that is counted no more."""
    counter[text] += by
    if not counter[text]:
        del counter[text]
