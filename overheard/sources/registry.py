"""The sources there are, and what is known of each without asking it. A new source is one module and one line here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

import msgspec

from overheard.errors import InvalidInput
from overheard.items import ALL, KINDS_IN, FeedKind, ItemKind
from overheard.sources import reddit_items

PLACE_MAX_CHARS = 100


def any_place(text: str) -> str:
    """Return the place as it is. Raises InvalidInput when it is empty, too long, or has white space in it."""
    if not text or len(text) > PLACE_MAX_CHARS or not text.isprintable() or " " in text:
        raise InvalidInput(f"{text[:PLACE_MAX_CHARS]!r} cannot be the name of a place")
    return ALL if text.lower() == ALL else text


def any_author(text: str) -> str:
    """Return the author as it is. Raises InvalidInput when it is empty, too long, or cannot be printed."""
    if not text.strip() or len(text) > PLACE_MAX_CHARS or not text.isprintable():
        raise InvalidInput(f"{text[:PLACE_MAX_CHARS]!r} cannot be the name of an author")
    return text


class SourceType(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source without asking it.

    ``feeds`` are the feeds into which it divides a place. ``check_place`` returns a place's name in its canonical
    spelling, or raises InvalidInput; ``check_author`` an author's. ``internal``: nobody else's; people cannot watch it.
    """

    name: str
    feeds: tuple[FeedKind, ...]
    internal: bool = False
    check_place: Callable[[str], str] = any_place
    check_author: Callable[[str], str] = any_author
    place_label: Callable[[str], str] = str
    author_label: Callable[[str], str] = str
    bare_permalink: Callable[[str], str] = str  # without words of the thread's title
    item_id: re.Pattern[str] = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,500}")
    item_id_words: str = "the source's id of an item"

    def feeds_for(self, kinds: Collection[FeedKind]) -> dict[FeedKind, tuple[ItemKind, ...]]:
        """Return the feeds that hold these kinds (``posts``, ``comments``), each with the kinds of item to watch."""
        wanted = {item for kind in kinds for item in KINDS_IN[kind]}
        found = {feed: tuple(item for item in KINDS_IN[feed] if item in wanted) for feed in self.feeds}
        return {feed: items for feed, items in found.items() if items}


SOURCES: dict[str, SourceType] = {
    each.name: each
    for each in (
        SourceType(
            name=reddit_items.SOURCE,
            feeds=("posts", "comments"),
            check_place=reddit_items.check_place,
            check_author=reddit_items.check_author,
            place_label="r/{}".format,
            author_label="u/{}".format,
            bare_permalink=reddit_items.untitled,
            item_id=reddit_items.FULLNAME,
            item_id_words="the fullname of a post or comment, such as t3_1abc or t1_1abc",
        ),
        SourceType(name="replay", feeds=("items",), place_label="replay:{}".format),
        SourceType(name="canary", feeds=("posts",), internal=True),
    )
}


def bare_permalink(source: str, permalink: str) -> str:
    """Return an item's link without words of its thread's title. A source that is not known has none in it."""
    known = SOURCES.get(source)
    return known.bare_permalink(permalink) if known else permalink


def place_label(source: str, place: str) -> str:
    """Return a place as people write it: r/python."""
    known = SOURCES.get(source)
    return known.place_label(place) if known else place


def author_label(source: str, author: str | None) -> str:
    """Return an author as people write the name: u/alice. None has deleted the account, or the item."""
    known = SOURCES.get(source)
    return "[deleted]" if not author else known.author_label(author) if known else author


def watchable() -> list[str]:
    """Return the names of the sources that people can watch."""
    return [name for name, each in SOURCES.items() if not each.internal]
