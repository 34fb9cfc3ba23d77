"""Hosts of addresses, as people write them in a query."""

from __future__ import annotations

import re

import idna

_AROUND = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//")
_BEFORE = re.compile(r"^(?:\.|\*\.|www\.(?=.*\.))+")
_DOTS = str.maketrans("。．｡", "...")
_NEUTERED = re.compile(r"\[(?:\.|dot)\]", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
HOST_MAX_CHARS = 253


def host_of(value: str) -> str:
    """Return the host of what a user calls a domain, in Unicode and lower case. Raise ValueError if it has none.

    A scheme, a name in front of @, a port, a path, ``www.`` and ``*.`` are left out.
    """
    text = _NEUTERED.sub(".", value.translate(_DOTS)).lower()
    text = text[match.end() :] if (match := _AROUND.match(text)) else text
    text = re.split(r"[/?#\\]", text, maxsplit=1)[0].rpartition("@")[2]
    text = _BEFORE.sub("", re.sub(r":\d*$", "", text).strip("."))
    host = _BEFORE.sub("", decoded(text))  # once more: full-width characters become plain ones
    if "." not in host:
        raise ValueError(value)
    return host


def decoded(host: str) -> str:
    """Return a host with its labels in Unicode (xn--…) and in lower case. Raise ValueError if it is not a host."""
    if len(host) > HOST_MAX_CHARS:
        raise ValueError(host)
    if host.isascii() and "xn--" not in host:
        if not all(map(_LABEL.fullmatch, host.split("."))):
            raise ValueError(host)
        return host
    # idna's errors are ValueErrors. Encoded first: it knows the letters that a name may have.
    return idna.decode(idna.encode(host, uts46=True))
