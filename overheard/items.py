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
    """One post or comment, as its source returned it.

    Besides the fields without a default, every item has an ``author``, a ``permalink`` (https) and a ``thread``, and a
    ``body`` unless its author wrote none.

    ``id`` is the source's own, unique within it. ``place`` keeps the source's spelling. ``author`` is None if deleted.
    ``thread`` is the id of a comment's post, or a post's own id; a comment has no ``title``, its post's is
    ``thread_title``. ``url`` is the address that a post consists of or links to, empty for one that is only a text.
    ``texts`` are further texts by name: the title of what a ``crosspost`` shows, a ``caption`` of each picture and the
    options of a ``poll`` (as paragraphs), ``flair`` and others. ``lang`` is the language that the source tells, a tag
    as in BCP 47 in lower case, and ``nsfw`` whether it marks the item as for adults only. ``lookup`` is what the source
    looks it up by, if that is not the id. Times are seconds since the epoch.
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
    lang: str = ""
    nsfw: bool = False
    lookup: str = ""
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
