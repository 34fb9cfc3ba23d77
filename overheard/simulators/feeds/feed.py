"""A simulated feed and its entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FeedFormat = Literal["rss", "rdf", "atom", "json"]


@dataclass(slots=True)
class SimulatedEntry:
    """Times are in seconds since the epoch; None: the feed does not say. `body` is HTML."""

    guid: str
    title: str
    body: str
    link: str
    author: str = "ann"
    published: float | None = None
    updated: float | None = None
    tags: tuple[str, ...] = ()


@dataclass(slots=True)
class SimulatedFeed:
    """`window`: how many entries it shows, the newest first. `entries` has them all, the oldest first.

    `ttl` is in minutes. `update_period` and `update_frequency` are those of RSS's syndication module. With `new_guids`
    every response has other guids. `reordered` shows the window in another order every time.
    """

    format: FeedFormat = "rss"
    window: int = 25
    title: str = "A feed"
    encoding: str = "utf-8"
    ttl: int | None = None
    update_period: str | None = None
    update_frequency: int | None = None
    new_guids: bool = False
    reordered: bool = False
    entries: list[SimulatedEntry] = field(default_factory=list)
    changed_at: float = 0.0
    served: int = 0

    def shown(self) -> list[SimulatedEntry]:
        """Return the window."""
        newest = self.entries[::-1][: self.window]
        if self.reordered and self.served % 2:
            newest.reverse()
        return newest
