"""Sources: where items come from. A new source is one module here and one line in ``registry.py``.

Here is what stages ask of a source. Every source reads its feeds; the other capabilities are its own matter, and stages
look at them, never at its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from overheard.items import FeedKind, Item


class GroupLimit(msgspec.Struct, frozen=True):
    """What one request may name at most: so many places, and so many bytes of their names (None: however long)."""

    places: int = 1
    name_bytes: int | None = None


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which page to read, of which feeds together: those of one kind of these places.

    ``cursor`` is what the reading before ended with, None before the first one; ``position`` where this one is, None
    at its beginning. ``since`` is when the feeds were read last, or first watched (epoch seconds).
    """

    kind: FeedKind
    places: tuple[str, ...]
    cursor: str | None = None
    position: str | None = None
    since: float = 0.0


class ListingGap(msgspec.Struct, frozen=True):
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
    ``gone``: ids of items, of whatever place, of which the source has said meanwhile that they were deleted.
    Cursors and positions are the source's own: nobody else looks into them.
    """

    items: tuple[Item, ...]
    gone: tuple[str, ...] = ()
    position: str | None = None
    complete: bool = True
    cursor: str = ""
    unread: ListingGap | None = None
    load: dict[str, int] = {}


class LookupResult(msgspec.Struct, frozen=True):
    """Items looked up by id: as they are now, or the ids of those that are not there any more.

    ``gone``: the source says that they were deleted or removed. ``absent``: it says nothing of them, be it because
    they were erased altogether, because nobody may see their place, or by a fault of its own. An id in none of the
    three is one of which the answer could not be read.
    """

    items: tuple[Item, ...]
    gone: tuple[str, ...]
    absent: tuple[str, ...] = ()


class RequestTokens(Protocol):
    """The shared budget of requests, as a source sees it."""

    def acquire(self) -> None:
        """Take one token for one HTTP request. Raises BudgetExhausted when the turn is too far away to wait."""

    def observe(self, remaining: float, reset: float) -> None:
        """The server said: ``remaining`` requests are left until ``reset`` seconds from now."""

    def block(self, seconds: float) -> None:
        """The server said: nothing for so many seconds."""


class Source(Protocol):
    """What the fetch stage asks of a source."""

    name: str
    group_limit: GroupLimit

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read one page: one HTTP request and so one token of the budget (or none).

        Raises BudgetExhausted (budget), RetryableError (passing fault), FeedRefused (one of the places is not
        to be had), PermanentError (credentials, say).
        """

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the cursor of a group to which the feeds of others are added, all read after it was read."""

    def probe(self, budget: RequestTokens) -> None:
        """Ask for something that is always there. Raises what ``read`` raises, when the source refuses everybody."""

    def close(self) -> None:
        """Close what it holds."""


class SingleFeedSource:
    """The part of a ``Source`` that reads one feed at a time, and asks no server: nothing joins, nothing is refused."""

    group_limit = GroupLimit()

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the older cursor: no other feeds are added."""
        return older

    def probe(self, budget: RequestTokens) -> None:
        """Do nothing: it always answers."""

    def close(self) -> None:
        """Close nothing."""


@runtime_checkable
class ItemLookup(Protocol):
    """What the recheck stage asks of a source that can look items up (``SourceType.lookup_size``)."""

    name: str

    def look_up(self, ids: Sequence[str], budget: RequestTokens) -> LookupResult:
        """Look up as many items as one request takes. Raises BudgetExhausted, RetryableError, PermanentError."""
