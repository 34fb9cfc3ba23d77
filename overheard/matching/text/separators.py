"""The signs between two words of a text, in the form in which they are compared."""

import re

from overheard.matching.text.memory import remembered
from overheard.matching.text.scripts import APOSTROPHES, COMMAS, DOTS, HYPHENS

HYPHEN_OR_SPACE = "-"  # what ``between`` of a spelling asks for: one hyphen, or white space
HYPHEN = "\u2010"  # … one hyphen, no white space

_WHITE_SPACE = re.compile(r"\s+")
_PLAIN = str.maketrans({
    **dict.fromkeys(HYPHENS, HYPHEN),
    **dict.fromkeys(APOSTROPHES, "'"),
    **dict.fromkeys(DOTS, "."),
    **dict.fromkeys(COMMAS, ","),
    "：": ":", "／": "/", "＆": "&", "＠": "@", "％": "%", "＃": "#", "＋": "+", "＄": "$", "＿": "_",
})  # fmt: skip


@remembered(1024)  # nearly all are a space
def plain_signs(separator: str) -> str:
    """Return a separator with one form of each sign, and each run of white space as one space."""
    if separator == " ":
        return separator
    return _WHITE_SPACE.sub(" ", separator.translate(_PLAIN))
