"""The beginning of a word (optimi*), its end (*sql), and its stem (~monitor)."""

from __future__ import annotations

from overheard.matching.text.stems import stem
from overheard.matching.text.words import read, spans
from overheard.matching.tree import Affix, Stem

MIN_AFFIX_CHARACTERS = 3  # fewer would begin, or end, too many words


def affix(word: str) -> Affix | None:
    """Return what a word with a * stands for; None if it is not the beginning or the end of one word."""
    at_end = word.startswith("*")
    part = _one_word(word[1:] if at_end else word.removesuffix("*"))
    return Affix(part, at_end) if len(part) >= MIN_AFFIX_CHARACTERS else None


def stemmed(word: str) -> Stem | None:
    """Return what a word with a ~ in front stands for; None if it is not one word."""
    part = _one_word(word.removeprefix("~"))
    return Stem(stem(part)) if part and not part.isdigit() else None


def has_form(word: str) -> bool:
    """Return True for a word of a query that stands for many: the index has to look for each of them."""
    return "*" in word or word.startswith("~")


def _one_word(text: str) -> str:
    """Return a text folded if it is exactly one word, without any sign; "" otherwise."""
    return read(text)[0][0] if spans(text) == [(0, len(text))] else ""
