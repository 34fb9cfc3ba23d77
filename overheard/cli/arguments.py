"""Queries, channels and watches as they are written on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from overheard.errors import InvalidInput
from overheard.workspaces import ChannelSpec, QuerySpec, WatchSpec

NAMED_QUERY = re.compile(r"([A-Za-z0-9][\w.-]*)=(?!=)(.*)", re.DOTALL)
NAMED_URL = re.compile(r"([^=/:]+)=([A-Za-z0-9][A-Za-z0-9+.-]*://.*)", re.DOTALL)
LONGEST = 40  # characters of a query that make a good name


def queries(texts: Iterable[str]) -> tuple[QuerySpec, ...]:
    """``brand=acme OR acmedb``; a query without a name is called by what it says."""
    found: list[QuerySpec] = []
    for number, text in enumerate(texts, start=1):
        match = NAMED_QUERY.fullmatch(text)
        plain = " ".join(text.split())
        name = match[1] if match else plain if 0 < len(plain) <= LONGEST else f"query {number}"
        found.append(QuerySpec(name, match[2] if match else text))
    return tuple(found)


def channels(instant: Iterable[str], digest: Iterable[str]) -> tuple[ChannelSpec, ...]:
    """``team=https://…``; a channel without a name is called by its kind, with a number from the second on."""
    found: list[ChannelSpec] = []
    modes: tuple[tuple[Literal["instant", "digest"], Iterable[str]], ...] = (("instant", instant), ("digest", digest))
    for mode, urls in modes:
        for text in urls:
            match = NAMED_URL.fullmatch(text)
            url = match[2] if match else text
            name = match[1].strip() if match else _called(url, {channel.name for channel in found})
            found.append(ChannelSpec(name, url, mode))
    return tuple(found)


def watches(texts: Iterable[str]) -> tuple[WatchSpec, ...]:
    """``reddit:python``. Raises InvalidInput for what names no source."""
    found = []
    for text in texts:
        source, colon, place = text.partition(":")
        if not colon:
            raise InvalidInput(f"--watch {text!r}: write SOURCE:PLACE, as in reddit:python")
        found.append(WatchSpec(source, (place,)))
    return tuple(found)


def _called(url: str, taken: set[str]) -> str:
    scheme = url.partition("://")[0].lower()
    kind = "webhook" if scheme in ("http", "https") else scheme[:50] or "channel"
    number = 1
    while (name := kind if number == 1 else f"{kind} {number}") in taken:
        number += 1
    return name
