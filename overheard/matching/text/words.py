"""From text to words: what a word is, when two spellings are the same word, and where each word is in the text.

| in the text                         | rule                                                              |
|-------------------------------------|-------------------------------------------------------------------|
| `Acme`, `ACME`, `ａｃｍｅ`, `straße`    | case, width, ligatures don't count: NFKC, casefold (`ß` = `ss`) |
| `café`, `Łódź`, `Ωμέγα`             | nor do accents on Latin and Greek letters: `cafe`, `lodz`, `ωμεγα`; |
|                                     | also `œ` = `oe`, `æ` = `ae`, `ð` = `d`, `þ` = `th`                |
| `й`, `ї`, `が`                       | elsewhere they make another letter and count; but `ё` = `е`       |
| `ς`                                 | = `σ`                                                             |
| tatweel, harakat, `أ` `إ` `آ` `ٱ`    | Arabic: ignored, and = `ا`; Hebrew niqqud: ignored                |
| `ى` `ی`, `ک`, `ة`                    | = `ي`, `ك`, `ه`: ends of words, and keyboards, differ             |
| `İ`, `I`, `ı`, `i`                  | one letter: Turkish and other text share one index                |
| markup, soft hyphen, U+200B, ZWJ …  | invisible, inside a word, too: ignored (scripts.py lists them)    |
| `foo-bar`, `foo_bar`, `foo/bar`     | two words                                                         |
| `node.js`, `acme.com`, `me@acme.io` | likewise `node js`, `acme com`, `me acme io`; so for whole URLs   |
| `Acme's`, `l’Oréal`, `O'Reilly`     | an apostrophe (' ’ ‘ ʼ ʻ ′ ´) separates: `acme` finds `Acme's`    |
| `don't`, `don’t`                    | … except in n't, where it is dropped: `dont`; `don` finds neither |
| `wi-fi`, `node.js`, `O'Reilly`      | one hyphen, dot or apostrophe: found as one word, too: `wifi`,    |
|                                     | `nodejs`, `oreilly` (variants.py), up to four words: `U.S.A.`     |
| `3.11`, `24-7`                      | … but not between two digits                                      |
| `1,000`, `1'000`                    | digits, and exactly three: found as `1000`, too; `1,000,000` not  |
| `v2.0`                              | found as `2.0`, too                                               |
| `C++`, `C#`, `A+`, `100%`           | `+` `#` `%` right after a word: must be there if the query has    |
|                                     | them; `C++` finds neither `C` nor `C#`, but `C` finds all three   |
| `.NET`, `#tag`, `@name`, `$TSLA`    | `.` `#` `@` `$` where a word starts: likewise (symbols.py)        |
| `東京タワー`, `ไทย`, `한국어`           | no spaces: each character with its marks is a word,       |
|                                     | a query word is a phrase of them, found inside running text       |
| `🚀🚀`, `👩‍💻`, `👍🏽`, `🇩🇪`, `1️⃣`      | each emoji is a word, without skin tone; a flag is one; a keycap is |
|                                     | its digit: `🚀` `🚀`, `👩` `💻`, `👍`, `🇩🇪`, `1`                    |
| `!` `…` `™` `©` `®`, all else       | separates, and is otherwise ignored                               |

Scripts that are read character by character: Han, kana, Bopomofo, Hangul (particles are attached to the noun), Thai,
Lao, Khmer, Myanmar. All positions are code points of the original text, even where folding changes its length.

A text is *masked*: where it has markup, it has as many IGNORED or BREAK instead, so that positions stay.
"""

import re
from collections.abc import Sequence
from itertools import accumulate

from overheard.matching.text.folding import fold_cached
from overheard.matching.text.scripts import MODIFIERS, unspaced, visible, word
from overheard.matching.text.visible_text import VisibleText, visible_text

Span = tuple[int, int]

_ASCII_WORD = re.compile("([a-z0-9]+)")


def read(masked: str) -> tuple[list[str], list[str]]:
    """Return the folded words of a text in reading order, and what separates them.

    The separators are the text before the first word, between each two, and after the last one: one more than words.
    Neither has markup or invisible characters in it.
    """
    text = visible(masked)
    if text.isascii():
        # In separators nothing has a case, and n't is always inside a word.
        parts = _ASCII_WORD.split(text.lower().replace("n't", "nt"))
        return parts[1::2], parts[::2]
    parts = word().split(text)
    return list(map(fold_cached, parts[1::2])), parts[::2]


def spans(masked: str) -> list[Span]:
    """Return the (start, end) of each word of `read(masked)`, in code points of the text."""
    seen = visible_text(masked)
    return [original_span(masked, seen, span) for span in visible_spans(seen.text)]


def visible_spans(text: str) -> list[Span]:
    """Return the spans of the words of a visible text."""
    if text.isascii():
        # As in `read`, but with a letter for the apostrophe, so that positions stay.
        ends = list(accumulate(map(len, _ASCII_WORD.split(text.lower().replace("n't", "nnt")))))
        return list(zip(ends[:-1:2], ends[1::2], strict=True))
    return [match.span() for match in word().finditer(text)]


def original_span(masked: str, seen: VisibleText, span: Span) -> Span:
    """Return the span in a masked text of a word of what is visible of it; a word takes its skin tone with it."""
    start, end = span
    end = seen.origin(end - 1) + 1
    while end < len(masked) and masked[end] in MODIFIERS:
        end += 1
    return seen.origin(start), end


def word_count(folded: Sequence[str]) -> int:
    """Count words for a limit: two characters of a script without spaces count as one word."""
    unspaced_count = sum(map(is_unspaced, folded))
    return len(folded) - unspaced_count + (unspaced_count + 1) // 2


def is_unspaced(folded: str) -> bool:
    """Return True for a character of a script without spaces."""
    return unspaced().match(folded) is not None
