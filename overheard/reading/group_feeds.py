"""The feeds that one request names together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec

from overheard.reading.intervals import GroupLoad
from overheard.reading.packing import PackedFeed


class GroupFeeds(msgspec.Struct, frozen=True, dict=True):
    """The feeds that one request names together. ``fixed``: they stay together, such as everything of a source.

    ``numbers``: of items, that have to be looked up a second if they are read by these, whosever they are; else 0.
    """

    id: int
    kind: str
    feeds: tuple[PackedFeed, ...]
    fixed: bool = False
    numbers: float = 0.0

    @cached_property
    def load(self) -> GroupLoad:
        """Return its rate, and how long it may wait."""
        return load_of(self.feeds, self.numbers)


def load_of(feeds: Sequence[PackedFeed], numbers: float = 0.0) -> GroupLoad:
    """Return the load of a group of these feeds."""
    return GroupLoad(sum(feed.rate for feed in feeds), min(feed.every for feed in feeds), numbers)
