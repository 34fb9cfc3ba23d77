"""Parse Reddit's listings into items: strict about each child's fields, tolerant of a child that is invalid. Pure.

An invalid child is skipped and counted, and its text is never logged. An answer that is not a listing at all (an error
page, a truncated body, other JSON) is a transient failure: RetryableError.
"""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.decoding import converter
from overheard.errors import RetryableError
from overheard.items import Item, ItemKind
from overheard.sources.reddit.further_texts import further_texts, is_original_gone
from overheard.sources.reddit.names import (
    FULLNAME,
    PREFIX,
    REMOVED_BODIES,
    SITE,
    SOURCE,
    flair_texts,
    kind_of,
    link_of,
    post_of_permalink,
    without_title_slug,
)
from overheard.sources.sanitize import is_storable_time, sanitized

# A ValidationError names fields and types, never values, so its text may be logged. A lone surrogate is a UnicodeError.
UNREADABLE = (msgspec.ValidationError, UnicodeError)
ERASED_BY_REDDIT = "[ Removed by Reddit"  # "… ]" of a comment, "… on account of …" of a post


class _Data(msgspec.Struct, kw_only=True):
    name: str
    subreddit: str
    permalink: str
    created_utc: float
    author: str | None = None
    over_18: bool | None = None
    edited: Any = None  # when, or false; true for what was edited in Reddit's first years


class _Post(_Data, kw_only=True):
    title: str
    selftext: str | None = None
    url: str | None = None
    link_flair_text: str | None = None
    removed_by_category: str | None = None
    # Few posts have these, and a post is not skipped for them: further_texts.py looks into them.
    crosspost_parent_list: Any = None
    gallery_data: Any = None
    poll_data: Any = None


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


_to_listing = converter(_Listing)
_to_child = converter(_Child)
_to_post = converter(_Post)
_to_comment = converter(_Comment)


class ParsedChild(msgspec.Struct, frozen=True):
    """A child of a listing: its item, or None and what is ``wrong`` with it.

    ``gone``: the author or Reddit has removed it.
    """

    item: Item | None
    gone: bool = False
    wrong: str = ""

    @property
    def removed(self) -> bool:
        """Return True if there is an item of which only placeholders are left."""
        return self.item is not None and (self.gone or is_text_removed(self.item))


def parse_listing(answer: object) -> _Children:
    """Return the listing in a decoded answer. Raises RetryableError when the answer is not a listing."""
    try:
        listing = _to_listing(answer).data
    except UNREADABLE as error:
        raise RetryableError(f"Reddit's answer is not a listing: {_reason(error)}") from None
    if listing.after is not None and not FULLNAME.fullmatch(listing.after):
        raise RetryableError("Reddit's answer is not a listing: its `after` is not a fullname")
    return listing


def parse_children(children: list[Any], kind: ItemKind | None = None) -> list[ParsedChild]:
    """Parse each child, in order. A child of another kind than ``kind``, if that is given, is wrong."""
    return [_parsed(child, kind) for child in children]


def _parsed(child: object, kind: ItemKind | None) -> ParsedChild:
    try:
        return _parse(child, kind)
    except UNREADABLE as error:
        return ParsedChild(None, wrong=_reason(error))


def _reason(error: Exception) -> str:
    return "a text is not Unicode" if isinstance(error, UnicodeError) else str(error)


def _parse(raw: object, wanted: ItemKind | None) -> ParsedChild:
    child = _to_child(raw)
    kind: ItemKind = "comment" if child.kind == PREFIX["comment"] else "post"
    if child.kind != PREFIX[kind] or (wanted and kind != wanted):
        raise msgspec.ValidationError("it is of another kind")
    if kind == "post":
        post = _to_post(child.data)
        body = post.selftext or ""
        item = msgspec.structs.replace(
            _item(kind, post, post.name, body),
            title=sanitized(post.title),
            url=_link_of(post),
            texts=flair_texts(post.link_flair_text)
            | further_texts(post.crosspost_parent_list, post.gallery_data, post.poll_data),
        )
        # Without an author, the placeholder is Reddit's own; with one, the author may have typed it.
        return ParsedChild(
            item, gone=bool(post.removed_by_category) or (item.author is None and body in REMOVED_BODIES)
        )
    comment = _to_comment(child.data)
    # `link_id` may be missing, but the permalink names the post as well.
    thread = (
        comment.link_id
        if comment.link_id and FULLNAME.fullmatch(comment.link_id)
        else post_of_permalink(comment.permalink)
    )
    item = msgspec.structs.replace(
        _item(kind, comment, thread, comment.body), thread_title=sanitized(comment.link_title or "")
    )
    return ParsedChild(item, gone=item.author is None and comment.body in REMOVED_BODIES)


def _link_of(post: _Post) -> str:
    """Return what a post links to: of a crosspost, the other post, without the words of its title if that is gone."""
    link = link_of(post.url or "", post.name)
    originals = post.crosspost_parent_list
    return without_title_slug(link) if originals and is_original_gone(originals) else link


def is_text_removed(item: Item) -> bool:
    """Return True if the body is only Reddit's placeholder for removed text, even if an author is still named.

    An author may have written exactly that; treating it as removed then loses nothing.
    """
    return item.body in REMOVED_BODIES or item.body.startswith(ERASED_BY_REDDIT)


def _item(kind: ItemKind, data: _Data, thread: str | None, body: str) -> Item:
    if kind_of(data.name) != kind:
        raise msgspec.ValidationError("its `name` is not a fullname of its kind")
    if not is_storable_time(data.created_utc):
        raise msgspec.ValidationError("its `created_utc` is not a time")
    # It is appended to Reddit's address, and without a slash in front could change the host.
    if not data.permalink.startswith("/") or data.permalink.startswith("//"):
        raise msgspec.ValidationError("its `permalink` is not a path")
    author = sanitized(data.author or "").strip()
    return Item(
        source=SOURCE,
        id=data.name,
        kind=kind,
        place=sanitized(data.subreddit),
        author=None if author in ("", "[deleted]") else author,
        body=sanitized(body),
        permalink=SITE + sanitized(data.permalink),
        thread=thread,
        nsfw=bool(data.over_18),
        created_at=data.created_utc,
        edited_at=_edited_at(data.edited),
    )


def _edited_at(edited: object) -> float | None:
    """Return the time of the latest edit. Anything else says nothing: an item is not refused for it."""
    if isinstance(edited, bool) or not isinstance(edited, int | float) or not is_storable_time(edited):
        return None
    return float(edited)
