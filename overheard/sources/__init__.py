"""Sources: where items come from. A new source is one module here and one entry in ``registry.py``.

This module defines the protocols that stages rely on. Every source reads its feeds; other capabilities (looking items
up, reporting deletions) are optional, and stages check for the capability, never for the source's name.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, Protocol, runtime_checkable

import msgspec

from overheard.errors import PermanentError
from overheard.items import FeedKind, Item, ItemKind


class GroupLimit(msgspec.Struct, frozen=True):
    """How many places one request may name, and how many bytes their names may take together (None: no limit)."""

    places: int = 1
    name_bytes: int | None = None

    def first(self, places: Sequence[str]) -> list[str]:
        """Return as many of the places, in order, as one request may name."""
        lengths = accumulate(len(place) + 1 for place in places)
        fit = sum(self.name_bytes is None or length <= self.name_bytes for length in lengths)
        return list(places[: min(self.places, fit)])


class ReadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One page to read, of a group of feeds: those of one kind for all of ``places``. Times are epoch seconds."""

    kind: FeedKind
    places: tuple[str, ...]  # keys (``items.place_key``), in lower case: compare them with keys of the source's names
    cursor: str | None = None  # where the previous reading ended; None for a first reading
    position: str | None = None  # how far this reading has got; None at its start
    since: float = 0.0  # when the feeds were last read, or first watched
    back_to: float = 0.0  # of a second look: read everything listed back to then, whatever was read before
    by_number: bool = False  # begin to read the items by their numbers, not in a listing; a reading goes on as it began


class ListingGap(msgspec.Struct, frozen=True):
    """What was posted between two readings and could not be read. ``reason`` is a fixed word.

    horizon     the listing does not go back that far
    anchor      the item that the next page starts from has disappeared from the listing
    pages       the limit on pages was reached
    hole        a number of the sequence never got an item
    jump        the numbers jump ahead, probably without items in between
    outdated    the source no longer has what followed the cursor
    """

    reason: str
    since: tuple[str, float] | None = None  # id and creation time of the last item before it …
    until: tuple[str, float] | None = None  # … and of the first one after it


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a group of feeds, and the state of the reading after it.

    Cursors and positions are opaque to everything but the source.
    """

    items: tuple[Item, ...]
    # What the source reports, of any place: ids of items that were deleted, (author, time) of accounts that are gone
    # with all that they wrote until then, and ids of items that were changed, to be rechecked early.
    gone: tuple[str, ...] = ()
    gone_authors: tuple[tuple[str, float], ...] = ()
    changed: tuple[str, ...] = ()
    position: str | None = None  # where the next page starts; None when the reading has ended, complete or not
    complete: bool = True  # everything since the request's cursor has been read
    cursor: str = ""  # what the next reading starts from if this one ends here …
    unread: ListingGap | None = None  # … and the gap that it leaves then
    gaps: tuple[ListingGap, ...] = ()  # further ones that the reading has found; those of its last page are recorded
    load: dict[str, int] = {}  # new items so far by place: for the feeds' rates, and to divide a group with too many
    load_seconds: float | None = None  # the time in which they were published; None: since the last reading
    # A source that reads forward ends a long reading now and then, so that its cursor moves: then the next one has to
    # follow at once. ``lag``: the seconds before now until which everything has been read, if the source knows.
    behind: bool = False
    lag: float | None = None
    pause: float = 0.0  # seconds for which the source wants no further reading of these feeds
    pace: float | None = None  # items a second that the source numbers, of all its places, if the reading shows it


class LookupResult(msgspec.Struct, frozen=True):
    """The result of looking items up by id. An id in none of the four had an answer that could not be parsed."""

    items: tuple[Item, ...]  # those that still exist, as they are now
    gone: tuple[str, ...]  # reported by the source as deleted or removed
    # Not in the answer: erased without a trace, in a place that is not public, or left out by an error of the source.
    absent: tuple[str, ...] = ()
    # Their own requests failed, or were not made for lack of tokens: they are looked up again soon.
    unanswered: tuple[str, ...] = ()


class RequestTokens(Protocol):
    """The shared request budget, as a source sees it."""

    def of(self, name: str) -> RequestTokens:
        """Return another budget of the same source, with the same rate: of one of its hosts, or of a client."""

    def soonest(self, names: Sequence[str]) -> str:
        """Return the one of ``names`` whose budget has the next free token. Nothing is taken."""

    def acquire(self) -> None:
        """Take one token for one HTTP request. Raises BudgetExhausted when the wait would be too long."""

    def observe(self, remaining: float, reset: float) -> None:
        """Record what the server allows: ``remaining`` more requests during the next ``reset`` seconds."""

    def block(self, seconds: float) -> None:
        """Grant no tokens for ``seconds``, because the server refused a request for being one too many."""


class Source(Protocol):
    """What the fetch stage needs from a source."""

    name: str
    group_limit: GroupLimit

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read one page. Every HTTP request takes one token of the budget.

        A source that requests every item by itself may make several requests for a page. A feed kind that the source
        does not have is an empty page, not an error.
        Raises BudgetExhausted, RetryableError (transient failure), FeedRefused (one of the places cannot be read) or
        PermanentError (missing permission, for example).
        """

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the cursor of a group that takes in feeds of other groups.

        ``older`` is the group's own cursor; ``newer`` are those of the others, all of which were read more recently.
        """

    def probe(self, budget: RequestTokens) -> None:
        """Request something that always exists, to tell a refused feed from a source that refuses everything.

        Raises what ``read`` raises.
        """

    def close(self) -> None:
        """Release connections and files."""


class SingleFeedSource:
    """Base for a ``Source`` that reads one feed at a time without a server: no groups to join, no refusals."""

    group_limit = GroupLimit()

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return ``older``: a group has one feed, so no others join it."""
        return older

    def probe(self, budget: RequestTokens) -> None:
        """Do nothing: there is no server that could refuse."""

    def close(self) -> None:
        """Do nothing."""


class StreamConnection(Protocol):
    """An open connection to a source that sends items by itself."""

    def read(self, stop: threading.Event) -> Page:
        """Return what came within about a second; an empty page if nothing came for some seconds.

        Ends early when ``stop`` is set. The page's cursor is where a connection resumes after it. Raises RetryableError
        when the connection has ended.
        """

    def close(self) -> None:
        """Close the connection."""


class StreamedSource(SingleFeedSource):
    """Base for a source that a producer reads all the time (``SourceType.streamed``): no stage reads it by pages."""

    name: str

    def connect(self, cursor: str | None) -> StreamConnection:
        """Connect, and resume at the cursor of the last stored page; None: with what comes from now on.

        Raises RetryableError.
        """
        raise NotImplementedError

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Raise PermanentError: fetch does not read streamed sources."""
        raise PermanentError(f"{self.name} is a stream: its producer reads it")

    def probe(self, budget: RequestTokens) -> None:
        """Connect, and close the connection."""
        self.connect(None).close()


@runtime_checkable
class ItemLookup(Protocol):
    """What the recheck stage needs from a source that can look items up (``SourceType.lookup_size``)."""

    name: str

    def look_up(self, ids: Sequence[str], budget: RequestTokens) -> LookupResult:
        """Look up at most ``lookup_size`` items, each by its ``lookup`` or its id; report them by id.

        In one request, or each in its own, which takes a token.

        Raises BudgetExhausted, RetryableError or PermanentError if there is no result at all.
        """


class NumberedPage(msgspec.Struct, frozen=True):
    """The result of looking items up by number; ``absent``: the numbers of those that the answer does not mention.

    Such a number belongs to no item, or to one that is gone, is not public, or will appear in a moment. ``held``: the
    numbers of items that are removed, some of which will be approved.
    """

    items: tuple[Item, ...]
    absent: tuple[int, ...] = ()
    held: tuple[int, ...] = ()


@runtime_checkable
class NumberedItems(Protocol):
    """What filling gaps and reading everything of a source need: items of a kind are numbered as they are published."""

    name: str

    def read_numbers(self, kind: FeedKind, numbers: Sequence[int], budget: RequestTokens) -> NumberedPage:
        """Look up at most ``numbered_size`` items by their numbers, in one request. Raises what ``look_up`` raises."""


PlaceState = Literal["ok", "private", "quarantined", "banned", "missing"]


class PlaceAnswer(msgspec.Struct, frozen=True):
    """What a source says of ``place``: a key, or what ``find_places`` was asked for.

    ``name``: as the source spells it now; ``ref``: its own id of the place, which stays when it is renamed. A source
    that cannot tell a banned place from one that does not exist says ``missing`` of both.
    """

    place: str
    state: PlaceState
    name: str = ""
    ref: str | None = None


@runtime_checkable
class PlaceCheck(Protocol):
    """What the check of watched places needs: which of them exist and can be read, before they are."""

    name: str

    def check_places(self, places: Sequence[str], budget: RequestTokens) -> Sequence[PlaceAnswer]:
        """Ask for at most ``places_size`` places, in one request; return an answer for each of which there is one.

        Without an answer are those that an answer which could not be parsed may be about. Raises what ``look_up``
        raises.
        """

    def find_places(self, refs: Sequence[str], budget: RequestTokens) -> Sequence[PlaceAnswer]:
        """Ask for at most ``places_size`` places by their ids (``PlaceAnswer.ref``), to follow those that were renamed.

        In one request; return an answer for each. Raises what ``look_up`` raises.
        """


class ClientOutcome(msgspec.Struct, frozen=True):
    """The latest outcome of one of a source's clients, known by its budget's key.

    ``refusal``: why the source refuses its login, None if it was served. ``retry_in``: seconds until its next login.
    """

    key: str
    refusal: str | None = None
    retry_in: float = 0.0


@runtime_checkable
class SeveralClients(Protocol):
    """A source that may be read with several clients, of which each may be refused alone."""

    def client_outcomes(self) -> Sequence[ClientOutcome]:
        """Return the latest outcome of each client used since the last call; none of an only client."""


class SearchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A page of what was published in ``places`` from ``since`` until ``until`` (epoch seconds).

    ``words``: if any are given, an item has to contain at least one of them; the source may ignore that. ``position``
    is how far this search has got, None at its start.
    """

    kinds: tuple[ItemKind, ...]
    places: tuple[str, ...]
    since: float
    until: float
    words: tuple[str, ...] = ()
    position: str | None = None


class SearchPage(msgspec.Struct, frozen=True):
    """Items, and where the search goes on; None: it has ended. ``truncated``: the source has more than it shows."""

    items: tuple[Item, ...]
    position: str | None = None
    truncated: bool = False


@runtime_checkable
class ItemSearch(Protocol):
    """What backfilling needs from a source that can search its past."""

    name: str

    def search(self, request: SearchRequest, budget: RequestTokens) -> SearchPage:
        """Return a page of items, in one request. Raises what ``read`` raises."""
