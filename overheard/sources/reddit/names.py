"""How Reddit names things, and what else is known of it without asking. Pure, and cheap to import."""

from __future__ import annotations

import hashlib
import re

from overheard.errors import InvalidInput
from overheard.items import ALL, ItemKind

SOURCE = "reddit"
SITE = "https://www.reddit.com"  # permalinks are for people: they name Reddit itself, whatever host was asked
LOOKUP_ITEMS = 100  # what /api/info takes at once
PREFIX: dict[ItemKind, str] = {"comment": "t1", "post": "t3"}
FULLNAME = re.compile(r"t[13]_[0-9a-z]{1,12}")
SUBREDDIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{1,20}|u_[A-Za-z0-9_-]{3,20}")
AUTHOR = re.compile(r"(?:/?u/)?([A-Za-z0-9_-]{1,50})")
SUBREDDIT_MAX_CHARS = 100  # with all that stands around it
POST_IN_LINK = re.compile(r"/comments/([0-9a-z]{1,12})/")
TITLE_IN_LINK = re.compile(rf"({POST_IN_LINK.pattern})[^/]+(?=/)")  # words of the post's title, in a comment's link


def kind_of(fullname: str) -> ItemKind | None:
    """Return what a fullname names; None when it is not one."""
    if not FULLNAME.fullmatch(fullname):
        return None
    return "comment" if fullname.startswith(PREFIX["comment"]) else "post"


def fullname(kind: ItemKind, name: str) -> str:
    """Return the fullname of an item by its bare id, as dumps have it; a fullname stays as it is."""
    return name if FULLNAME.fullmatch(name) else f"{PREFIX[kind]}_{name}"


def post_of_permalink(permalink: str) -> str | None:
    """Return the id of the post that a comment's link names; None where it names none."""
    found = POST_IN_LINK.search(permalink)
    return f"{PREFIX['post']}_{found[1]}" if found else None


def without_title_slug(permalink: str) -> str:
    """Return a comment's link without the words of its post's title; Reddit takes it all the same."""
    return TITLE_IN_LINK.sub(r"\1_", permalink, count=1)


def check_place(text: str) -> str:
    """Return a subreddit's bare name, of what people write (``/r/Python/``). Raises InvalidInput."""
    bare = re.sub(r"^/?r/|/$", "", text[: SUBREDDIT_MAX_CHARS + 1].strip(), flags=re.IGNORECASE)
    if bare.lower() != ALL and not SUBREDDIT.fullmatch(bare):
        raise InvalidInput(f"{text[:SUBREDDIT_MAX_CHARS]!r} cannot be the name of a subreddit")
    return bare


def check_author(text: str) -> str:
    """Return an author's bare name, with or without ``u/`` in front. Raises InvalidInput."""
    match = AUTHOR.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not a Reddit name: letters, digits, _ and -, as in u/some_body")
    return match[1]


def budget_key(client_id: str) -> str:
    """Return the key of the budget: one for each set of credentials, without showing them."""
    return f"{SOURCE}:{hashlib.sha256(client_id.encode()).hexdigest()[:12]}"
