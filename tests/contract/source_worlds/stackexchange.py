"""Stack Exchange and its simulator."""

from __future__ import annotations

from typing import Self

from overheard.items import FeedKind
from overheard.simulators.stackexchange import StackExchangeSimulator
from tests.unit.sources.stackexchange_world import source_at


class StackExchangeWorld:
    """The Stack Exchange source and the simulated API."""

    def __init__(self) -> None:
        self._simulator = StackExchangeSimulator()

    def __enter__(self) -> Self:
        self._simulator.start()
        self.source = source_at(self._simulator.url)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._simulator.stop()

    def news(self) -> tuple[FeedKind, str, str]:
        return "posts", "stackoverflow/postgresql", self.add("posts", "", "text")

    def add(self, kind: FeedKind, place: str, text: str) -> str:
        question = self._simulator.ask("stackoverflow", "a title", f"<p>{text}</p>")
        return f"stackoverflow/q/{question.number}"

    def delete(self, item_id: str) -> None:
        self._simulator.delete("stackoverflow", int(item_id.rpartition("/")[2]))

    def requests(self) -> int:
        return self._simulator.counters.snapshot(0, 0)["total"]
