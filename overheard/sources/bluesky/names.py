"""Bluesky's names for things, and other facts that need no request. Pure, and cheap to import."""

from __future__ import annotations

import re

from overheard.errors import InvalidInput
from overheard.items import ALL

SOURCE = "bluesky"
SITE = "https://bsky.app"
POSTS = "app.bsky.feed.post"  # the collection of an account's repository that its posts are in
NAME_MAX_CHARS = 100  # of what a user typed
ID_MAX_CHARS = 200  # of an item's id: a message's keys are no longer

_DID = r"did:[a-z]+:[A-Za-z0-9._:%-]{1,150}"
_RECORD_KEY = r"[A-Za-z0-9._:~-]{1,512}"
DID = re.compile(_DID)
RECORD_KEY = re.compile(_RECORD_KEY)
ITEM_ID = re.compile(rf"at://({_DID})/{re.escape(POSTS)}/({_RECORD_KEY})")


def check_place(text: str) -> str:
    """Return ``all``, the only place of the stream. Raises InvalidInput."""
    if text.lower() != ALL:
        raise InvalidInput(f"{text[:NAME_MAX_CHARS]!r} cannot be watched: Bluesky has one place, all")
    return ALL


def check_author(text: str) -> str:
    """Return an account's DID from input such as a profile's link. Raises InvalidInput."""
    did = text.strip().removeprefix(f"{SITE}/profile/").removeprefix("at://").rstrip("/")
    if not DID.fullmatch(did):
        # The stream names accounts by their DIDs only: handles change.
        raise InvalidInput(f"{text[:NAME_MAX_CHARS]!r} is not a DID, such as did:plc:z72i7hdynmk6r22z27h6tvur")
    return did


def item_id(did: str, record_key: str) -> str | None:
    """Return the id of an account's post, its at:// URI; None if it cannot be one."""
    if not DID.fullmatch(did) or not RECORD_KEY.fullmatch(record_key):
        return None
    uri = f"at://{did}/{POSTS}/{record_key}"
    return uri if len(uri) <= ID_MAX_CHARS else None


def permalink(did: str, record_key: str) -> str:
    """Return the address of a post's page."""
    return f"{SITE}/profile/{did}/post/{record_key}"
