"""Stack Exchange's names for things, and other facts that need no request. Pure, and cheap to import."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from overheard.errors import InvalidInput
from overheard.items import ItemKind

SOURCE = "stackexchange"
LICENSE = "CC BY-SA"  # of all texts; it asks for the author and a link beside them
LOOKUP_ITEMS = 100  # the most ids in one request
# Requests a day, of an address without a key and of a key. The server counts them, and tells its count each time.
DAILY_REQUESTS, DAILY_REQUESTS_WITH_KEY = 300, 10_000
BURST_REQUESTS = 100  # chosen, not measured: a tag that is read every few minutes for hours, or a backlog
MINUTES_A_DAY = 1440.0
SHOWN_CHARS = 100
PLACE = re.compile(
    r"(?:https?://)?([a-z0-9][a-z0-9.-]{0,60})(?:/(?:questions/tagged/)?([^\s\x00-\x1f\x7f/;?&]{1,60}))?/?"
)
ITEM_ID = re.compile(r"([a-z0-9.-]{1,62})/([qa])/(\d{1,18})")
KIND_CHARS: dict[ItemKind, str] = {"post": "q", "comment": "a"}
OWN_DOMAINS = frozenset(("stackoverflow", "superuser", "serverfault", "askubuntu", "stackapps"))  # .com


class SitePlace(NamedTuple):
    """A site, by its name in the API, and a tag; None: all of the site."""

    site: str
    tag: str | None

    def __str__(self) -> str:
        return self.site if self.tag is None else f"{self.site}/{self.tag}"


def parse_place(text: str) -> SitePlace:
    """Return the place that a user's input names. Raises InvalidInput."""
    found = PLACE.fullmatch(text.strip().lower())
    site = _site(found[1]) if found is not None else ""
    if found is None or site in ("", "all"):
        raise InvalidInput(
            f"{text[:SHOWN_CHARS]!r} is not a Stack Exchange site or one of its tags: "
            "write stackoverflow/postgresql, unix/systemd or superuser"
        )
    return SitePlace(site, found[2])


def check_place(text: str) -> str:
    """Return the canonical name of a site or tag. Raises InvalidInput."""
    return str(parse_place(text))


def _site(name: str) -> str:
    """Return a site's name in the API, from that name or its host."""
    site = name.removeprefix("www.").removesuffix(".stackexchange.com")
    bare = site.removesuffix(".com")
    return bare if bare.rpartition(".")[2] in OWN_DOMAINS else site


def site_host(site: str) -> str:
    """Return the host of a site, for links to it."""
    if site.rpartition(".")[2] in OWN_DOMAINS:  # stackoverflow, meta.superuser, ru.stackoverflow
        return f"{site}.com"
    return site if site.endswith((".com", ".net", ".org")) else f"{site}.stackexchange.com"


def item_id(site: str, kind: ItemKind, number: int) -> str:
    """Return an item's id: ``stackoverflow/q/123`` of a question, ``stackoverflow/a/123`` of an answer."""
    return f"{site}/{KIND_CHARS[kind]}/{number}"


def budget_key(key: str) -> str:
    """Return the key of the request budget: one per API key, hashed so that it is not shown."""
    return f"{SOURCE}:{hashlib.sha256(key.encode()).hexdigest()[:12]}" if key else f"{SOURCE}:address"


def requests_per_minute(key: str) -> float:
    """Return the rate that uses up a day's requests in a day."""
    return (DAILY_REQUESTS_WITH_KEY if key else DAILY_REQUESTS) / MINUTES_A_DAY
