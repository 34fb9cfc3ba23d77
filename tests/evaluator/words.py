"""A paragraph read as words, the signs between them, and the further forms in which its words are found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tests.evaluator.folding import (
    APOSTROPHES,
    HYPHENS,
    fold,
    fold_case,
    is_alphanumeric,
    is_emoji,
    is_flag_half,
    is_mark,
    is_there,
    is_unspaced,
)
from tests.evaluator.masking import REST

LONGEST_JOINED = 4  # words


class Char(NamedTuple):
    """A character that is there, and its position in the field's text."""

    char: str
    at: int


class ReadWord(NamedTuple):
    """``written``: its characters that are there. ``accented``: folded, but with its accents."""

    written: str
    folded: str
    accented: str
    start: int
    end: int
    in_link: bool


class Paragraph(NamedTuple):
    """Words side by side, and the characters before, between and behind them: one more than words."""

    field: str
    words: Sequence[ReadWord]
    gaps: Sequence[Sequence[Char]]

    def gap(self, number: int) -> str:
        return "".join(char for char, _ in self.gaps[number])


class Form(NamedTuple):
    """So many words from this one on, found under another form. ``by``: the signs that were left out."""

    length: int
    form: str
    accented: str
    by: str


def read(chars: Sequence[Char], field: str, links: Sequence[tuple[int, int]] = ()) -> Paragraph:
    """Read a paragraph's characters."""
    there = [char for char in chars if is_there(char.char)]
    rests = {char.at for char in chars if char.char == REST}
    words: list[ReadWord] = []
    gaps: list[list[Char]] = [[]]
    at = 0
    while at < len(there):
        length = word_length([char.char for char in there[at:]])
        if not length:
            gaps[-1].append(there[at])
            at += 1
            continue
        written = "".join(char.char for char in there[at : at + length])
        start, end = there[at].at, there[at + length - 1].at + 1
        while end in rests:
            end += 1
        in_link = any(first <= start < last for first, last in links)
        words.append(ReadWord(written, fold(written), fold_case(written), start, end, in_link))
        gaps.append([])
        at += length
    return Paragraph(field, words, gaps)


def word_length(chars: Sequence[str]) -> int:
    """Return how many characters belong to the word that begins here; 0: none begins."""
    if is_emoji(chars[0]):
        return 2 if len(chars) > 1 and is_flag_half(chars[0]) and is_flag_half(chars[1]) else 1
    if not is_alphanumeric(chars[0]):
        return 0
    length = 1
    if is_unspaced(chars[0]):
        while length < len(chars) and is_mark(chars[length]):
            length += 1
        return length
    while length < len(chars):
        char = chars[length]
        of_word = (is_alphanumeric(char) and not is_unspaced(char)) or is_mark(char)
        if not of_word and not is_contraction(chars[length - 1 : length + 2]):
            break
        length += 1
    return length


def is_contraction(three: Sequence[str]) -> bool:
    """Return True for n't: there, the apostrophe belongs to the word."""
    return len(three) == 3 and three[0] in "nN" and three[1] in APOSTROPHES and three[2] in "tT"


def forms(paragraph: Paragraph, at: int) -> list[Form]:
    """Return the forms, other than the word itself, under which the words from this one on are found."""
    first = paragraph.words[at]
    found = []
    form, accented, by = first.folded, first.accented, ""
    for length in range(2, LONGEST_JOINED + 1):
        if at + length > len(paragraph.words):
            break
        left, right = paragraph.words[at + length - 2], paragraph.words[at + length - 1]
        sign = paragraph.gap(at + length - 1)
        if not joins(left.folded, sign, right.folded):
            break
        form, accented, by = (
            form + right.folded,
            accented + right.accented,
            by + kind_of(left.folded, sign, right.folded),
        )
        if not (number_goes_on(paragraph, at) or number_goes_on(paragraph, at + length)):
            found.append(Form(length, form, accented, by))
    if is_version(first.folded) and at + 1 < len(paragraph.words):
        follows = paragraph.words[at + 1].folded
        if paragraph.gap(at + 1) == "." and follows[0].isdigit():
            found.append(Form(1, first.folded[1:], first.accented[1:], ","))
    return found


def joins(left: str, sign: str, right: str) -> bool:
    """Return True if a writer might have left out the sign: one hyphen, dot, apostrophe, or a thousands separator."""
    if len(sign) != 1:
        return False
    if not (left[-1].isdigit() and right[0].isdigit()):
        return sign in HYPHENS or sign in APOSTROPHES or sign == "."
    return is_thousands(left, sign, right)


def number_goes_on(paragraph: Paragraph, at: int) -> bool:
    """Return True if a thousands separator stands before a word: what is before it is a part of the number."""
    if not 0 < at < len(paragraph.words):
        return False
    sign = paragraph.gap(at)
    return len(sign) == 1 and is_thousands(paragraph.words[at - 1].folded, sign, paragraph.words[at].folded)


def is_thousands(left: str, sign: str, right: str) -> bool:
    return (sign == "," or sign in APOSTROPHES) and left.isdigit() and right.isdigit() and len(right) == 3


def kind_of(left: str, sign: str, right: str) -> str:
    """Return the sign for a joint: "-", "." or "'", and "," for one between the digits of a number."""
    if is_thousands(left, sign, right):
        return ","
    return "-" if sign in HYPHENS else "." if sign == "." else "'"


def is_version(word: str) -> bool:
    return len(word) > 1 and word[0] == "v" and word[1:].isdigit()
