"""Which characters make up words: letters and marks of all scripts, emoji, and what is invisible or a sign of joining.

All are the insides of regular expressions' character classes.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import chain

IGNORED = "\x01"  # where markup was: as if it were not there
# Where the rest of an encoded letter was, as in &eacute;: a variation selector, as it belongs to what is before it.
ENCODED_REST = "\ufe0f"

APOSTROPHES = "'\u2019\u2018\u02bc\u02bb\uff07\u201b\u2032\u00b4"
HYPHENS = "\u2010\u2011\uff0d-"  # the plain one last: elsewhere in a class it would stand for a range
DOTS = ".\uff0e"
COMMAS = ",\uff0c"

# Letters of the scripts that put no space between words; their digits are ordinary word characters.
UNSPACED = (
    "\u0e00-\u0e4f\u0e80-\u0ecf\u0eda-\u0eff"  # Thai, Lao
    "\u1000-\u103f\u104a-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17df"  # Khmer
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7ff\uffa0-\uffdc"  # Hangul
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c"  # ideographic marks and numbers
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"  # kana
    "\u3100-\u312f\u31a0-\u31bf"  # Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
# Vowels and finals of decomposed Hangul, half-width voicing marks: letters that never occur alone.
_ATTACHED = "\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f"

# Invisible characters that say how the one before them looks: variation selectors, skin tones, tags of flags.
MODIFIERS = frozenset(map(chr, chain(range(0xFE00, 0xFE10), range(0x1F3FB, 0x1F400), range(0xE0020, 0xE0080))))
INVISIBLE = (
    f"{IGNORED}\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e"  # soft hyphen, joiners, directions
    "\u2060-\u206f\ufeff\ufe00-\ufe0f\U000e0100-\U000e01ef"  # word joiner, isolates, variation selectors
    "\U0001f3fb-\U0001f3ff\U000e0000-\U000e007f"  # skin tones, tags
)
# Joins emoji into one, or letters where a script is written so.
_JOINERS = "\u200c\u200d"
_JOINED_LETTERS = "\u0600-\u06ff\u0750-\u077f\u08a0-\u0dff"  # Arabic, and the scripts of India
_INVISIBLE_RUN = re.compile(f"[{INVISIBLE}]+")
_VISIBLE_RUN = re.compile(f"[^{INVISIBLE}]+")

_REGIONAL = "\U0001f1e6-\U0001f1ff"  # two of them are a flag
# Without the ornamental quotation marks and brackets, which separate words as their plain forms do.
_PICTURES = (
    "\u231a\u231b\u2328\u23cf\u23e9-\u23f3\u23f8-\u23fa\u2600-\u275a\u2761-\u2767\u2776-\u27bf"
    "\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001faff"
)
_SKIN_TONES = "\U0001f3fb-\U0001f3ff"
# The group is not possessive, for the reason that ``matching/markup/links.py`` gives.
_SHOWN_RUN = re.compile(
    f"(?:[^{INVISIBLE}]++"
    f"|(?<=[{_PICTURES}])[\ufe0f{_SKIN_TONES}]"
    f"|(?<=[{_PICTURES}\ufe0f{_SKIN_TONES}])\u200d(?=[{_PICTURES}])"
    f"|(?<=[{_JOINED_LETTERS}])[{_JOINERS}](?=[{_JOINED_LETTERS}]))+"
)


def visible(text: str) -> str:
    """Return the text without markup and invisible characters."""
    if text.isascii():
        return text.replace(IGNORED, "")
    return _INVISIBLE_RUN.sub("", text)


def visible_runs(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each run of characters that `visible` keeps."""
    return [run.span() for run in _VISIBLE_RUN.finditer(text)]


def shown_runs(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each run of characters that people see, or that make what they see.

    Such as the joiners within a family of emoji, or a Persian word.
    """
    return [run.span() for run in _SHOWN_RUN.finditer(text)]


@cache
def unspaced() -> re.Pattern[str]:
    """Return the pattern for a character of a script without spaces."""
    return re.compile(f"[{UNSPACED}]")


@cache
def emoji() -> re.Pattern[str]:
    """Return the pattern for one emoji, without skin tones and joiners."""
    return re.compile(f"[{_REGIONAL}]{{1,2}}|[{_PICTURES}]")


@cache
def word() -> re.Pattern[str]:
    """Return the pattern for one word in a visible text of any script, as its only group."""
    # Built on first use: reading Unicode's categories takes 20 ms.
    letter = rf"[^\W_{UNSPACED}{APOSTROPHES}{_PICTURES}]"
    # Python's \w excludes combining marks, without which Indic words would fall apart.
    codes = chain(range(0x300, 0x1F000), range(0xE0100, 0xE01F0))
    marks = f"[{_ranges(char for char in map(chr, codes) if unicodedata.category(char) in ('Mn', 'Mc'))}]"
    contraction = rf"(?<=[nN])[{APOSTROPHES}](?=[tT])"
    return re.compile(
        rf"({letter}+(?:(?:{marks}+|{contraction}){letter}*)*"
        rf"|{emoji().pattern}"
        rf"|[^\W_{APOSTROPHES}](?:{marks}|[{_ATTACHED}])*)",  # only unspaced characters reach this branch
    )


def _ranges(chars: Iterable[str]) -> str:
    """Return the inside of a character class for sorted characters, with runs as first-last."""
    runs: list[list[int]] = []
    for code in map(ord, chars):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in runs)
