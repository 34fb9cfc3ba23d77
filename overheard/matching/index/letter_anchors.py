"""Anchors that are found in the letters of a word: its beginning (``optim*``), end (``*sql``), stem and parts."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from overheard.matching.text.stems import stems

_Kind = Literal["beginning", "end", "stem", "part"]
_BY_SIGN: dict[str, _Kind] = {"*": "end", "~": "stem", "/": "part"}
_OfSize = dict[int, Counter[str]]


class LetterAnchors:
    """The anchors of this kind that queries have, and which of them a word has.

    Changed under the index's lock; ``of_words`` runs without it.
    """

    def __init__(self) -> None:
        # How many queries have a beginning, an end or a part, by its size, and a stem.
        self._texts: dict[_Kind, _OfSize] = {"beginning": {}, "end": {}, "part": {}}
        self._stems: Counter[str] = Counter()

    @staticmethod
    def is_one(anchor: str) -> bool:
        """Return True for an anchor of this kind."""
        return anchor[-1] == "*" or anchor[0] in _BY_SIGN

    def change(self, anchor: str, by: int) -> None:
        """Count so many more (or fewer) queries with an anchor."""
        kind = "beginning" if anchor[-1] == "*" else _BY_SIGN[anchor[0]]
        text = anchor[:-1] if kind == "beginning" else anchor[1:]
        if kind == "stem":
            count(self._stems, text, by)
        else:
            of_size = self._texts[kind]
            texts = of_size.get(len(text), Counter())
            count(texts, text, by)
            # Replaced, not changed: a thread may be going through it.
            others = {size: of_other for size, of_other in of_size.items() if size != len(text)}
            self._texts[kind] = others | {len(text): texts} if texts else others

    def of_words(self, words: list[str]) -> dict[str, list[str]]:
        """Return the anchors of each of these words that some query has."""
        beginnings, ends, parts = (self._texts[kind].items() for kind in ("beginning", "end", "part"))
        found: dict[str, list[str]] = {}
        for word in words:
            of_word = found[word] = [f"{word[:size]}*" for size, texts in beginnings if word[:size] in texts]
            for size, texts in ends:
                if word[-size:] in texts:
                    of_word.append(f"*{word[-size:]}")
            for size, texts in parts:
                for at in range(len(word) - size + 1):
                    if word[at : at + size] in texts:
                        of_word.append(f"/{word[at : at + size]}")
        for word, stem in zip(words, stems(words) if self._stems else (), strict=False):
            if stem in self._stems:
                found[word].append(f"~{stem}")
        return found


def count(counter: Counter[str], text: str, by: int) -> None:
    """Count so many more (or fewer); keep nothing that is counted no more."""
    counter[text] += by
    if not counter[text]:
        del counter[text]
