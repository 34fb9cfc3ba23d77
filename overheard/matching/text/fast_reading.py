"""The words and the variants of a text, as `read` and `variants` find them, in a fraction of the time.

This is the hot path: each item goes through it, and most match nothing. It works on the bytes of the text. Nearly all
words are plain ASCII between spaces, and a few operations in C separate them. Each of the others, a *chunk* (`wi-fi`,
`it's`, `café`, `🚀`), is read as a text of its own, and short ones are remembered. A variant never reaches beyond its
chunk.
"""

from collections.abc import Mapping
from functools import lru_cache

from overheard.matching.text.scripts import IGNORED
from overheard.matching.text.variants import Variant, variants
from overheard.matching.text.words import read

Reading = tuple[list[str], list[Variant]]
Readings = Mapping[str, Reading]  # by text

# What writers' programs make of plain signs: replaced, most of these texts are ASCII.
_TYPOGRAPHY = [(sign.encode(), b"'") for sign in "’‘"] + [(sign.encode(), b" ") for sign in "“”—–…\u00a0"]
_IGNORED = IGNORED.encode()
_ASCII_LETTERS = bytes(code for code in range(128) if chr(code).isalnum())
_SPACED = bytes(code if code in _ASCII_LETTERS else ord(" ") for code in range(256))
# Letters are "a", signs that join "-", all else spaces. Beyond ASCII, a character's first byte is 0xC0 or more, and the
# others are less: it becomes "-a…". So each "-a" is in a chunk, and all other words are plain.
_JOINING = b"-'.,"
_SHAPE = bytes(
    ord("a") if code in _ASCII_LETTERS or 0x80 <= code < 0xC0 else ord("-" if code in _JOINING or code >= 0xC0 else " ")
    for code in range(256)
)
_IN_CHUNK = b"-a"
_MAX_REMEMBERED_BYTES = 24  # of a chunk; chosen, not measured


def read_fast(masked: str) -> Reading:
    """Return the words and the variants of a text: ``read(masked)[0]`` and ``variants(*read(masked))``."""
    data = masked.encode("utf-8", "surrogatepass")
    if not masked.isascii():
        for sign, plain in _TYPOGRAPHY:
            data = data.replace(sign, plain)
    if _IGNORED in data:
        data = data.replace(_IGNORED, b"")
    data = data.lower().replace(b"n't", b"nt")
    shape, spaced = data.translate(_SHAPE), data.translate(_SPACED).decode()
    at = shape.find(_IN_CHUNK)
    if at < 0:
        return spaced.split(), []
    words: list[str] = []
    found: list[Variant] = []
    done = 0
    while at >= 0:
        start = shape.rfind(b" ", done, at) + 1
        end = shape.find(b" ", at)
        if end < 0:
            end = len(shape)
        words += spaced[done:start].split()
        chunk = data[start:end]
        own_words, own_variants = _read_chunk(chunk) if len(chunk) > _MAX_REMEMBERED_BYTES else _recall_chunk(chunk)
        for first, length, form in own_variants:
            found.append((len(words) + first, length, form))
        words += own_words
        done = end
        at = shape.find(_IN_CHUNK, done)
    words += spaced[done:].split()
    return words, found


def _read_chunk(chunk: bytes) -> Reading:
    return _read_slowly(chunk.decode("utf-8", "surrogatepass"))


# Bounded, because the chunks come from texts of strangers. More would hardly help: measured over 30,000 items.
_recall_chunk = lru_cache(maxsize=4_096)(_read_chunk)


def _read_slowly(masked: str) -> Reading:
    words, separators = read(masked)
    return words, variants(words, separators)
