"""Where one spelling of a word of a query occurs."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import NamedTuple

from overheard.matching.tree import Spelling
from tests.evaluator.folding import APOSTROPHES, HYPHENS
from tests.evaluator.words import Paragraph, forms

FIRST_SIGNS = "@#$."
LAST_SIGNS = "+#%"
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
        and reads(spelling, paragraph, place)
    ]


def stretches(spelling: Spelling, paragraph: Paragraph, first: int, exact: Collection[str]) -> list[int]:
    """Return where the words of a spelling end that begin at this word."""
    words = paragraph.words
    length = len(spelling.words)
    ends = []
    if first + length <= len(words) and all(
        is_word(paragraph, first + number, wanted, exact if number == 0 else {"numbers"})
        for number, wanted in enumerate(spelling.words)
    ):
        gaps = [paragraph.gap(first + number + 1) for number in range(length - 1)]
        if not spelling.between or all(map(separates, spelling.between, gaps)):
            ends.append(first + length)
    if length == 1 and spelling.joinable:
        for form in forms(paragraph, first):
            if form.form == spelling.words[0] and is_allowed(form.by, exact) and first + form.length not in ends:
                ends.append(first + form.length)
    return ends


def is_word(paragraph: Paragraph, at: int, wanted: str, exact: Collection[str]) -> bool:
    """Return True for this word, and for the v2 of v2.0 where 2 is wanted."""
    if paragraph.words[at].folded == wanted:
        return True
    versions = [form.form for form in forms(paragraph, at) if form.length == 1]
    return wanted in versions and "numbers" not in exact


def is_allowed(by: str, exact: Collection[str]) -> bool:
    return not any(SWITCHES[sign] in exact for sign in by)


def separates(wanted: str | None, gap: str) -> bool:
    """Return True if what stands between two words is what a spelling wants there."""
    if wanted is None:
        return True
    if wanted == "-":
        return is_one_of(gap, HYPHENS) or (gap != "" and gap.isspace())
    if wanted == "'":
        return is_one_of(gap, APOSTROPHES)
    return gap == wanted


def is_one_of(gap: str, signs: str) -> bool:
    return len(gap) == 1 and gap in signs


def place_with_signs(spelling: Spelling, paragraph: Paragraph, first: int, last: int) -> Place | None:
    """Return the place, widened by the signs that the spelling wants around its words; None without one of them."""
    start, end = paragraph.words[first].start, paragraph.words[last - 1].end
    for number, (before, behind) in enumerate(spelling.affixes):
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
            end = paragraph.gaps[last][len(behind) - 1].at + 1
    return Place(first, last, start, end)


def sign_before(paragraph: Paragraph, at: int) -> str:
    """Return the @ # $ or . at which a word begins: me@acme, slashdot.net and ...word have none."""
    gap = paragraph.gap(at)
    if not gap or gap[-1] not in FIRST_SIGNS:
        return ""
    further = gap[-2:-1] or (paragraph.words[at - 1].written[-1] if at else "")
    return "" if further and (further.isalnum() or further == "_" or further == gap[-1]) else gap[-1]


def signs_behind(paragraph: Paragraph, at: int) -> str:
    """Return the run of + # % right behind a word."""
    signs = ""
    for char in paragraph.gap(at + 1):
        if char not in LAST_SIGNS:
            break
        signs += char
    return signs


def is_apart(spelling: Spelling, paragraph: Paragraph, first: int, last: int) -> bool:
    """Return True unless a dotted name or number is only a part of a longer one."""
    return "." not in spelling.between or has_borders(paragraph, first, last)


def has_borders(paragraph: Paragraph, first: int, last: int) -> bool:
    words = paragraph.words
    before, behind = paragraph.gap(first), paragraph.gap(last)
    if first and words[first].folded[0].isdigit():
        if is_one_of(before, ".,:") and words[first - 1].folded[-1].isdigit():
            return False
    elif first and is_one_of(before, HYPHENS):
        return False
    return not (last < len(words) and behind == "." and words[last].folded[0].isalpha())


def reads(spelling: Spelling, paragraph: Paragraph, place: Place) -> bool:
    """Return True if the text says what the spelling was written as, where that counts."""
    if not spelling.original:
        return True
    said = "".join(
        text
        for number in range(place.first, place.last + 1)
        for text in (
            signs_within(paragraph, number, place),
            paragraph.words[number].written if number < place.last else "",
        )
    )
    if spelling.any_case:
        return comparable(said) == comparable(spelling.original)
    return said == spelling.original


def signs_within(paragraph: Paragraph, gap: int, place: Place) -> str:
    """Return the part of a gap that belongs to a place, white space as one space."""
    signs = ""
    for char, at in paragraph.gaps[gap]:
        if place.start <= at < place.end and not (char.isspace() and signs.endswith(" ")):
            signs += " " if char.isspace() else char
    return signs


def comparable(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
