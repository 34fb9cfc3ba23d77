"""The hosts that an item names: in its addresses, in those within its texts, and as bare names (acme.com)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import idna

from overheard.matching.item.layout import Layout
from overheard.matching.item.plain_texts import PlainText, plain_texts
from overheard.matching.language.hosts import HOST_MAX_CHARS, decoded
from overheard.matching.tree import DEFAULT_FIELDS

# acme[.]com: how people write a host that must not become a link.
_DOT = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|\(dot\))"
_DOTS = re.compile(_DOT, re.IGNORECASE)
_LABEL = r"[^\W_](?:[\w-]*[^\W_])?"
_BARE = re.compile(rf"(?<![\w.-]){_LABEL}(?:{_DOT}{_LABEL})+", re.IGNORECASE)
# In an address only what follows the slashes is a host, not a file's name in the path: evil.org/acme.com.
_IN_ADDRESS = re.compile(rf"(?:^|//)(?:[^\s/?#@]*@)?({_LABEL}(?:{_DOT}{_LABEL})+)", re.IGNORECASE)


class Host(NamedTuple):
    """A host as it is compared: lower case, decoded; and where the item names it."""

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
        text = f"{text[:start]}{' ' * (end - start)}{text[end:]}"
    for found in _BARE.finditer(text):
        yield from _host(plain, found[0], found.start())


def _host(plain: PlainText, text: str, at: int) -> Iterator[Host]:
    if len(text) <= HOST_MAX_CHARS:
        yield Host(canonical_host(_DOTS.sub(".", text)), plain.span(at, at + len(text)))


def canonical_host(host: str) -> str:
    """Return a host in the form in which hosts are compared."""
    lower = host.lower()
    try:
        return decoded(lower)
    except ValueError:
        return lower  # such as a_name.b, which is not a host


def ascii_labels(host: str) -> list[str]:
    """Return the forms in which texts write a host: decoded, and as it is registered."""
    if host.isascii():
        return [host]
    try:
        return [host, idna.encode(host).decode()]
    except idna.IDNAError:
        return [host]
