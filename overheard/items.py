"""Items, and the feeds in which sources list them.

An item is a post or a comment. A place is where a source keeps items, such as a subreddit. A feed is what the source
lists of a place together: its posts, its comments, or both in one sequence.
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
# Of an item's further texts, those that queries search like its title and body; the others, if they are named.
SEARCHED_TEXTS: tuple[Literal["crosspost", "caption", "poll"], ...] = ("crosspost", "caption", "poll")
ALL = "all"  # the place that stands for everything of one source, here and in a workspace file

WatchKey = tuple[str, ItemKind, str]  # a source, a kind of item, and the key of a place (or ALL)


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One post or comment, as its source returned it. Times are seconds since the epoch.

    Besides the fields without a default, every item has an ``author``, a ``permalink`` and a ``thread``, and a ``body``
    unless its author wrote none.
    """

    source: str
    id: str  # the source's own, unique within it
    kind: ItemKind
    place: str  # in the source's spelling
    author: str | None = None  # None: deleted
    title: str = ""  # of a post; a comment has none
    body: str = ""
    url: str = ""  # what a post consists of or links to; empty for one that is only a text
    permalink: str = ""  # its own page (https)
    thread: str | None = None  # the id of a comment's post, or a post's own id
    thread_title: str = ""  # of a comment: the title of its post
    # By name: the title of what a ``crosspost`` shows, a ``caption`` of each picture and the options of a ``poll`` (as
    # paragraphs), ``flair`` and others.
    texts: dict[str, str] = {}
    lang: str = ""  # as the source tells it: a tag of BCP 47, in lower case
    nsfw: bool = False  # marked by the source as for adults only
    lookup: str = ""  # what the source looks it up by, if that is not the id
    created_at: float
    edited_at: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Return the identity among the items of all sources."""
        return self.source, self.id

    @property
    def fields(self) -> dict[str, str]:
        """Return the texts that queries match: the item's own, not its thread's title."""
        if self.kind == "comment":
            return {"body": self.body}
        return {"title": self.title, "body": self.body}

    @property
    def found_in(self) -> tuple[WatchKey, WatchKey]:
        """Return the keys of watches that it belongs to: its place, and everything of its source."""
        return (self.source, self.kind, place_key(self.place)), (self.source, self.kind, ALL)


def place_key(place: str) -> str:
    """Return a place in its stored and compared form. Only places that are addresses may differ in case alone."""
    return place if "://" in place else place.lower()
