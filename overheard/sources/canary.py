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
    page_size = 1
    depth = 100  # as deep as no poll goes: it never ends short of a cursor

    def __init__(self, *, clock: Clock = system_clock) -> None:
        self._clock = clock

    def read(self, kind: FeedKind, names: Sequence[str], *, after: str | None, budget: Budget) -> Page:
        """The one post of this second; there are no comments and no second page. The budget stays untouched."""
        unknown = tuple(name for name in names if name != canary.FEED)
        if unknown:
            raise FeedRefused("missing", unknown)
        if kind != "posts" or after is not None:
            return Page((), None)
        return Page((self._item(self._clock()),), None)

    def _item(self, now: float) -> Item:
        name = canary.name_at(now)
        return Item(
            name=name,
            kind="post",
            subreddit=canary.FEED,
            author="overheard",
            title="Overheard canary",
            body="Nobody wrote this. It shows that what is said arrives.",
            permalink=f"https://overheard.invalid/{name}",
            url="",
            created_at=now,
        )

    def close(self) -> None:
        """There is nothing to close."""
