"""Mastodon's names for things, and other facts that need no request. Pure, and cheap to import."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import urlsplit

from overheard.errors import InvalidInput
from overheard.net.addresses import parse_address
from overheard.net.http_target import DEFAULT_PORTS, parse_target

SOURCE = "mastodon"
BUDGET_KEY = f"{SOURCE}:servers"  # never used itself: each server has a budget of its own, by its host
# Of one server; it allows 300 requests in 15 minutes to one address (Mastodon's rack_attack.rb). 15 × 18 + 20 = 290.
REQUESTS_PER_MINUTE = 18.0
BURST_REQUESTS = 20
LOOKUP_ITEMS = 10  # each is a request of its own
PLACE_MAX_CHARS = 300
SHOWN_CHARS = 100
TAG_MAX_CHARS = 100
PLACE = re.compile(r"(?:(https?)://)?([^\s/#?@]+)(?:/?|/(?:public|explore)/?|/?#([^\s/#?]+)|/tags/([^\s/#?]+)/?)", re.I)
TAG = re.compile(r"[\w·・]*[^\W\d_][\w·・]*")  # not of digits alone, as on Mastodon
AUTHOR = re.compile(r"@?([\w.-]{1,64})@([^\s/@]{1,255})")
# The page of a status, or its ActivityPub id, on a server of Mastodon.
STATUS_ADDRESS = re.compile(
    r"(https?://[^\s/?#@]+)/(?:@[^\s/]+|users/[^\s/]+/statuses|ap/users/\d+/statuses|statuses)/(\w{1,64})"
)


class TimelinePlace(NamedTuple):
    """A server's address (scheme and host, lower case, no slash at its end), and a tag; None: its public timeline."""

    server: str
    tag: str | None

    @property
    def host(self) -> str:
        """Return the server's host, with a port if it is not the scheme's own."""
        return self.server.partition("://")[2]

    def __str__(self) -> str:
        """Return the place as it is written: without the scheme, unless the address would not be read as one then."""
        bare = self.server.removeprefix("https://")
        server = self.server if _needs_scheme(urlsplit(self.server).hostname or "") else bare
        return server if self.tag is None else f"{server}/#{self.tag}"


def parse_place(text: str) -> TimelinePlace:
    """Return the place that a user's input names. Raises InvalidInput."""
    found = PLACE.fullmatch(text.strip()) if len(text) <= PLACE_MAX_CHARS else None
    if found is None:
        raise _invalid(text)
    scheme, host, hash_tag, path_tag = found.groups()
    tag = hash_tag if hash_tag is not None else path_tag
    return TimelinePlace(_server(text, scheme, host), None if tag is None else _tag(text, tag))


def check_place(text: str) -> str:
    """Return the canonical name of a server's timeline or tag. Raises InvalidInput."""
    return str(parse_place(text))


def check_author(text: str) -> str:
    """Return an author as user@host, from input with or without the first ``@``. Raises InvalidInput."""
    found = AUTHOR.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(
            f"{text[:SHOWN_CHARS]!r} is not a Mastodon account: write it with its server, @ann@example.org"
        )
    return f"{found[1]}@{found[2].lower()}"


def _server(text: str, scheme: str | None, host: str) -> str:
    wanted = (scheme or "https").lower()
    try:
        # Private hosts are refused when they are connected to: the operator may have allowed them.
        target = parse_target(f"{wanted}://{host}/", allow_private=True)
    except InvalidInput:
        raise _invalid(text) from None
    if scheme is None and _needs_scheme(target.host):
        raise _invalid(text)
    name = f"[{target.host}]" if ":" in target.host else target.host.rstrip(".")
    return f"{wanted}://{name}" + ("" if target.port == DEFAULT_PORTS[wanted] else f":{target.port}")


def _needs_scheme(host: str) -> bool:
    return "." not in host or parse_address(host) is not None


def _tag(text: str, tag: str) -> str:
    # As Mastodon compares tags: compatible forms of a character are the same, and so are upper and lower case.
    normal = unicodedata.normalize("NFKC", tag).lower()
    if not TAG.fullmatch(normal) or len(normal) > TAG_MAX_CHARS:
        raise _invalid(text)
    return normal


def _invalid(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text[:SHOWN_CHARS]!r} is not a Mastodon server or one of its tags: "
        "write mastodon.social, or mastodon.social/#python"
    )
