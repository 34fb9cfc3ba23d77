"""Replayed files."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from overheard.items import FeedKind
from overheard.sources.replay.source import ReplaySource
from tests.unit.sources.reddit_world import new_metrics


class ReplayWorld:
    """A file that grows while it is replayed."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory()
        self._file = Path(self._folder.name, "items.jsonl")
        self._file.touch()
        self._count = 0

    def __enter__(self) -> Self:
        self.source = ReplaySource(self._file, 0.0, new_metrics(), clock=lambda: 1_795_424_400.0)
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()
        self._folder.cleanup()

    def news(self) -> tuple[FeedKind, str, str]:
        return "items", "Python", self.add("items", "Python", "text")

    def add(self, kind: FeedKind, place: str, text: str) -> str:
        self._count += 1
        self._write(
            id=f"item {self._count}", kind="post", place=place, author="ann", title="a title", body=text,
            permalink="https://example.org/", created_at=1_795_000_000 + self._count,
        )  # fmt: skip
        return f"item {self._count}"

    def delete(self, item_id: str) -> None:
        self._write(gone=item_id)

    def requests(self) -> int:
        return 0

    def _write(self, **line: Any) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps(line) + "\n")
