"""The canary's source: a post that nobody wrote, new with every second. It asks nobody, so it costs no request."""

from __future__ import annotations

from collections.abc import Sequence

from overheard import canary
from overheard.clock import Clock, system_clock
from overheard.errors import FeedRefused
from overheard.items import FeedKind, Item
from overheard.sources import Budget, Page


class CanarySource:
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = canary.SOURCE

    def __init__(self, *, clock: Clock = system_clock) -> None:
        self._clock = clock

    def read(
        self,
        kind: FeedKind,
        names: Sequence[str],
        *,
        cursor: str | None,
        position: str | None,
        since: float,
        budget: Budget,
    ) -> Page:
        """Return the one post of this second; there are no comments. The budget stays untouched."""
        unknown = tuple(name for name in names if name != canary.FEED)
        if unknown:
            raise FeedRefused("missing", unknown)
        if kind != "posts":
            return Page(items=())
        item = self._item(self._clock())
        return Page(items=(item,), cursor=item.id)

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the older cursor: it has one feed, and nothing to remember."""
        return older

    def probe(self, budget: Budget) -> None:
        """Do nothing: it always answers."""

    def _item(self, now: float) -> Item:
        number = str(int(now))
        return Item(
            source=canary.SOURCE,
            id=number,
            kind="post",
            place=canary.FEED,
            thread=number,
            author="overheard",
            title="Overheard canary",
            body="Nobody wrote this. It shows that what is said arrives.",
            permalink=f"https://overheard.invalid/{number}",
            created_at=now,
        )

    def close(self) -> None:
        """There is nothing to close."""
