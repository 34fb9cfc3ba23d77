"""Shared by the tests of the Hacker News source: its simulator on a stepped clock, and a source that reads it."""

from __future__ import annotations

from typing import Any, Self

from overheard.config.sources import HackerNewsSettings
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.sources import ListingGap, Page, ReadRequest
from overheard.sources.hackernews.source import HackerNewsSource
from tests.fixtures import Clock
from tests.unit.sources.reddit_world import RecordingBudget, new_metrics


class HackerNewsDesk:
    """Reads the simulator as the fetch stage does, and keeps what it has read."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.simulator = HackerNewsSimulator(clock=self.clock)
        self.metrics = new_metrics()
        self.settings = settings
        self.cursor: str | None = None
        self.budget = RecordingBudget()
        self.gaps: list[ListingGap] = []
        self.found: set[str] = set()

    def __enter__(self) -> Self:
        self.simulator.start()
        self.restart()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.simulator.stop()

    def restart(self) -> None:
        """Open the source anew: what remains is the cursor."""
        if hasattr(self, "source"):
            self.source.close()
        url = self.simulator.url.rstrip("/")
        values = {"url": url, "search_url": url, "timeout": 5.0} | self.settings
        self.source = HackerNewsSource(HackerNewsSettings(**values), self.metrics, clock=self.clock)

    def page(self, position: str | None = None, *, since: float = 0.0) -> Page:
        request = ReadRequest(kind="items", places=("all",), cursor=self.cursor, position=position, since=since)
        return self.source.read(request, self.budget)

    def read(self, *, since: float = 0.0) -> list[Page]:
        """Make one reading to its end, and store what it has found."""
        pages = [self.page(since=since)]
        while pages[-1].position is not None:
            pages.append(self.page(pages[-1].position))
        self.store(pages)
        return pages

    def store(self, pages: list[Page]) -> None:
        self.cursor = pages[-1].cursor
        for page in pages:
            self.found |= {item.id for item in page.items}
        self.gaps += pages[-1].gaps

    def ids(self, *, since: float = 0.0) -> list[int]:
        """Make one reading; return the numbers of its items."""
        return [int(item.id) for page in self.read(since=since) for item in page.items]

    def requested(self, path: str) -> int:
        """Return how many requests for a path there were."""
        return sum(path in request for request in self.simulator.recent_requests())
