"""What a workspace consists of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from overheard.items import KINDS_IN, FeedKind, ItemKind, place_key
from overheard.sources.registry import SOURCES

WatchKind = Literal["posts", "comments"]
KINDS: tuple[WatchKind, ...] = ("posts", "comments")
SHORTHAND_SOURCE = "reddit"  # the source whose places may be written as ``subreddits``
DEFAULT_EVERY = "5m"
DEFAULT_DIGEST = "0 9 * * *"


class QuerySpec(msgspec.Struct, frozen=True):
    """A query by name."""

    name: str
    text: str


class ChannelSpec(msgspec.Struct, frozen=True):
    """A channel by name. ``secret`` signs a webhook; one is made when it is absent."""

    name: str
    url: str
    mode: Literal["instant", "digest"] = "instant"
    secret: str | None = None


class WatchSpec(msgspec.Struct, frozen=True):
    """Places of one source. ``kinds``: the workspace's when they are absent."""

    source: str
    places: tuple[str, ...]
    kinds: tuple[WatchKind, ...] | None = None


class WatchedFeed(NamedTuple):
    """A feed as a workspace watches it: ``place`` is the place's key, ``kinds`` are those of its items."""

    source: str
    kind: FeedKind
    place: str
    kinds: tuple[ItemKind, ...]


class WorkspaceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as its owner writes it. ``subreddits`` are short for a watch of Reddit with the workspace's kinds."""

    slug: str
    name: str = ""
    timezone: str = "UTC"
    every: str = DEFAULT_EVERY
    digest: str = DEFAULT_DIGEST
    subreddits: tuple[str, ...] = ()
    kinds: tuple[WatchKind, ...] = KINDS
    watch: tuple[WatchSpec, ...] = ()
    query: tuple[QuerySpec, ...] = ()
    channel: tuple[ChannelSpec, ...] = ()

    @property
    def watches(self) -> list[tuple[str, tuple[str, ...], tuple[WatchKind, ...]]]:
        """(source, places, kinds) of everything it watches."""
        short = [(SHORTHAND_SOURCE, self.subreddits, self.kinds)] if self.subreddits else []
        return short + [
            (each.source, each.places, self.kinds if each.kinds is None else each.kinds) for each in self.watch
        ]

    @property
    def feeds(self) -> list[WatchedFeed]:
        """Every feed that it watches, once."""
        found: dict[tuple[str, FeedKind, str], set[ItemKind]] = {}
        for source, places, kinds in self.watches:
            for kind, items in SOURCES[source].feeds_for(kinds).items():
                for place in places:
                    found.setdefault((source, kind, place_key(place)), set()).update(items)
        return [
            WatchedFeed(source, kind, place, tuple(each for each in KINDS_IN[kind] if each in items))
            for (source, kind, place), items in found.items()
        ]


def watch_fields(watched: Iterable[tuple[str, str, Iterable[WatchKind]]]) -> dict[str, Any]:
    """Return the fields of a WorkspaceSpec that watches this: (source, place, kinds).

    Places that are watched alike stand together, and each of them once. What is Reddit's alone, with one set of kinds,
    takes the short form.
    """
    wanted: dict[tuple[str, str], tuple[str, set[WatchKind]]] = {}
    for source, place, kinds in watched:
        wanted.setdefault((source, place_key(place)), (place, set()))[1].update(kinds)
    alike: dict[tuple[str, tuple[WatchKind, ...]], list[str]] = {}
    for (source, _), (place, some) in wanted.items():
        alike.setdefault((source, tuple(kind for kind in KINDS if kind in some)), []).append(place)
    watch = tuple(WatchSpec(source, tuple(places), kinds) for (source, kinds), places in alike.items())
    if len(watch) == 1 and watch[0].source == SHORTHAND_SOURCE:
        return {"subreddits": watch[0].places, "kinds": watch[0].kinds, "watch": ()}
    return {"subreddits": (), "kinds": KINDS, "watch": watch}
