"""Hacker News's names for things, and other facts that need no request. Pure, and cheap to import."""

from __future__ import annotations

import re

from overheard.errors import InvalidInput
from overheard.items import ALL

SOURCE = "hackernews"
BUDGET_KEY = f"{SOURCE}:{ALL}"  # one address has one budget: there are no credentials
LOOKUP_ITEMS = 30  # for one message of the recheck stage; each is a request of its own
FRESH_SECONDS = 10.0  # a new item about every eight seconds: a poll that is older has missed one
ITEM_ID = re.compile(r"[1-9][0-9]{0,17}")
ITEM_ID_WORDS = "the number of a Hacker News item, such as 8863"
_PAGE = re.compile(r"https?://news\.ycombinator\.com/item\?id=([1-9][0-9]{0,17})(?:[&#]|$)", re.IGNORECASE)
_AUTHOR = re.compile(r"[A-Za-z0-9_-]{1,50}")


def check_place(text: str) -> str:
    """Return ``all``, the only place. Raises InvalidInput for any other."""
    if text.strip().lower() != ALL:
        raise InvalidInput(f"{text[:100]!r}: Hacker News is not divided into places; its only one is {ALL!r}")
    return ALL


def check_author(text: str) -> str:
    """Return a user's name, which is case-sensitive. Raises InvalidInput."""
    if not _AUTHOR.fullmatch(text.strip()):
        raise InvalidInput(f"{text[:100]!r} cannot be the name of a Hacker News user")
    return text.strip()


def permalink(item_id: object) -> str:
    """Return the address of an item's page."""
    return f"https://news.ycombinator.com/item?id={item_id}"


def item_of_url(url: str) -> str | None:
    """Return the number of the item whose page this is; None if it is not one."""
    found = _PAGE.match(url.strip())
    return found[1] if found else None
