"""Reddit and its simulator."""

from __future__ import annotations

from typing import Self

from overheard.items import FeedKind
from overheard.simulators.reddit import RedditSimulator
from tests.unit.sources.reddit_world import source_of


class RedditWorld:
    """The Reddit source and the simulator."""

    def __init__(self) -> None:
        self._simulator = RedditSimulator(requests_per_minute=100_000)
        self._threads: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._simulator.start()
        self.source = source_of(self._simulator)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._simulator.stop()

    def news(self) -> tuple[FeedKind, str, str]:
        return "posts", "Python", self.add("posts", "Python", "text")

    def add(self, kind: FeedKind, place: str, text: str) -> str:
        if kind == "posts":
            return self._simulator.add_post(place, "a title", text)
        if place not in self._threads:
            self._threads[place] = self._simulator.add_post(place, "the thread")
        return self._simulator.add_comment(self._threads[place], text)

    def close_feed(self, place: str) -> None:
        self._simulator.set_subreddit(place, "private")

    def remove_feed(self, place: str) -> None:
        self._simulator.set_subreddit(place, "banned")

    def rename_feed(self, place: str, name: str) -> None:
        self._simulator.rename_subreddit(place, name)

    def break_down(self) -> None:
        self._simulator.faults.fail(503)

    def delete(self, item_id: str) -> None:
        self._simulator.delete(item_id)

    def requests(self) -> int:
        return self._simulator.counts()["total"]
