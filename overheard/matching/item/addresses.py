"""The hosts that an item names: in its addresses, in those within its texts, and as bare names (acme.com)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import NamedTuple

import idna

from overheard.matching.item.layout import Layout
from overheard.matching.item.plain_texts import PlainText, plain_texts
from overheard.matching.language.hosts import HOST_MAX_CHARS
from overheard.matching.text.scripts import UNSPACED
from overheard.matching.tree import DEFAULT_FIELDS

# acme[.]com: how people write a host that must not become a link.
_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|\(dot\))"
_DOTS = re.compile(_DOT, re.IGNORECASE)
_ACCENTS = "\u0300-\u036f"  # of a host that is written decomposed, as some systems copy it
_LABEL = rf"[^\W_](?:[\w{_ACCENTS}-]*(?:[^\W_]|[{_ACCENTS}]))?"
_BARE = re.compile(rf"(?<![\w.-]){_LABEL}(?:{_DOT}{_LABEL})+", re.IGNORECASE)
# In an address only what follows the slashes is a host, not a file's name in the path: evil.org/acme.com.
_IN_ADDRESS = re.compile(rf"(?:^|//)(?:[^\s/?#@]*@)?({_LABEL}(?:{_DOT}{_LABEL})+)", re.IGNORECASE)


class Host(NamedTuple):
    """A host as it is compared, in lower case; and where the item names it."""

    name: str
    span: tuple[str, int, int]


def hosts(layout: Layout) -> list[Host]:
    """Return the hosts that an item names, in order."""
    return [host for plain in plain_texts(layout) if plain.field in DEFAULT_FIELDS for host in _hosts(plain)]


def _hosts(plain: PlainText) -> Iterator[Host]:
    text = plain.text
    for start, end in plain.links:
        for found in _IN_ADDRESS.finditer(text[start:end]):
            yield from _host(plain, found[1], start + found.start(1))
            # Text may touch its end, not its beginning.
            for part, at in _parts(found[1])[:1]:
                yield from _host(plain, part, start + found.start(1) + at)
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    for found in _BARE.finditer(text):
        yield from _host(plain, found[0], found.start())
        for part, at in _parts(found[0]):
            yield from _host(plain, part, found.start() + at)


def _parts(text: str) -> list[tuple[str, int]]:
    """Divide a host at the text of a script without spaces that may touch it; return each part, and where it begins.

    [] if there is none. 新しいacme.comを is 新しい, acme.com and を, and could be a host itself.
    """
    borders = [] if text.isascii() else [border.start() for border in _script_border().finditer(text)]
    return [(text[start:end], start) for start, end in pairwise([0, *borders, len(text)])] if borders else []


def _host(plain: PlainText, text: str, at: int) -> Iterator[Host]:
    if len(text) <= HOST_MAX_CHARS and _DOTS.search(text):
        yield Host(_folded(_DOTS.sub(".", text)), plain.span(at, at + len(text)))


def _folded(host: str) -> str:
    # Not decoded, which would take ten times as long as everything else: xn--… is looked for beside the other form.
    return host.lower() if host.isascii() else unicodedata.normalize("NFKC", host.lower())


@lru_cache(maxsize=4096)
def host_forms(host: str) -> tuple[str, ...]:
    """Return the forms in which texts write a host: decoded, and as it is registered."""
    if host.isascii():
        return (host,)
    try:
        return host, idna.encode(host).decode()
    except idna.IDNAError:
        return (host,)


@cache
def _script_border() -> re.Pattern[str]:
    return re.compile(f"(?<=[{UNSPACED}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[{UNSPACED}])")
