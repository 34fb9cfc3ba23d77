"""What Reddit says: an item is a post or a comment."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

ItemKind = Literal["post", "comment"]
FeedKind = Literal["posts", "comments"]

PREFIX: dict[ItemKind, str] = {"comment": "t1", "post": "t3"}
KIND_OF_FEED: dict[FeedKind, ItemKind] = {"posts": "post", "comments": "comment"}
FULLNAME = re.compile(r"t[13]_[0-9a-z]{1,12}")  # 12 digits are within 63 bits
POST_IN_LINK = re.compile(r"/comments/([0-9a-z]{1,12})/")
TITLE_IN_LINK = re.compile(rf"({POST_IN_LINK.pattern})[^/]+(?=/)")  # words of the post's title, in a comment's link
ALL = "all"  # the feed of everything, and the word for it in a workspace file


class Item(msgspec.Struct, frozen=True):
    """One post or comment, as its source gave it.

    ``name`` is Reddit's fullname (``t3_…`` or ``t1_…``); ``subreddit`` keeps Reddit's spelling; ``author`` is None
    when deleted; ``created_at`` is in seconds since the epoch, whole seconds on Reddit.
    """

    name: str
    kind: ItemKind
    subreddit: str
    author: str | None
    title: str
    body: str
    permalink: str
    url: str
    created_at: float

    @property
    def number(self) -> int:
        """The base-36 id as a number: it rises with time, separately for posts and comments."""
        return number_of(self.name)

    @property
    def fields(self) -> dict[str, str]:
        """The texts that queries are matched against. A comment's title is its post's, and not its own words."""
        if self.kind == "comment":
            return {"body": self.body}
        return {"title": self.title, "body": self.body}


def post_of(comment: Item) -> str | None:
    """The name of a comment's post, as its link tells it; None of what is no comment, or where it does not."""
    found = POST_IN_LINK.search(comment.permalink) if comment.kind == "comment" else None
    return f"{PREFIX['post']}_{found[1]}" if found else None


def untitled(permalink: str) -> str:
    """A comment's link without the words of its post's title; Reddit takes it all the same."""
    return TITLE_IN_LINK.sub(r"\1_", permalink, count=1)


def number_of(name: str) -> int:
    """``t3_1abc`` → its id as a number. Raises ValueError for what is not a fullname."""
    if not FULLNAME.fullmatch(name):
        raise ValueError(f"not a fullname: {name!r}")
    return int(name[3:], 36)
