"""Further forms under which words of a text are found: `wi-fi` as `wifi`, `1,000` as `1000`, `v2.0` as `2.0`.

The words of a text stay what they are: a variant says that some neighbours may also be read as one word.
"""

import re
from collections.abc import Sequence

from overheard.matching.scripts import APOSTROPHES, COMMAS, DOTS, HYPHENS

Variant = tuple[int, int, str]

MAX_JOINED = 4  # words; so a word begins three variants at most

_LETTER_SIGNS = frozenset(HYPHENS + APOSTROPHES + DOTS)
_GROUPING = frozenset(COMMAS + APOSTROPHES)
_DOTS = frozenset(DOTS)
JOINING = _LETTER_SIGNS | _GROUPING  # the separators of words that have a variant
_VERSION = re.compile("v[0-9]+")


def variants(words: Sequence[str], separators: Sequence[str]) -> list[Variant]:
    """Return (first word, number of words, form) of each variant, sorted; the arguments are what `read` returns."""
    found: list[Variant] = []
    # Few separators of a text are such signs: only the words before these are looked at.
    signed = [at for at, separator in enumerate(separators) if separator in JOINING and 0 < at < len(words)]
    joined = {at for at in signed if _joins(words[at - 1], separators[at], words[at])}
    for at in signed:
        if at in joined:
            form, end = words[at - 1], at
            while end in joined and end < at - 1 + MAX_JOINED:
                form += words[end]
                end += 1
                found.append((at - 1, end - at + 1, form))
        elif _is_version(words, separators, at - 1):
            found.append((at - 1, 1, words[at - 1][1:]))
    return found


def _joins(left: str, sign: str, right: str) -> bool:
    """Return True if the sign, alone between two words, makes them one word as well."""
    if left[-1].isdigit() and right[0].isdigit():
        return sign in _GROUPING and len(right) == 3 and left.isdigit() and right.isdigit()
    return sign in _LETTER_SIGNS


def _is_version(words: Sequence[str], separators: Sequence[str], at: int) -> bool:
    """Return True for the v2 of v2.0."""
    following = at + 1
    return (
        following < len(words)
        and separators[following] in _DOTS
        and words[following][0].isdigit()
        and _VERSION.fullmatch(words[at]) is not None
    )
