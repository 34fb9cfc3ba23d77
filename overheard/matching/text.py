"""From text to words: what a word is, when two spellings are the same word, and where each word is in the text.

| in the text                         | rule                                                              |
|-------------------------------------|-------------------------------------------------------------------|
| `Acme`, `ACME`, `ａｃｍｅ`, `straße`    | case, width, ligatures don't count: NFKC, casefold (`ß` = `ss`) |
| `é` as one or two code points       | the same; but accents count: `cafe` does not find `café`          |
| `İ`, `I`, `ı`, `i`                  | one letter: Turkish and other text share one index                |
| soft hyphen, ZWJ, variation selector | invisible inside a word: ignored                                 |
| `foo-bar`, `foo_bar`, `foo/bar`     | two words; the query word `foo-bar` is the phrase `"foo bar"`     |
| `node.js`, `acme.com`, `me@acme.io` | likewise `node js`, `acme com`, `me acme io`; so for whole URLs   |
| `Acme's`, `l’Oréal`, `O'Reilly`     | an apostrophe (' ’ ‘ ʼ ʻ) separates: `acme` finds `Acme's`        |
| `don't`, `don’t`                    | … except in n't, where it is dropped: `dont`; `don` finds neither |
| `C++`, `C#`, `A+`                   | `+` and `#` right behind a word: must be there if the query has   |
|                                     | them; `C++` finds neither `C` nor `C#`, but `C` finds all three   |
| `.NET`, `#tag`, `@name`, `$TSLA`    | `.` `#` `@` `$` where a word starts: likewise                     |
| `東京タワー`, `ไทย`, `한국어`           | no spaces: each character with its marks is a word,       |
|                                     | a query word is a phrase of them, found inside running text       |
| `!` `…` `™` emoji, all else         | separates, and is otherwise ignored                               |

Scripts that are read character by character: Han, kana, Bopomofo, Hangul (particles are attached to the noun), Thai,
Lao, Khmer, Myanmar. All positions are code points of the original text, even where folding changes its length.
"""

import re
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import chain

Span = tuple[int, int]

_APOSTROPHES = "'\u2019\u2018\u02bc\u02bb\uff07"
# Letters of the scripts that put no space between words; their digits are ordinary word characters.
_UNSPACED = (
    "\u0e00-\u0e4f\u0e80-\u0ecf\u0eda-\u0eff"  # Thai, Lao
    "\u1000-\u103f\u104a-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17df"  # Khmer
    "\u1100-\u11ff\u3131-\u318e\ua960-\ua97f\uac00-\ud7ff\uffa0-\uffdc"  # Hangul
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c"  # ideographic marks and numbers
    "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"  # kana
    "\u3100-\u312f\u31a0-\u31bf"  # Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_INVISIBLE = (
    "\u00ad\u034f\u061c\u180b-\u180f\u200c-\u200f\u202a-\u202e"  # soft hyphen, joiners, directions
    "\u2060-\u2064\ufeff\ufe00-\ufe0f\U000e0100-\U000e01ef"  # word joiner, variation selectors
)
# Vowels and finals of decomposed Hangul, half-width voicing marks: letters that never occur alone.
_ATTACHED = "\u1160-\u11ff\ud7b0-\ud7fb\uff9e\uff9f"
_DROPPED = re.compile(f"[{_INVISIBLE}{_APOSTROPHES}]+")

_ASCII_SPAN = re.compile(r"[A-Za-z0-9]+(?:(?<=[nN])'(?=[tT])[A-Za-z0-9]+)*")
_ASCII_SPACED = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))

# Full-width forms, too, as Japanese and Chinese input methods write them.
_BEFORE = {symbol: symbol for symbol in "#@$."} | {"＃": "#", "＠": "@", "＄": "$", "．": "."}
# Reddit's editor writes C\# and C\+\+ for what its user typed as C# and C++.
_BEHIND = re.compile(r"(?:\\?[+#＋＃])+")
_BEHIND_PLAIN = str.maketrans("＋＃", "+#", "\\")


def words(text: str) -> list[str]:
    """Return the folded words of a text in reading order, one for each of `spans(text)`."""
    if not text.isascii():
        text = text.replace("\u2019", "'")  # often the only such character: without it the text may take the fast path
        if not text.isascii():
            return [_fold_cached(word) for word in _pattern().findall(text)]
    # Four passes in C take a third of the time of findall, which builds its words one by one.
    return text.lower().replace("n't", "nt").translate(_ASCII_SPACED).split()


def spans(text: str) -> list[Span]:
    """Return the (start, end) of each of `words(text)`, in code points of the text."""
    plain = text.replace("\u2019", "'")
    pattern = _ASCII_SPAN if plain.isascii() else _pattern()
    return [match.span() for match in pattern.finditer(plain)]


def word_count(folded: Sequence[str]) -> int:
    """Count words for a limit: two characters of a script without spaces count as one word."""
    unspaced = sum(_unspaced().match(word) is not None for word in folded)
    return len(folded) - unspaced + (unspaced + 1) // 2


def affixes(text: str, span: Span) -> tuple[str, str]:
    """Return the symbols before and behind a word, "" for none: ("", "++"), (".", "")."""
    start, end = span
    before = _BEFORE.get(text[start - 1], "") if start else ""
    if before and start > 1:
        further = text[start - 2]
        # me@acme, slashdot.net, page#part and ...word do not contain @acme, .net, #part and .word.
        if further.isalnum() or further == "_" or _BEFORE.get(further) == before:
            before = ""
    behind = _BEHIND.match(text, end)
    return before, behind[0].translate(_BEHIND_PLAIN) if behind else ""


def widened(text: str, span: Span, before: str, behind: str) -> Span:
    """Return the span widened by the symbols that `affixes` found there, as the text writes them."""
    match = _BEHIND.match(text, span[1]) if behind else None
    return span[0] - len(before), match.end() if match else span[1]


def fold(word: str) -> str:
    """Return a word in the form in which words are compared. Never empty for a word that `spans` found."""
    if word.isascii() and word.isalnum():
        return word.lower()
    caseless = unicodedata.normalize("NFKC", _DROPPED.sub("", word)).casefold()
    # Casefolding leaves İ as i with a combining dot, and ı as it is. It can also undo the composition: NFKC again.
    folded = unicodedata.normalize("NFKC", caseless.replace("i\u0307", "i").replace("ı", "i"))
    # Some compatibility forms expand to punctuation or spaces: ½ is 1⁄2, ⑴ is (1).
    kept = "".join(char for char in folded if char.isalnum() or unicodedata.category(char)[0] == "M")
    # Not empty: the empty word is the gap between two fields (document.py).
    return _DROPPED.sub("", kept) or word


# Bounded, because the words come from texts of strangers. The size is chosen, not measured.
_fold_cached = lru_cache(maxsize=16_384)(fold)


@cache
def _unspaced() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


@cache
def _pattern() -> re.Pattern[str]:
    """Return the pattern for one word of any script. Built on first use: reading Unicode's categories takes 20 ms."""
    letter = rf"[^\W_{_UNSPACED}{_APOSTROPHES}]"
    # Python's \w excludes combining marks, without which Indic words would fall apart.
    codes = chain(range(0x300, 0x1F000), range(0xE0100, 0xE01F0))
    marks = "".join(char for char in map(chr, codes) if unicodedata.category(char) in ("Mn", "Mc"))
    joined = f"[{_ranges(marks)}{_INVISIBLE}]"
    contraction = rf"(?<=[nN])[{_APOSTROPHES}](?=[tT])"
    return re.compile(
        rf"{letter}+(?:(?:{joined}+|{contraction}){letter}*)*"
        rf"|[^\W_{_APOSTROPHES}](?:{joined}|[{_ATTACHED}])*",  # only unspaced characters reach this branch
    )


def _ranges(chars: str) -> str:
    """Return the inside of a character class for sorted characters, with runs as first-last."""
    runs: list[list[int]] = []
    for code in map(ord, chars):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in runs)


def intern_all(folded: list[str]) -> tuple[str, ...]:
    """Return the same words, each kept in memory once for all queries that contain it."""
    return tuple(map(sys.intern, folded))
