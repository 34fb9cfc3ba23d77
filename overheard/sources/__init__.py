"""Sources: where items come from. A new source is one module here and one line in ``actors/wiring.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from overheard.items import FeedKind, Item


class Unread(msgspec.Struct, frozen=True):
    """What lies between two readings and could not be read. ``since`` and ``until``: name and time of its neighbours.

    ``reason`` is a fixed word: ``horizon`` (the listing does not go back so far), ``anchor`` (where the reading was
    had disappeared from the listing), ``pages`` (no more pages may be read).
    """

    reason: str
    since: tuple[str, float] | None = None
    until: tuple[str, float] | None = None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what is read together, and where the reading is when it has been taken.

    ``complete``: everything since ``cursor`` was written has been read. ``position``: where to go on; None when the
    reading has ended, complete or not. ``cursor``: what the next reading begins with when this one ends here, and
    ``unread`` is then what it has missed. ``load``: items read so far by feed, for dividing what is too much.
    Cursors and positions are the source's own: nobody else looks into them.
    """

    items: tuple[Item, ...]
    position: str | None = None
    complete: bool = True
    cursor: str = ""
    unread: Unread | None = None
    load: dict[str, int] = {}


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

    def acquire(self) -> None:
        """Take one token for one HTTP request. Raises Postponed when the turn is too far away to wait."""

    def observe(self, remaining: float, reset: float) -> None:
        """The server said: ``remaining`` requests are left until ``reset`` seconds from now."""

    def block(self, seconds: float) -> None:
        """The server said: nothing for so many seconds."""


class Source(Protocol):
    """What the fetch stage asks of a source."""

    name: str

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
        """Read one page of these feeds together: one HTTP request and so one token of the budget (or none).

        ``cursor`` is what the reading before ended with, None before the first one; ``position`` where this one is,
        None at its beginning. ``since`` is when the feeds were read last, or first watched (epoch seconds).

        Raises Postponed (budget), TryAgain (passing fault), FeedRefused (one of the names is not to be had),
        Permanent (credentials, say).
        """

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the cursor of a group to which the feeds of others are added, all read after it was read."""

    def probe(self, budget: Budget) -> None:
        """Ask for something that is always there. Raises what ``read`` raises, when the source refuses everybody."""

    def close(self) -> None:
        """Close what it holds."""


class LooksUp(Protocol):
    """What the recheck stage asks of a source."""

    name: str

    def info(self, names: Sequence[str], budget: Budget) -> Checked:
        """Look up to 100 items by name. Raises Postponed (budget), TryAgain (passing fault), Permanent."""
