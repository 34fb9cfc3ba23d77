"""Reddit's listings as items: strict about each child's form, tolerant of a child that does not have it. Pure.

A child without the promised form is skipped and counted; its text is never shown. A listing that is none at all is
a passing fault (TryAgain): an error page, a cut body, somebody else's JSON.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from overheard.errors import InvalidInput, TryAgain
from overheard.items import ALL, Item, ItemKind

SITE = "https://www.reddit.com"  # permalinks are for people: they name Reddit itself, whatever host was asked
LONGEST_TEXT = 100_000  # characters; Reddit's own limits are 40,000 for a post and 10,000 for a comment
LATEST = 253_402_300_800.0  # the year 10000: what no database and no datetime can hold
UNREADABLE = (msgspec.ValidationError, UnicodeError)  # msgspec stumbles over half a surrogate pair
ERASED = ("[deleted]", "[removed]")
ERASED_BY_REDDIT = "[ Removed by Reddit"  # "… ]" of a comment, "… on account of …" of a post

SOURCE = "reddit"
PREFIX: dict[ItemKind, str] = {"comment": "t1", "post": "t3"}
FULLNAME = re.compile(r"t[13]_[0-9a-z]{1,12}")
SUBREDDIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{1,20}|u_[A-Za-z0-9_-]{3,20}")
SUBREDDIT_MAX_CHARS = 100  # with all that stands around it
AUTHOR = re.compile(r"(?:/?u/)?([A-Za-z0-9_-]{1,50})")
POST_IN_LINK = re.compile(r"/comments/([0-9a-z]{1,12})/")
TITLE_IN_LINK = re.compile(rf"({POST_IN_LINK.pattern})[^/]+(?=/)")  # words of the post's title, in a comment's link


class _Data(msgspec.Struct, kw_only=True):
    name: str
    subreddit: str
    permalink: str
    created_utc: float
    author: str | None = None


class _Post(_Data, kw_only=True):
    title: str
    selftext: str | None = None
    url: str | None = None
    removed_by_category: str | None = None


class _Comment(_Data, kw_only=True):
    body: str
    link_id: str | None = None
    link_title: str | None = None


class _Child(msgspec.Struct):
    kind: str
    data: dict[str, Any]


class _Children(msgspec.Struct):
    children: list[Any]
    after: str | None = None


class _Listing(msgspec.Struct):
    data: _Children


class Reading(msgspec.Struct, frozen=True):
    """A child: its item, or None and what is ``wrong`` with it. ``gone``: its author or Reddit took it away."""

    item: Item | None
    gone: bool = False
    wrong: str = ""


def listing(answer: object) -> _Children:
    """The listing in a decoded answer. Raises TryAgain when it is none."""
    try:
        found = msgspec.convert(answer, _Listing).data
    except UNREADABLE as error:
        raise TryAgain(f"Reddit's answer is no listing: {_said(error)}") from None
    if found.after is not None and not FULLNAME.fullmatch(found.after):
        raise TryAgain("Reddit's answer is no listing: its `after` is not a fullname")
    return found


def readings(children: list[Any], kind: ItemKind | None = None) -> list[Reading]:
    """Each child, in its order; what is not of ``kind`` (when given) is wrong."""
    return [_reading(child, kind) for child in children]


class _Wrong(Exception):
    """Like msgspec's ValidationError, it names fields and types, never values: its text is logged."""


def _reading(child: object, kind: ItemKind | None) -> Reading:
    try:
        return _read(child, kind)
    except (*UNREADABLE, _Wrong) as error:
        return Reading(None, wrong=_said(error))


def _said(error: Exception) -> str:
    return "a text is not Unicode" if isinstance(error, UnicodeError) else str(error)


def _read(raw: object, wanted: ItemKind | None) -> Reading:
    child = msgspec.convert(raw, _Child)
    kind: ItemKind = "comment" if child.kind == PREFIX["comment"] else "post"
    if child.kind != PREFIX[kind] or (wanted and kind != wanted):
        raise _Wrong("it is another kind of thing")
    if kind == "post":
        post = msgspec.convert(child.data, _Post)
        body = post.selftext or ""
        item = msgspec.structs.replace(
            _item(kind, post, post.name, body), title=clean(post.title), url=clean(post.url or "")
        )
        return Reading(item, gone=bool(post.removed_by_category) or (item.author is None and body in ERASED))
    comment = msgspec.convert(child.data, _Comment)
    thread = comment.link_id if comment.link_id and FULLNAME.fullmatch(comment.link_id) else post_in(comment.permalink)
    item = msgspec.structs.replace(
        _item(kind, comment, thread, comment.body), thread_title=clean(comment.link_title or "")
    )
    return Reading(item, gone=item.author is None and comment.body in ERASED)


def emptied(item: Item) -> bool:
    """Whether nothing is left of its text but Reddit's word for what was taken away, whoever is named as its author.

    Somebody may have written just that; then nothing is lost with it.
    """
    return item.body in ERASED or item.body.startswith(ERASED_BY_REDDIT)


def _item(kind: ItemKind, data: _Data, thread: str | None, body: str) -> Item:
    if not FULLNAME.fullmatch(data.name) or not data.name.startswith(PREFIX[kind]):
        raise _Wrong("its `name` is not a fullname of its kind")
    if not 0 < data.created_utc < LATEST:  # nor NaN
        raise _Wrong("its `created_utc` is not a time")
    if not data.permalink.startswith("/") or data.permalink.startswith("//"):
        raise _Wrong("its `permalink` is not a path")
    return Item(
        source=SOURCE,
        id=data.name,
        kind=kind,
        place=clean(data.subreddit),
        author=None if data.author in (None, "", "[deleted]") else clean(data.author),
        body=clean(body),
        permalink=SITE + clean(data.permalink),
        thread=thread,
        created_at=data.created_utc,
    )


def post_in(permalink: str) -> str | None:
    """Return the id of the post that a comment's link names; None where it names none."""
    found = POST_IN_LINK.search(permalink)
    return f"{PREFIX['post']}_{found[1]}" if found else None


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


def untitled(permalink: str) -> str:
    """Return a comment's link without the words of its post's title; Reddit takes it all the same."""
    return TITLE_IN_LINK.sub(r"\1_", permalink, count=1)


def clean(text: str) -> str:
    """Text that every database and encoder takes: no NUL, no half of a surrogate pair, not endless."""
    text = text[:LONGEST_TEXT].replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
