"""What the contract suite needs of a source's world."""

from __future__ import annotations

from typing import Protocol

from overheard.items import FeedKind
from overheard.sources import Source, StreamedSource


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


class Streamed(Protocol):
    source: StreamedSource

    def add(self, text: str) -> str:
        """Publish a post and return its id."""

    def delete(self, item_id: str) -> None: ...

    def remove_author(self) -> str:
        """Delete the account that has written everything here; return its name."""

    def break_down(self) -> None:
        """Refuse the next connection."""

    def drop(self) -> None:
        """End the next connection after its first event."""

    def forget(self) -> None:
        """Let so much time pass that the server no longer has anything of what was published."""
