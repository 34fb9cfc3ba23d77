"""The sources there are, and what is known of each without asking it. A new source is one module and one line here."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from overheard.items import FeedKind
from overheard.sources import reddit_items


class SourceType(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source without asking it.

    ``feeds`` are the feeds into which it divides a place. ``internal``: nobody else's; people cannot watch it.
    """

    name: str
    feeds: tuple[FeedKind, ...]
    internal: bool = False
    place_label: Callable[[str], str] = str
    author_label: Callable[[str], str] = str
    bare_permalink: Callable[[str], str] = str  # without words of the thread's title
    item_id: re.Pattern[str] = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,500}")
    item_id_words: str = "the source's id of an item"


SOURCES: dict[str, SourceType] = {
    each.name: each
    for each in (
        SourceType(
            name=reddit_items.SOURCE,
            feeds=("posts", "comments"),
            place_label="r/{}".format,
            author_label="u/{}".format,
            bare_permalink=reddit_items.untitled,
            item_id=reddit_items.FULLNAME,
            item_id_words="the fullname of a post or comment, such as t3_1abc or t1_1abc",
        ),
        SourceType(name="canary", feeds=("posts",), internal=True),
    )
}


def place_label(source: str, place: str) -> str:
    """Return a place as people write it: r/python."""
    known = SOURCES.get(source)
    return known.place_label(place) if known else place


def author_label(source: str, author: str | None) -> str:
    """Return an author as people write the name: u/alice. None has deleted the account, or the item."""
    known = SOURCES.get(source)
    return "[deleted]" if not author else known.author_label(author) if known else author


def bare_permalink(source: str, permalink: str) -> str:
    """Return an item's link without words of its thread's title. A source that is not known has none in it."""
    known = SOURCES.get(source)
    return known.bare_permalink(permalink) if known else permalink


def watchable() -> list[str]:
    """Return the names of the sources that people can watch."""
    return [name for name, each in SOURCES.items() if not each.internal]
