"""Hacker News and its simulator."""

from __future__ import annotations

from typing import Self

from overheard.clock import system_clock
from overheard.config.sources import HackerNewsSettings
from overheard.items import ALL, FeedKind
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.sources.hackernews.source import HackerNewsSource
from tests.unit.sources.reddit_world import new_metrics


class HackerNewsWorld:
    """The Hacker News source and the simulator."""

    def __init__(self) -> None:
        self._simulator = HackerNewsSimulator()

    def __enter__(self) -> Self:
        self._simulator.start()
        url = self._simulator.url.rstrip("/")
        self.source = HackerNewsSource(HackerNewsSettings(url=url, search_url=url), new_metrics(), clock=system_clock)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._simulator.stop()

    def news(self) -> tuple[FeedKind, str, str]:
        return "items", ALL, self.add("posts", ALL, "text")

    def add(self, kind: FeedKind, place: str, text: str) -> str:
        return str(self._simulator.add_story("a title", text))

    def delete(self, item_id: str) -> None:
        self._simulator.delete(int(item_id))

    def requests(self) -> int:
        return self._simulator.counters.snapshot(0, 0)["total"]
