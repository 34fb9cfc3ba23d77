"""The structs of a workspace, as its owner writes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from overheard.items import ALL, KINDS_IN, FeedKind, ItemKind, place_key
from overheard.matching.language.query_scope import QueryScope
from overheard.sources.registry import SOURCES, source_type

WatchKind = Literal["posts", "comments"]
KINDS: tuple[WatchKind, ...] = ("posts", "comments")
SHORTHAND_SOURCE = "reddit"  # the source whose places may be written as ``subreddits``
DEFAULT_EVERY = "5m"
DEFAULT_DIGEST = "0 9 * * *"
ChannelMode = Literal["instant", "digest", "both"]
DEFAULT_MAX_PER_HOUR = 60


class QuerySpec(msgspec.Struct, frozen=True):
    """A named query. It can be limited to some of what the workspace watches; () means all of it."""

    name: str
    text: str
    places: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kinds: tuple[WatchKind, ...] = ()

    @property
    def scope(self) -> QueryScope:
        """Return what it is limited to."""
        return QueryScope(self.places, self.sources, self.kinds)


class ChannelSpec(msgspec.Struct, frozen=True):
    """A named channel. ``secret`` signs a webhook; one is generated if it is absent.

    ``mode``: ``both`` sends single messages as they come, and keeps for the digest what would be too many. ``min_gap``
    is the least time between two messages and ``summary_every`` that between two summaries, as intervals (30s, 5m).
    ``max_per_hour``: 0 sends a message for each mention, however many there are. ``queries``: the names of those that
    it hears of; () means all.
    """

    name: str
    url: str
    mode: ChannelMode = "instant"
    secret: str | None = None
    min_gap: str = "0s"
    max_per_hour: int = DEFAULT_MAX_PER_HOUR
    summary_every: str = "30s"
    queries: tuple[str, ...] = ()


class MuteSpec(msgspec.Struct, frozen=True):
    """What is not sent: a mention that fits all conditions given, until a date or time; for good without ``until``.

    ``author`` and ``place`` as their source writes them, in any case; ``thread``: its id or its address.
    """

    query: str = ""
    author: str = ""
    place: str = ""
    thread: str = ""
    until: str = ""


class WatchSpec(msgspec.Struct, frozen=True):
    """Places of one source; all of it by default, if it has no others. ``kinds`` default to the workspace's."""

    source: str
    places: tuple[str, ...] = ()
    kinds: tuple[WatchKind, ...] | None = None


class WatchedFeed(NamedTuple):
    """A feed that a workspace watches. ``place`` is the place's key; ``kinds``, the kinds of items wanted from it."""

    source: str
    kind: FeedKind
    place: str
    kinds: tuple[ItemKind, ...]


class WorkspaceSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as its owner writes it. ``subreddits`` is short for a watch of Reddit with the workspace's kinds.

    In ``quiet`` hours (22:00-07:00) and outside ``working`` hours (mon-fri 08:00-18:00), in its time zone, nothing is
    sent but digests.
    """

    slug: str
    name: str = ""
    timezone: str = "UTC"
    every: str = DEFAULT_EVERY
    digest: str = DEFAULT_DIGEST
    quiet: str = ""
    working: str = ""
    subreddits: tuple[str, ...] = ()
    kinds: tuple[WatchKind, ...] = KINDS
    watch: tuple[WatchSpec, ...] = ()
    query: tuple[QuerySpec, ...] = ()
    channel: tuple[ChannelSpec, ...] = ()
    mute: tuple[MuteSpec, ...] = ()

    @property
    def watches(self) -> list[tuple[str, tuple[str, ...], tuple[WatchKind, ...]]]:
        """Return (source, places, kinds) of each watch, the shorthand first."""
        shorthand = [(SHORTHAND_SOURCE, self.subreddits, self.kinds)] if self.subreddits else []
        return shorthand + [
            (watch.source, self.places_of(watch), self.kinds if watch.kinds is None else watch.kinds)
            for watch in self.watch
        ]

    def places_of(self, watch: WatchSpec) -> tuple[str, ...]:
        """Return the places of one of its watches; those of a source that has no places but ``all`` need no name."""
        return watch.places or ((ALL,) if source_type(watch.source).undivided else ())

    @property
    def feeds(self) -> list[WatchedFeed]:
        """Return every watched feed once, with the kinds of all watches that name it."""
        kinds_by_feed: dict[tuple[str, FeedKind, str], set[ItemKind]] = {}
        for source, places, kinds in self.watches:
            for kind, items in SOURCES[source].feeds_for(kinds).items():
                for place in places:
                    kinds_by_feed.setdefault((source, kind, place_key(place)), set()).update(items)
        return [
            # In a fixed order, as a set has none: the same watches always make equal feeds.
            WatchedFeed(source, kind, place, tuple(item for item in KINDS_IN[kind] if item in items))
            for (source, kind, place), items in kinds_by_feed.items()
        ]


def watch_fields(watched: Iterable[tuple[str, str, Iterable[WatchKind]]]) -> dict[str, Any]:
    """Return the fields of a WorkspaceSpec that watches these (source, place, kinds).

    Each place occurs once; places of a source with the same kinds share a watch. A single watch of Reddit takes the
    short form, so that the usual workspace stays as simple as the README shows it.
    """
    by_place: dict[tuple[str, str], tuple[str, set[WatchKind]]] = {}
    for source, place, kinds in watched:
        by_place.setdefault((source, place_key(place)), (place, set()))[1].update(kinds)
    by_kinds: dict[tuple[str, tuple[WatchKind, ...]], list[str]] = {}
    for (source, _), (place, wanted) in by_place.items():
        by_kinds.setdefault((source, tuple(kind for kind in KINDS if kind in wanted)), []).append(place)
    watch = tuple(WatchSpec(source, tuple(places), kinds) for (source, kinds), places in by_kinds.items())
    if len(watch) == 1 and watch[0].source == SHORTHAND_SOURCE:
        return {"subreddits": watch[0].places, "kinds": watch[0].kinds, "watch": ()}
    return {"subreddits": (), "kinds": KINDS, "watch": watch}
