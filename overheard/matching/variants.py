"""Further forms under which words of a text are found: `wi-fi` as `wifi`, `1,000` as `1000`, `v2.0` as `2.0`.

The words of a text stay what they are: a variant says that some neighbours may also be read as one word.
"""

import re
from collections.abc import Sequence

from overheard.matching.scripts import APOSTROPHES, COMMAS, DOTS, HYPHENS

Variant = tuple[int, int, str]

MAX_JOINED = 4  # words; so a word begins three variants at most

_JOINING = frozenset(HYPHENS + APOSTROPHES + DOTS)
_GROUPING = frozenset(COMMAS + APOSTROPHES)
_DOTS = frozenset(DOTS)
_SIGNS = _JOINING | _GROUPING
_VERSION = re.compile("v[0-9]+")


def variants(words: Sequence[str], separators: Sequence[str]) -> list[Variant]:
    """Return (first word, number of words, form) of each variant, sorted; the arguments are what `read` returns."""
    found: list[Variant] = []
    joined = [False, *map(_joins, words, separators[1:-1], words[1:]), False]
    for start, word in enumerate(words):
        if joined[start + 1]:
            form, end = word, start + 1
            while joined[end] and end < start + MAX_JOINED:
                form += words[end]
                end += 1
                found.append((start, end - start, form))
        elif _is_version(words, separators, start):
            found.append((start, 1, word[1:]))
    return found


def _joins(left: str, sign: str, right: str) -> bool:
    """Return True if the sign, alone between two words, makes them one word as well."""
    if sign not in _SIGNS:
        return False
    if left[-1].isdigit() and right[0].isdigit():
        return sign in _GROUPING and len(right) == 3 and left.isdigit() and right.isdigit()
    return sign in _JOINING


def _is_version(words: Sequence[str], separators: Sequence[str], at: int) -> bool:
    """Return True for the v2 of v2.0."""
    following = at + 1
    return (
        following < len(words)
        and separators[following] in _DOTS
        and words[following][0].isdigit()
        and _VERSION.fullmatch(words[at]) is not None
    )
