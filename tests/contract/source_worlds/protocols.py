"""What the contract suite needs of a source's world."""

from __future__ import annotations

from typing import Protocol

from overheard.items import FeedKind
from overheard.sources import Source


class World(Protocol):
    """A source and its server, if it has one."""

    source: Source

    def news(self) -> tuple[FeedKind, str, str]:
        """Create a new item; return its feed's kind and place, and its id."""

    def requests(self) -> int:
        """Return the number of HTTP requests so far, as counted by the server."""


class Written(World, Protocol):
    """A world in which items can be added to any place; places need not be created."""

    def add(self, kind: FeedKind, place: str, text: str) -> str:
        """Publish an item and return its id."""


class Listed(Written, Protocol):
    def close_feed(self, place: str) -> None:
        """Refuse this place from now on."""

    def break_down(self) -> None:
        """Make the next request fail transiently."""
