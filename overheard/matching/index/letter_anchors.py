"""Anchors that are found in the letters of a word: its beginning (``optim*``), end (``*sql``), stem and parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Literal, TypeVar

from overheard.matching.text.memory import REMEMBERED_CHARS
from overheard.matching.text.stems import stem

REMEMBERED_WORDS = 50_000  # of the stream's frequent words; chosen, not measured

T = TypeVar("T")
_Kind = Literal["beginning", "end", "stem", "part"]
_Shape = tuple[_Kind, int]  # and how many characters
_BY_SIGN: dict[str, _Kind] = {"*": "end", "~": "stem", "/": "part"}


class LetterAnchors:
    """The anchors of this kind that queries have, and which of them a word has.

    Changed under the index's lock; ``of_words`` runs without it.
    """

    def __init__(self) -> None:
        self._anchors: Counter[str] = Counter()
        self._shapes: Counter[_Shape] = Counter()
        # Words without any such anchor, as nearly all are, and those of the others. Both are replaced, never emptied: a
        # thread may be reading them.
        self._plain: set[str] = set()
        self._known: dict[str, Collection[str]] = {}

    @staticmethod
    def is_one(anchor: str) -> bool:
        """Return True for an anchor of this kind."""
        return anchor[-1] == "*" or anchor[0] in _BY_SIGN

    def change(self, anchor: str, by: int) -> None:
        """Count so many more (or fewer) queries with an anchor."""
        # Counted in copies: a thread may be reading them. There are few shapes.
        shapes = self._shapes.copy()
        _count(self._anchors, anchor, by)
        _count(shapes, _shape(anchor), by)
        self._shapes = shapes
        # After the changes: what is noted in the new ones must be true of the new anchors.
        self._plain, self._known = set(), {}

    def of_words(self, words: Collection[str]) -> list[str]:
        """Return the anchors of these words that some query has."""
        found: list[str] = []
        if not self._anchors:
            return found
        plain, known = self._plain, self._known
        if len(plain) + len(known) > REMEMBERED_WORDS:
            plain, known = self._plain, self._known = set(), {}
        for word in set(words) - plain:
            if (anchors := known.get(word)) is None:
                anchors = self._anchors.keys() & _letters(word, self._shapes)
                if len(word) > REMEMBERED_CHARS:
                    pass
                elif anchors:
                    known[word] = anchors
                else:
                    plain.add(word)
            found += anchors
        return found


def _count(counter: Counter[T], key: T, by: int) -> None:
    counter[key] += by
    if not counter[key]:
        del counter[key]


def _shape(anchor: str) -> _Shape:
    if anchor[-1] == "*":
        return "beginning", len(anchor) - 1
    kind = _BY_SIGN[anchor[0]]
    return kind, 0 if kind == "stem" else len(anchor) - 1


def _letters(word: str, shapes: Collection[_Shape]) -> Iterator[str]:
    """Yield every anchor of these shapes that a word may have."""
    for kind, size in shapes:
        match kind:
            case "stem":
                yield f"~{stem(word)}"
            case "beginning":
                yield f"{word[:size]}*"
            case "end":
                yield f"*{word[-size:]}"
            case "part":
                for at in range(len(word) - size + 1):
                    yield f"/{word[at : at + size]}"
