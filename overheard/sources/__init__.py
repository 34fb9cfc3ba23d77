"""Sources: where items come from. A new source is one module here and one line in ``actors/wiring.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from overheard.items import FeedKind, Item


class Page(msgspec.Struct, frozen=True):
    """One page of a listing, newest first. ``after`` is the name to go on from, None at the listing's end."""

    items: tuple[Item, ...]
    after: str | None
    skipped: int = 0  # children that did not have the promised form


class Checked(msgspec.Struct, frozen=True):
    """Items looked up by name: as they are now, or the names of those that are not there any more.

    ``gone``: the source says that they were deleted or removed. ``absent``: it says nothing of them, be it because
    they were erased altogether, because nobody may see their subreddit, or by a fault of its own. A name in none of
    the three is one of which the answer could not be read.
    """

    items: tuple[Item, ...]
    gone: tuple[str, ...]
    absent: tuple[str, ...] = ()


class Budget(Protocol):
    """The shared budget of requests, as a source sees it."""

    def take(self) -> None:
        """Take one token for one HTTP request. Raises Postponed when the turn is too far away to wait."""

    def observe(self, remaining: float, reset: float) -> None:
        """The server said: ``remaining`` requests are left until ``reset`` seconds from now."""

    def block(self, seconds: float) -> None:
        """The server said: nothing for so many seconds."""


class Source(Protocol):
    """What the fetch stage asks of a source."""

    name: str
    page_size: int
    depth: int  # how many items deep a listing goes

    def read(self, kind: FeedKind, names: Sequence[str], *, after: str | None, budget: Budget) -> Page:
        """One page of the merged listing of these feeds, one HTTP request and so one token of the budget (or none).

        Raises Postponed (budget), TryAgain (passing fault), FeedRefused (one of the names is not to be had),
        Permanent (credentials, say).
        """

    def close(self) -> None:
        """Close what it holds."""


class LooksUp(Protocol):
    """What the recheck stage asks of a source."""

    def info(self, names: Sequence[str], budget: Budget) -> Checked:
        """Look up to 100 items by name. Raises Postponed (budget), TryAgain (passing fault), Permanent."""
