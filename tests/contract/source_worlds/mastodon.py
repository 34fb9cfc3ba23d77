"""Mastodon and its simulator."""

from __future__ import annotations

from typing import Self

from overheard.items import FeedKind
from overheard.simulators.mastodon import MastodonSimulator
from tests.unit.sources.mastodon_world import source_of


class MastodonWorld:
    """The Mastodon source and a simulated server."""

    def __init__(self) -> None:
        self._simulator = MastodonSimulator(allowed=100_000)

    def __enter__(self) -> Self:
        self._simulator.start()
        self.source = source_of()
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._simulator.stop()

    def news(self) -> tuple[FeedKind, str, str]:
        return "items", self._simulator.url.rstrip("/"), self.add("items", "", "text")

    def add(self, kind: FeedKind, place: str, text: str) -> str:
        return self._simulator.publish(f"<p>{text}</p>", fields={"spoiler_text": "a title"}).uri

    def delete(self, item_id: str) -> None:
        self._simulator.delete(item_id.rpartition("/")[2])

    def requests(self) -> int:
        return self._simulator.counters.snapshot(0, 0)["total"]
