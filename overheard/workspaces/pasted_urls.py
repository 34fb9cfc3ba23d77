"""Addresses from a browser → what to watch, without a request.

A site that the table does not have may have a feed, too: that cannot be told from its address.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from overheard.channels.redact import redact
from overheard.channels.rendering.sanitize import truncate
from overheard.errors import InvalidInput
from overheard.workspaces.pasted_sites import (
    FEEDS,
    SITES,
    SITES_BY_SUFFIX,
    Address,
    PastedWatch,
    feed,
    how_to_write,
    server_by_path,
)

ADDRESS_MAX_CHARS = 2048  # chosen, not measured: browsers show less; longer text is not worth parsing
PAGE_SHOWN_CHARS = 100
# A host and a path, as people type them without the scheme: reddit.com/r/python.
WITHOUT_SCHEME = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?:/\S*)?")
# Of addresses of feeds. The second occurs in names of subreddits and repositories as well: sites are asked before.
FEED_ENDING = re.compile(r"\.(?:rss|xml|atom|rdf)$", re.IGNORECASE)
FEED_PART = re.compile(r"\.json$|/(?:feeds?|rss|atom)(?:/|$)", re.IGNORECASE)
FEED_PARAMETER = re.compile(r"(?:^|&)(?:feed=|(?:format|output|type|alt)=(?:rss|atom|json))", re.IGNORECASE)


def parse_address(text: str) -> Address | None:
    """Return the parts of an address, with or without its scheme; None if a text is not one."""
    url = text.strip() if len(text) <= ADDRESS_MAX_CHARS else ""
    if not url.lower().startswith(("http://", "https://")):
        if not WITHOUT_SCHEME.fullmatch(url):
            return None
        url = f"https://{url}"
    try:
        split = urlsplit(url)
        host = split.hostname or ""
    except ValueError:
        return None
    if not host or not url.isprintable():
        return None
    parts = tuple(part for part in split.path.split("/") if part)
    return Address(url, split.scheme, split.netloc, host.removeprefix("www."), parts, split.query, split.fragment)


def watch_of(address: Address, *, guess: bool = True) -> PastedWatch | None:
    """Return what an address stands for; None if that cannot be told.

    ``guess``: tell servers of Mastodon, Lemmy and Discourse by the path, whatever their host.
    Raises InvalidInput, with what to write instead, for a page that cannot be watched.
    """
    if FEED_ENDING.search(address.path) or FEED_PARAMETER.search(address.query):
        return feed(address.url)
    site = SITES.get(address.host) or next(
        (read for suffix, read in SITES_BY_SUFFIX.items() if address.host.endswith(suffix)), None
    )
    if site is not None:
        return site(address)
    if FEED_PART.search(address.path):
        return feed(address.url)
    return server_by_path(address) if guess else None


def pasted(text: str) -> PastedWatch:
    """Return what an address from a browser stands for. Raises InvalidInput, with what to write instead."""
    address = parse_address(text)
    if address is None:
        shown = redact(text) if "://" in text else repr(truncate(text, PAGE_SHOWN_CHARS))
        raise InvalidInput(f"{shown} is not an address: write SOURCE:PLACE, as in --watch reddit:python, or https://…")
    if (found := watch_of(address)) is not None:
        return found
    raise InvalidInput(
        f"{redact(address.url)} is not a page of a site that Overheard knows. If it is the address of a feed (RSS,"
        " Atom, JSON Feed), write --feed ADDRESS; if it is a page, look there for a link named RSS or Feed"
    )


def place_from(source: str, text: str) -> str:
    """Return a place of a source: an address from a browser is turned into what it stands for, other text unchanged.

    Raises InvalidInput if an address stands for something that this source does not have.
    """
    address = parse_address(text)
    if address is None:
        return text
    found = watch_of(address, guess=source != FEEDS)
    if found is None or found.source == source:
        return text if found is None else found.place
    if found.place == address.url:
        raise InvalidInput(
            f'{redact(address.url)} is a feed, not a place of {source}: write it with source = "{FEEDS}"'
        )
    page = truncate(f"{address.host}{address.path}", PAGE_SHOWN_CHARS)
    raise InvalidInput(f"{page} is not a place of {source}; write {how_to_write(*found)}")
