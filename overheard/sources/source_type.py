"""What is known about a source without a request to it: its feeds, its budget, and how names are written."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Literal

import msgspec

from overheard.config import Config
from overheard.errors import InvalidInput
from overheard.items import ALL, KINDS_IN, FeedKind, ItemKind
from overheard.reading.numbers import NumberRange

Deletions = Literal["lookup", "stream", "none"]

PLACE_MAX_CHARS = 100
AUTHOR_MAX_CHARS = 500  # feeds have names of several people in one


def check_any_place(text: str) -> str:
    """Return the place unchanged (``all`` in lower case). Raises InvalidInput if empty, too long or with spaces."""
    if not text or len(text) > PLACE_MAX_CHARS or not text.isprintable() or " " in text:
        raise InvalidInput(f"{text[:PLACE_MAX_CHARS]!r} cannot be the name of a place")
    return ALL if text.lower() == ALL else text


def check_any_author(text: str) -> str:
    """Return the author unchanged. Raises InvalidInput if it is blank, too long or not printable."""
    if not text.strip() or len(text) > AUTHOR_MAX_CHARS or not text.isprintable():
        raise InvalidInput(f"{text[:AUTHOR_MAX_CHARS]!r} cannot be the name of an author")
    return text


def hashed_id(ref: str) -> str:
    """Return a short hash of an item's id, for ids that may have an author's name or words in them."""
    return hashlib.sha256(ref.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class RequestBudget(msgspec.Struct, frozen=True):
    """A source's request budget, shared by all processes. ``key`` is ``source:credentials``.

    ``others``: the keys of further budgets of this rate, one for each further set of credentials. ``averaged``: the
    server averages over a window, no one of which may hold more than ``per_minute`` allows.
    """

    key: str
    per_minute: float
    burst: int
    others: tuple[str, ...] = ()
    averaged: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all budgets."""
        return (self.key, *self.others)

    @property
    def recheck_key(self) -> str:
        """The key of the share of the budget in which urgent rechecks reserve slots.

        It is a budget of its own, so that many urgent rechecks cannot take the slots of fetch.
        ``actors.wiring`` gives it a burst of 1, which spreads its requests evenly between those of fetch.
        """
        return f"recheck-{self.key}"


class SourceType(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a source without a request to it."""

    name: str
    feeds: tuple[FeedKind, ...]  # into which the source divides a place
    # The dotted path (``module:function``) of what opens it, given configuration, metrics and clock. It raises
    # ConfigError, with instructions, when a setting is missing; ``missing_setting`` says which without opening it.
    factory: str
    missing_setting: Callable[[Config], str | None] = lambda config: None
    internal: bool = False  # Overheard's own: workspaces cannot watch it

    # How it is read.
    budget: Callable[[Config], RequestBudget | None] = lambda config: None  # None: it makes no requests
    streamed: bool = False  # a producer reads it all the time, and the fetch stage does not
    merged: bool = False  # one request reads several feeds: their readings are planned
    name_bytes: int | None = None  # that the names in one request may have together; None: any number
    many_servers: bool = False  # its places are on servers of their own: a refusal of one says nothing about others
    fresh_for: float = math.inf  # seconds for which a poll serves others, if that is less than [fetch] fresh_for
    all_per_minute: Mapping[FeedKind, float] = {}  # about how many requests it takes to read everything of a kind

    # What else it can do.
    deletions: Deletions = "none"  # how they are learned of; with ``none``, its items have a retention of their own
    searchable: bool = False  # its past can be searched (``ItemSearch``)
    lookup_size: int | None = None  # items that are looked up together (``ItemLookup``); None: it cannot
    numbered_size: int | None = None  # items that one request looks up by number (``NumberedItems``); None: it cannot
    # The numbers to look up for a gap, from its reason and the ids of the items at its ends.
    gap_numbers: Callable[[str, str, str], NumberRange | None] = lambda reason, since, until: None
    places_size: int | None = None  # places that one request asks for (``PlaceCheck``); None: it cannot

    # Its places and authors, as users write them. The checks return the canonical name, or raise InvalidInput.
    check_place: Callable[[str], str] = check_any_place
    check_author: Callable[[str], str] = check_any_author
    undivided: bool = False  # it has no places, only ``all``, which is shown as ``title``
    title: str = ""
    place_prefix: str = ""  # before a place's name; empty: the source's name and a colon
    public_place: Callable[[str], str] = str  # without the secrets that a place may hold; twice is the same as once
    author_label: Callable[[str], str] = str
    license: str = ""  # of its texts, to be named beside the author

    # Its items.
    item_id: re.Pattern[str] = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,500}")
    item_id_words: str = "the source's id of an item"  # what ``item_id`` matches, for error messages
    item_of_url: Callable[[str], str | None] = lambda url: None  # from the address of an item's page
    bare_permalink: Callable[[str], str] = str  # without words of the thread's title
    logged_id: Callable[[str], str] = hashed_id  # without what its author wrote or is called

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Return what it can do, in fixed words."""
        optional = {
            "lookup": self.lookup_size is not None,
            "search": self.searchable,
            "places": self.places_size is not None,
            "enumerate": self.numbered_size is not None,
        }
        return ("stream" if self.streamed else "list", *(word for word, has in optional.items() if has))

    def place_label(self, place: str) -> str:
        """Return a place as users write it, such as r/python or replay:python; an address, without its secrets."""
        if self.undivided:
            return self.title
        shown = self.public_place(place)
        return shown if "://" in shown else f"{self.place_prefix or f'{self.name}:'}{shown}"

    def feeds_for(self, kinds: Collection[FeedKind]) -> dict[FeedKind, tuple[ItemKind, ...]]:
        """Return the feeds that contain ``kinds`` (``posts``, ``comments``), each with the item kinds to watch."""
        wanted = {item for kind in kinds for item in KINDS_IN[kind]}
        found = {feed: tuple(item for item in KINDS_IN[feed] if item in wanted) for feed in self.feeds}
        return {feed: items for feed, items in found.items() if items}

    def kinds_read(self, kinds: Collection[FeedKind]) -> list[FeedKind]:
        """Return those of ``kinds`` (``posts``, ``comments``) that the source's feeds contain."""
        return [kind for kind in kinds if self.feeds_for([kind])]
