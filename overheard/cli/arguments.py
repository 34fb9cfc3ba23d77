"""Parse queries, channels and watches from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import click

from overheard.errors import InvalidInput
from overheard.sources.registry import SOURCES
from overheard.workspaces import ChannelSpec, QuerySpec, WatchSpec, parse_address, pasted

# The first = is the separator: brand==Linear is a query for =Linear.
NAMED_QUERY = re.compile(r"([A-Za-z0-9][\w.-]*)=(.*)", re.DOTALL)
# A name has no "/" or ":", so that the "=" of a URL's own query string does not end one.
NAMED_URL = re.compile(r"([^=/:]+)=([A-Za-z0-9][A-Za-z0-9+.-]*://.*)", re.DOTALL)
QUERY_NAME_MAX_CHARS = 40  # a longer query makes an unwieldy name in tables and messages


def as_unicode(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return an argument without surrogates, with which one that is not UTF-8 arrives, and which JSON cannot hold."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def queries(texts: Iterable[str]) -> tuple[QuerySpec, ...]:
    """Parse ``brand=acme OR acmedb``, ``brand==Linear``. A short query is its own name; a long one gets a number."""
    specs: list[QuerySpec] = []
    for number, text in enumerate(texts, start=1):
        match = NAMED_QUERY.fullmatch(text)
        one_line = " ".join(text.split())
        name = match[1] if match else one_line if 0 < len(one_line) <= QUERY_NAME_MAX_CHARS else f"query {number}"
        specs.append(QuerySpec(name, match[2] if match else text))
    return tuple(specs)


def channels(instant: Iterable[str], digest: Iterable[str]) -> tuple[ChannelSpec, ...]:
    """Parse ``team=https://…``. The default name is the kind of channel, numbered from the second on."""
    specs: list[ChannelSpec] = []
    modes: tuple[tuple[Literal["instant", "digest"], Iterable[str]], ...] = (("instant", instant), ("digest", digest))
    for mode, urls in modes:
        for text in urls:
            match = NAMED_URL.fullmatch(text)
            url = match[2] if match else text
            name = match[1].strip() if match else _default_channel_name(url, {channel.name for channel in specs})
            specs.append(ChannelSpec(name, url, mode))
    return tuple(specs)


def watches(texts: Iterable[str]) -> tuple[WatchSpec, ...]:
    """Parse ``reddit:python``, or addresses from a browser. Raises InvalidInput, with a line for each other text."""
    specs, problems = [], []
    for text in texts:
        source, colon, place = text.partition(":")
        try:
            # A host may have a port: then it is an address, unless a source has its name.
            if colon and not place.startswith("//") and (source in SOURCES or not parse_address(text)):
                specs.append(WatchSpec(source, (place,)))
            else:
                found = pasted(text)
                specs.append(WatchSpec(found.source, (found.place,)))
        except InvalidInput as error:
            problems.append(str(error))
    if problems:
        raise InvalidInput("\n".join(problems))
    return tuple(specs)


def _default_channel_name(url: str, taken: set[str]) -> str:
    scheme = url.partition("://")[0].lower()
    kind = "webhook" if scheme in ("http", "https") else scheme[:50] or "channel"
    number = 1
    while (name := kind if number == 1 else f"{kind} {number}") in taken:
        number += 1
    return name
