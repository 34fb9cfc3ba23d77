"""Shared by the tests of feeds: the simulator, and readings as fetch makes them."""

from __future__ import annotations

from typing import Any, Self

from overheard.config.sources import FeedsSettings
from overheard.simulators.feeds import FeedsSimulator
from overheard.sources import Page, ReadRequest
from overheard.sources.feeds.source import FeedsSource
from tests.fixtures import MONDAY, Clock
from tests.unit.sources.reddit_world import RecordingBudget, new_metrics

PATH = "/feed.xml"
SECRET = "s3cr3tT0ken9f8e7d6c5b"


class FeedReader:
    """The source, a simulator and a clock. It keeps the cursor of each place, as the database does."""

    def __init__(
        self, *, min_interval: float = 900.0, timeout: float = 5.0, validators: bool = True, **settings: Any
    ) -> None:
        self.clock = Clock(MONDAY)
        self.simulator = FeedsSimulator(self.clock, validators=validators)
        self.metrics = new_metrics()
        self.budget = RecordingBudget()
        self.settings = FeedsSettings(
            allow_private=settings.pop("allow_private", True), min_interval=min_interval, timeout=timeout, **settings
        )
        self.cursors: dict[str, str] = {}
        self.read_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        self.simulator.start()
        self.source = FeedsSource(self.settings, self.metrics, clock=self.clock)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self.simulator.stop()

    def feed(self, path: str = PATH, **settings: Any) -> str:
        return self.simulator.add_feed(path, **settings)

    def url(self, path: str = PATH) -> str:
        return self.simulator.url_of(path)

    def read(self, place: str | None = None, *, after: float = 3600.0) -> Page:
        """Read a feed ``after`` seconds. A reading that fails leaves the cursor where it was."""
        place = place or self.url()
        self.clock.advance(after)
        since = self.read_at.get(place, self.clock() - after)
        request = ReadRequest(kind="items", places=(place,), cursor=self.cursors.get(place), since=since)
        page = self.source.read(request, self.budget)
        self.cursors[place], self.read_at[place] = page.cursor, self.clock()
        return page

    def requests(self) -> list[str]:
        return self.simulator.recent_requests()


def titles(page: Page) -> list[str]:
    return [item.title for item in page.items]
