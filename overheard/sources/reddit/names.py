"""Reddit's names for things, and other facts that need no request. Pure, and cheap to import."""

from __future__ import annotations

import hashlib
import re

from overheard.errors import InvalidInput
from overheard.items import ALL, FeedKind, ItemKind
from overheard.sources.sanitize import sanitized, web_address

SOURCE = "reddit"
SITE = "https://www.reddit.com"  # permalinks are for users: they point to Reddit itself, whichever host was read
REMOVED_BODIES = ("[deleted]", "[removed]")
MISSING_SETTING = "[sources.reddit] client_id and user_agent are not set"
NAMES_MAX_BYTES = 1500  # of the names in a URL: URLs below 2,000 bytes are known to work
LOOKUP_ITEMS = 100  # the maximum of /api/info
ALL_PER_MINUTE: dict[FeedKind, float] = {"posts": 13.0, "comments": 90.0}  # requests, with 5 % of the numbers empty
BASE_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
PREFIX: dict[ItemKind, str] = {"comment": "t1", "post": "t3"}
FULLNAME = re.compile(r"t[13]_[0-9a-z]{1,12}")
SUBREDDIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{1,20}|u_[A-Za-z0-9_-]{3,20}")
# Listings that Reddit makes for each account, or anew for each request: no item names them as its subreddit.
NOT_SUBREDDITS = {
    "popular": "what is popular now, from everywhere",
    "home": "the front page of an account",
    "mod": "the subreddits that an account moderates",
    "contrib": "the subreddits in which an account may post",
    "friends": "what the friends of an account post",
    "random": "another subreddit each time",
    "randnsfw": "another subreddit each time",
    "myrandom": "another subreddit each time",
}
AUTHOR = re.compile(r"(?:/?u/)?([A-Za-z0-9_-]{1,50})")
SUBREDDIT_MAX_CHARS = 100  # of what a user typed, with r/ and slashes; longer text is not worth parsing
FLAIR_MAX_CHARS = 200  # Reddit allows 64
OWN_PAGE = re.compile(r"https?://(?:[a-z]+\.)?reddit\.com/(?:r|u|user)/", re.IGNORECASE)
ITEM_PAGE = re.compile(
    r"https?://(?:[a-z]+\.)?reddit\.com/(?:r/[^/]+/|u(?:ser)?/[^/]+/)?comments/([0-9a-z]{1,12})"
    r"(?:/[^/?#]*/([0-9a-z]{1,12})(?=[/?#]|$))?",
    re.IGNORECASE,
)
POST_IN_LINK = re.compile(r"/comments/([0-9a-z]{1,12})/")
TITLE_IN_LINK = re.compile(rf"({POST_IN_LINK.pattern})[^/]+(?=/)")  # the post's title as a slug, in a comment's link


def kind_of(fullname: str) -> ItemKind | None:
    """Return the kind of item that a fullname names; None if it is not a fullname."""
    if not FULLNAME.fullmatch(fullname):
        return None
    return "comment" if fullname.startswith(PREFIX["comment"]) else "post"


def fullname(kind: ItemKind, name: str) -> str:
    """Return the fullname for a bare id (as in dumps); a fullname is returned unchanged."""
    return name if FULLNAME.fullmatch(name) else f"{PREFIX[kind]}_{name}"


def number_of(fullname: str) -> int | None:
    """Return the number of a post among all posts of Reddit, or of a comment among all comments; None if it is neither.

    Later items have higher numbers, nearly without holes.
    """
    return int(fullname[3:], 36) if FULLNAME.fullmatch(fullname) else None


def numbered(kind: ItemKind, number: int) -> str:
    """Return the fullname of the item of a kind with a number."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = BASE_36[digit] + digits
    return f"{PREFIX[kind]}_{digits or '0'}"


def post_of_permalink(permalink: str) -> str | None:
    """Return the fullname of the post in a comment's link; None if the link has none."""
    found = POST_IN_LINK.search(permalink)
    return f"{PREFIX['post']}_{found[1]}" if found else None


def item_of_url(url: str) -> str | None:
    """Return the fullname of the comment or post whose page this is; None if it is not one."""
    found = ITEM_PAGE.match(url.strip())
    if found is None:
        return None
    return (f"{PREFIX['comment']}_{found[2]}" if found[2] else f"{PREFIX['post']}_{found[1]}").lower()


def link_of(url: str, post: str) -> str:
    """Return what a post (a fullname) links to; empty for a text post, whose ``url`` is its own page.

    A crosspost has the path of the other post.
    """
    whole = SITE + url if url.startswith("/") and not url.startswith("//") else url
    own = OWN_PAGE.match(whole) and post_of_permalink(whole) == post
    return "" if own else web_address(whole)


def flair_texts(flair: str | None) -> dict[str, str]:
    """Return a post's flair as one of its further texts."""
    text = sanitized((flair or "")[:FLAIR_MAX_CHARS]).strip()
    return {"flair": text} if text else {}


def without_title_slug(permalink: str) -> str:
    """Return a comment's link without the words of its post's title; Reddit accepts it as well."""
    return TITLE_IN_LINK.sub(r"\1_", permalink, count=1)


def check_place(text: str) -> str:
    """Return a subreddit's bare name from user input such as ``/r/Python/``, or ``u/name`` for a profile.

    Raises InvalidInput.
    """
    bare = re.sub(r"^/?r/|/$", "", text[: SUBREDDIT_MAX_CHARS + 1].strip(), flags=re.IGNORECASE)
    bare = re.sub(r"^/?u(?:ser)?/", "u_", bare, flags=re.IGNORECASE)
    if (shows := NOT_SUBREDDITS.get(bare.lower())) is not None:
        raise InvalidInput(f"r/{bare.lower()} is not a subreddit: it shows {shows}; name subreddits, or {ALL}")
    if bare.lower() != ALL and not SUBREDDIT.fullmatch(bare):
        raise InvalidInput(f"{text[:SUBREDDIT_MAX_CHARS]!r} cannot be the name of a subreddit")
    return bare


def check_author(text: str) -> str:
    """Return an author's bare name from input with or without ``u/``. Raises InvalidInput."""
    match = AUTHOR.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{text!r} is not a Reddit name: letters, digits, _ and -, as in u/some_body")
    return match[1]


def client_name(client_id: str) -> str:
    """Return the name of a client in keys: its id, hashed so that it is not shown."""
    return hashlib.sha256(client_id.encode()).hexdigest()[:12]


def client_key(client_id: str) -> str:
    """Return the key of a client: of its request budget, and of its state in the database."""
    return f"{SOURCE}:{client_name(client_id)}"
