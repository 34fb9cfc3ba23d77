"""Further forms under which words of a text are found: `wi-fi` as `wifi`, `1,000` as `1000`, `v2.0` as `2.0`.

The words of a text stay what they are: a variant says that some neighbours may also be read as one word.
"""

import re
from collections.abc import Sequence

from overheard.matching.text.scripts import APOSTROPHES, COMMAS, DOTS, HYPHENS

Variant = tuple[int, int, str]

MAX_JOINED = 4  # words; so a word begins three variants at most

_LETTER_SIGNS = frozenset(HYPHENS + APOSTROPHES + DOTS)
_GROUPING = frozenset(COMMAS + APOSTROPHES)
JOINING = _LETTER_SIGNS | _GROUPING
VERSION = re.compile(r"v\d+")


def variants(words: Sequence[str], separators: Sequence[str]) -> list[Variant]:
    """Return (first word, number of words, form) of each variant, sorted; the arguments are what `read` returns."""
    found: list[Variant] = []
    # Between two words each, by the number of the second one.
    signs = [at for at, separator in enumerate(separators[:-1]) if separator in JOINING and at]
    joins = {at for at in signs if _joins(words[at - 1], separators[at], words[at])}
    groups = {at for at in joins if _is_between_digits(words[at - 1], words[at])}
    for at in signs:
        start = at - 1
        if at in joins:
            form, end = words[start], at
            while end in joins and end < start + MAX_JOINED:
                form += words[end]
                end += 1
                # 1,000,000 is neither a thousand nor nothing at all.
                if start not in groups and end not in groups:
                    found.append((start, end - start, form))
        elif separators[at] in DOTS and VERSION.fullmatch(words[start]):
            found.append((start, 1, words[start][1:]))
    return found


def _joins(left: str, sign: str, right: str) -> bool:
    """Return True if the sign, alone between two words, makes them one word as well."""
    if sign not in JOINING:
        return False
    if _is_between_digits(left, right):
        return sign in _GROUPING and len(right) == 3 and left.isdigit() and right.isdigit()
    return sign in _LETTER_SIGNS


def _is_between_digits(left: str, right: str) -> bool:
    return left[-1].isdigit() and right[0].isdigit()
