"""Where one spelling of a word of a query occurs."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from overheard.matching.tree import Spelling
from tests.evaluator.folding import APOSTROPHES, HYPHENS, fold_case, is_mark
from tests.evaluator.words import Paragraph, forms

FIRST_SIGNS = "@#$."
# The sign that a form leaves out, and the variation that must not be switched off for it.
SWITCHES = {"-": "hyphens", ".": "dots", "'": "apostrophes", ",": "numbers"}


class Place(NamedTuple):
    """Words first … last - 1 of a paragraph, and the code points that they cover with the signs asked for."""

    first: int
    last: int
    start: int
    end: int


def places_of(spelling: Spelling, paragraph: Paragraph, exact: Collection[str]) -> list[Place]:
    """Return all places of a spelling in a paragraph."""
    return [
        place
        for first in range(len(paragraph.words))
        for last in stretches(spelling, paragraph, first, exact)
        if (place := place_with_signs(spelling, paragraph, first, last)) is not None
        and is_apart(spelling, paragraph, first, last)
    ]


def stretches(spelling: Spelling, paragraph: Paragraph, first: int, exact: Collection[str]) -> list[int]:
    """Return where the words of a spelling end that begin at this word."""
    length = len(spelling.words)
    ends = []
    if first + length <= len(paragraph.words) and all(
        is_word(spelling, number, paragraph, first + number, exact) for number in range(length)
    ):
        gaps = [paragraph.gap(first + number + 1) for number in range(length - 1)]
        if not spelling.between or all(map(separates, spelling.between, gaps)):
            ends.append(first + length)
    if length == 1 and spelling.joinable:
        for form in forms(paragraph, first):
            written = "".join(word.written for word in paragraph.words[first : first + form.length])
            if form.length > 1 and form.form == spelling.words[0] and is_allowed(form.by, exact):
                ends += [first + form.length] if says(spelling, 0, written) else []
    return ends


def is_word(spelling: Spelling, number: int, paragraph: Paragraph, at: int, exact: Collection[str]) -> bool:
    """Return True for this word, and for the v2 of v2.0 where 2 is wanted."""
    word, wanted = paragraph.words[at], spelling.words[number]
    if word.folded == wanted and says(spelling, number, word.written):
        return True
    if not spelling.joinable or "numbers" in exact:
        return False
    return any(
        form.length == 1 and form.form == wanted and says(spelling, number, word.written[1:])
        for form in forms(paragraph, at)
    )


def says(spelling: Spelling, number: int, written: str) -> bool:
    """Return True if the text says what the query wrote, where that counts."""
    if not spelling.originals:
        return True
    said = fold_case(written) if spelling.any_case else unicodedata.normalize("NFC", written)
    return plain_gap(said) == spelling.originals[number]


def is_allowed(by: str, exact: Collection[str]) -> bool:
    return not any(SWITCHES[sign] in exact for sign in by)


def separates(wanted: str | None, gap: str) -> bool:
    """Return True if what stands between two words is what a spelling wants there."""
    if wanted is None:
        return True
    if wanted == "-":
        return is_one_of(gap, HYPHENS) or is_space(gap)
    if wanted == "\u2010":
        return is_one_of(gap, HYPHENS)
    return plain_gap(gap) == wanted


def is_space(gap: str) -> bool:
    return gap != "" and gap.isspace()


def plain_gap(gap: str) -> str:
    """Return the signs between two words with one form of apostrophe and hyphen, and white space as one space."""
    signs = ""
    for char in gap:
        if char.isspace():
            signs += "" if signs.endswith(" ") else " "
        else:
            signs += "'" if char in APOSTROPHES else "\u2010" if char in HYPHENS else char
    return signs


def is_one_of(gap: str, signs: str) -> bool:
    return len(gap) == 1 and gap in signs


def place_with_signs(spelling: Spelling, paragraph: Paragraph, first: int, last: int) -> Place | None:
    """Return the place, widened by the signs that the spelling wants around its words; None without one of them."""
    start, end = paragraph.words[first].start, paragraph.words[last - 1].end
    for number, (before, behind) in enumerate(spelling.symbols):
        # A single word may be found as several; what stands behind it stands behind the last one.
        one = first + number
        other = last - 1 if len(spelling.words) == 1 else one
        if before and sign_before(paragraph, one) != before:
            return None
        if behind and signs_behind(paragraph, other) != behind:
            return None
        if before and number == 0:
            start = paragraph.gaps[first][-1].at
        if behind and number == len(spelling.words) - 1:
            end = paragraph.gaps[last][len(behind.lstrip(".")) - 1].at + 1
    return Place(first, last, start, end)


def sign_before(paragraph: Paragraph, at: int) -> str:
    """Return the @ # $ or . at which a word begins: me@acme, slashdot.net and ...word have none."""
    gap = paragraph.gap(at)
    if not gap or gap[-1] not in FIRST_SIGNS:
        return ""
    further = gap[-2:-1] or (paragraph.words[at - 1].written[-1] if at else "")
    of_word = further and (further.isalnum() or is_mark(further) or further == "_")
    return "" if of_word or further == gap[-1] else gap[-1]


def signs_behind(paragraph: Paragraph, at: int) -> str:
    """Return the run of + and # right behind a word, or the % there: .% behind decimals."""
    gap = paragraph.gap(at + 1)
    if gap.startswith("%"):
        decimals = at > 0 and paragraph.gap(at) == "." and paragraph.words[at - 1].folded[-1].isdigit()
        return ".%" if decimals else "%"
    signs = ""
    for char in gap:
        if char not in "+#":
            break
        signs += char
    return signs


def is_apart(spelling: Spelling, paragraph: Paragraph, first: int, last: int) -> bool:
    """Return True unless a dotted name or number is only a part of a longer one."""
    return "." not in spelling.between or (begins(paragraph, first) and ends(paragraph, last))


def begins(paragraph: Paragraph, first: int) -> bool:
    """Return True if a dotted name or number can begin here."""
    if not first:
        return True
    before = paragraph.gap(first)
    if paragraph.words[first].folded[0].isdigit():
        return not (is_one_of(before, ".,:") and paragraph.words[first - 1].folded[-1].isdigit())
    return not is_one_of(before, HYPHENS)


def ends(paragraph: Paragraph, last: int) -> bool:
    """Return True if a dotted name or number can end before this word."""
    return not (
        last < len(paragraph.words) and paragraph.gap(last) == "." and paragraph.words[last].folded[0].isalpha()
    )
