"""The canary, which has no server."""

from __future__ import annotations

from typing import Self

from overheard import canary
from overheard.items import FeedKind
from overheard.sources.canary import CanarySource


class CanaryWorld:
    """The canary's source, which makes no requests, and its clock."""

    def __init__(self) -> None:
        self._now = 1_795_424_400.0
        self.source = CanarySource(clock=lambda: self._now)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.source.close()

    def news(self) -> tuple[FeedKind, str, str]:
        self._now += 1
        return "posts", canary.PLACE, str(int(self._now))

    def requests(self) -> int:
        return 0
