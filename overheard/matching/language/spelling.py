"""From a word of a query, as written, to the spellings that it finds in texts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import replace

from overheard.matching.markup import address_mask
from overheard.matching.text.folding import fold_keeping_accents
from overheard.matching.text.scripts import APOSTROPHES, visible
from overheard.matching.text.separators import HYPHEN, HYPHEN_OR_SPACE, plain_signs
from overheard.matching.text.symbols import symbols_of
from overheard.matching.text.variants import VERSION, variants
from overheard.matching.text.words import read, spans
from overheard.matching.tree import Spelling, Variation, Word

_CURLY = re.compile(f"[{APOSTROPHES}]")
_POSSESSIVE = ("'", "s")
# it's is it is: "it" would be another word, and found nearly everywhere.
_CONTRACTED = frozenset(
    ("he", "here", "how", "it", "let", "she", "that", "there", "this", "what", "when", "where", "who")
)
NO_SYMBOLS = ("", "")


def spell(chunk: str, exact: Collection[Variation] = ()) -> Word:
    """Return the word for a chunk of a query: text without white space. Raise ValueError if it has no word at all.

    ``exact``: the variations that are switched off.
    """
    if chunk.isascii() and chunk.isalnum() and not exact:  # nearly always
        # One text in the memory for the query and its word, where they are equal.
        return Word((Spelling((chunk if chunk.islower() else chunk.lower(),)),))
    chunk = _as_read(chunk)
    words, separators = read(chunk)
    if not words:
        raise ValueError("no word")
    return Word(tuple(dict.fromkeys(_spellings(chunk, words, separators, exact))))


def spell_exactly(text: str) -> Word:
    """Return the word for ``=text`` or ``="text"``: found only as it is written. Raise ValueError as ``spell``."""
    text = _as_read(text)
    words, separators = read(text)
    if not words:
        raise ValueError("no word")
    between = tuple(map(plain_signs, separators[1:-1]))
    symbols = _symbols(words, separators)
    originals = tuple(literal(text[start:end]) for start, end in spans(text))
    return Word((Spelling(tuple(words), between, symbols, joinable=False, originals=originals),))


def _as_read(written: str) -> str:
    """Return what texts say where a query has this: an address, copied from a browser, may contain %20."""
    return visible(address_mask(written)) if "%" in written and "://" in written else written


def literal(original: str) -> str:
    """Return a word of a text in the form that is compared where case and accents count."""
    seen = _CURLY.sub("'", visible(original))  # of don’t
    return seen if seen.isascii() else unicodedata.normalize("NFC", seen)


def _spellings(chunk: str, words: list[str], separators: list[str], exact: Collection[Variation]) -> Iterator[Spelling]:
    signs = [plain_signs(separator) for separator in separators[1:-1]]
    symbols = _symbols(words, separators)
    originals: tuple[str, ...] = ()
    if "accents" in exact:
        originals = tuple(fold_keeping_accents(visible(chunk[start:end])) for start, end in spans(chunk))
    accented = bool(originals)

    joined = _joined(words, separators, signs, exact) if len(words) > 1 else None
    if joined and joined.isdigit():
        # 1,000 is the number 1000, and found as that: not in 1,000,000.
        yield _one_word(joined, symbols, ("".join(originals),) * accented, any_case=accented)
        return
    between = tuple(_required(sign, exact) for sign in signs)
    plain = Spelling(
        tuple(words),
        between if any(one is not None for one in between) else (),
        symbols,
        originals=originals,
        any_case=accented,
    )
    yield plain
    if len(words) == 1:
        return
    if joined:
        acronym = all(len(word) == 1 for word in words) and set(signs) == {"."}
        if acronym:
            yield _one_word(joined, symbols, (joined.upper(),), joinable=False)
        else:
            yield _one_word(joined, symbols, ("".join(originals),) * accented, joinable=False, any_case=accented)
    if "numbers" not in exact and VERSION.fullmatch(words[0]) and signs[0] == "." and words[1][0].isdigit():
        kept = (originals[0][1:], *originals[1:]) if accented else ()
        yield replace(plain, words=(words[0][1:], *words[1:]), originals=kept)
    if "possessives" not in exact and (signs[-1], words[-1]) == _POSSESSIVE and words[-2] not in _CONTRACTED:
        owner = chunk[: spans(chunk)[-2][1]]
        yield from _spellings(owner, words[:-1], [*separators[:-2], separators[-1]], exact)


def _one_word(
    word: str,
    symbols: tuple[tuple[str, str], ...],
    originals: tuple[str, ...],
    *,
    joinable: bool = True,
    any_case: bool = False,
) -> Spelling:
    """Return the spelling as one word, with the symbols of the words that it joins."""
    around = ((symbols[0][0], symbols[-1][1]),) if symbols else ()
    return Spelling((word,), (), around, joinable, originals, any_case)


def _required(sign: str, exact: Collection[Variation]) -> str | None:
    if not sign:
        return None  # characters of a script without spaces, or emoji
    if sign == HYPHEN:
        return HYPHEN if "hyphens" in exact else HYPHEN_OR_SPACE
    return sign


_JOINED_BY: dict[str, Variation] = {HYPHEN: "hyphens", ".": "dots", "'": "apostrophes", ",": "numbers"}


def joined_by(signs: Collection[str], number: bool) -> set[Variation]:
    """Return the variations by which words with these plain signs between them are joined."""
    return {"numbers"} if number else {_JOINED_BY[sign] for sign in signs if sign in _JOINED_BY}


def _joined(words: list[str], separators: list[str], signs: list[str], exact: Collection[Variation]) -> str | None:
    """Return all the words as one, as the text may write them, or None."""
    whole = [form for start, length, form in variants(words, separators) if (start, length) == (0, len(words))]
    if not whole or joined_by(signs, whole[0].isdigit()) & set(exact):
        return None
    return whole[0]


def _symbols(words: list[str], separators: list[str]) -> tuple[tuple[str, str], ...]:
    """Return the symbols before the first word and after the last; () if there are none.

    Symbols between two words are part of what separates them.
    """
    count = len(words)
    before = symbols_of(separators[0], "")[0]
    left, previous = (separators[-2], words[-2]) if count > 1 else ("", "")
    behind = symbols_of(left, separators[-1], previous)[1]
    if not (before or behind):
        return ()
    if count == 1:
        return ((before, behind),)
    return ((before, ""), *[NO_SYMBOLS] * (count - 2), ("", behind))
