"""What the index looks up for a text: its words, their variants, and all pairs of neighbours of these.

This is the hot path: each item goes through it, and most match nothing. So it does not call `read`. The text is cut
into *tokens* at everything that is neither a character of a word nor one of the signs of variants. Nearly all tokens
are then plain words; the others (`wi-fi`, `it's`, `café`, `🚀`) are read as texts of their own, and often remembered.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

from overheard.matching.scripts import IGNORED
from overheard.matching.text import read
from overheard.matching.variants import variants

Pair = tuple[str, str]

_JOINING = "-'.,"
# All bytes beyond ASCII stay: these are read token by token.
_TO_TOKENS = bytes(
    code if code > 127 else ord(chr(code).lower() if chr(code).isalnum() or chr(code) in _JOINING else " ")
    for code in range(256)
)
_TYPOGRAPHY = [(sign.encode(), b"'") for sign in "’‘"] + [(sign.encode(), b" ") for sign in "“”—–…"]
_SHORT = 24  # characters of a token that is remembered


class _Token(NamedTuple):
    """The words of a token, its variants' forms, the pairs that have a variant in them, and the forms at its ends."""

    words: tuple[str, ...]
    forms: tuple[str, ...]
    pairs: tuple[Pair, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]


def forms(masked: str) -> tuple[list[str], Iterable[Pair]]:
    """Return the words and variants of a text, and the pairs of those that stand side by side, some more than once.

    A pair may also be of words of two paragraphs.
    """
    tokens = _tokens(masked)
    if all(map(str.isalnum, tokens)) and all(map(str.isascii, tokens)):
        return tokens, pairwise(tokens)
    words: list[str] = []
    more: list[str] = []
    pairs: list[Pair] = []
    last: tuple[str, ...] = ()
    for text in tokens:
        token = _read_cached(text) if len(text) <= _SHORT else _read(text)
        if not token.words:
            continue
        if words:
            pairs += [(words[-1], form) for form in token.first]
            pairs += [(form, following) for form in last for following in (token.words[0], *token.first)]
        words += token.words
        more += token.forms
        pairs += token.pairs
        last = token.last
    return words + more, chain(pairwise(words), pairs)


def _tokens(masked: str) -> list[str]:
    data = masked.encode("utf-8", "surrogatepass")
    if IGNORED in masked:
        data = data.replace(IGNORED.encode(), b"")
    if not masked.isascii():
        for sign, plain in _TYPOGRAPHY:
            data = data.replace(sign, plain)
    data = data.translate(_TO_TOKENS).replace(b"n't", b"nt").replace(b". ", b" ").replace(b", ", b" ")
    return data.decode("utf-8", "surrogatepass").split()


def _read(text: str) -> _Token:
    words, separators = read(text)
    starting: dict[int, list[str]] = {}
    ending: dict[int, list[str]] = {}
    for start, length, form in variants(words, separators):
        starting.setdefault(start, []).append(form)
        ending.setdefault(start + length, []).append(form)
    pairs: list[Pair] = []
    for at in {*starting, *(ending)} - {0, len(words)}:
        left = [words[at - 1], *ending.get(at, ())]
        right = [words[at], *starting.get(at, ())]
        pairs += [(one, two) for one in left for two in right]
    return _Token(
        tuple(words),
        tuple(form for found in starting.values() for form in found),
        tuple(pairs),
        tuple(starting.get(0, ())),
        tuple(ending.get(len(words), ())),
    )


_read_cached = lru_cache(maxsize=16_384)(_read)
