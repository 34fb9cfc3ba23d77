"""What a source gives: items, in feeds.

An item is a post or a comment. A place is where a source keeps items (a subreddit, say); a feed is what the source
lists of a place together: its posts, its comments, or one sequence with both.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ItemKind = Literal["post", "comment"]
FeedKind = Literal["posts", "comments", "items"]

KINDS_IN: dict[FeedKind, tuple[ItemKind, ...]] = {
    "posts": ("post",),
    "comments": ("comment",),
    "items": ("post", "comment"),
}
ALL = "all"  # the place that is everything of one source, and the word for it in a workspace file

WatchKey = tuple[str, ItemKind, str]  # a source, a kind of item, and the key of a place (or ALL)


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One post or comment, as its source gave it.

    ``id`` is the source's own, unique within it. ``place`` keeps the source's spelling. ``author`` is None when
    deleted. ``thread`` is the id of the post that a comment is below (a post's own id); a comment has no ``title``,
    and its post's is ``thread_title``. ``texts`` are further texts by name. Times are seconds since the epoch.
    """

    source: str
    id: str
    kind: ItemKind
    place: str
    author: str | None = None
    title: str = ""
    body: str = ""
    url: str = ""
    permalink: str = ""
    thread: str | None = None
    thread_title: str = ""
    texts: dict[str, str] = {}
    created_at: float
    edited_at: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by among the items of all sources."""
        return self.source, self.id

    @property
    def fields(self) -> dict[str, str]:
        """The texts that queries are matched against: its own words, not its thread's title."""
        if self.kind == "comment":
            return {"body": self.body}
        return {"title": self.title, "body": self.body}

    @property
    def found_in(self) -> tuple[WatchKey, WatchKey]:
        """The places whose watchers want to hear of it: its own, and everything of its source."""
        return (self.source, self.kind, place_key(self.place)), (self.source, self.kind, ALL)


def place_key(place: str) -> str:
    """Return what a place is compared and stored by: no source has two that differ in case only."""
    return place.lower()
