"""A feed and the simulator that serves it."""

from __future__ import annotations

from typing import Self

from overheard.config.sources import FeedsSettings
from overheard.items import FeedKind
from overheard.simulators.feeds import FeedsSimulator
from overheard.sources.feeds.entries import item_id
from overheard.sources.feeds.source import FeedsSource
from tests.fixtures import MONDAY, Clock
from tests.unit.sources.reddit_world import new_metrics

PATH = "/feed.xml"


class FeedsWorld:
    """The source of feeds, and one feed."""

    def __init__(self) -> None:
        self._clock = Clock(MONDAY)
        self._simulator = FeedsSimulator(self._clock)

    def __enter__(self) -> Self:
        self._simulator.start()
        self._simulator.add_feed(PATH)
        settings = FeedsSettings(allow_private=True, min_interval=1.0)
        self.source = FeedsSource(settings, new_metrics(), clock=self._clock)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._simulator.stop()

    def news(self) -> tuple[FeedKind, str, str]:
        place = self._simulator.url_of(PATH)
        return "items", place, item_id(place, self._simulator.add_entry(PATH))

    def requests(self) -> int:
        return len(self._simulator.recent_requests())
