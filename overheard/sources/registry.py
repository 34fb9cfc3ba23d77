"""The sources there are, and what is known of each without asking it. A new source is one module and one entry here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pkgutil import resolve_name

import msgspec

from overheard import canary
from overheard.clock import Clock
from overheard.config import Config
from overheard.errors import ConfigError, InvalidInput
from overheard.items import ALL, KINDS_IN, FeedKind, ItemKind
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Source
from overheard.sources.not_configured import NotConfiguredSource
from overheard.sources.reddit import names as reddit

log = get_logger(__name__)


PLACE_MAX_CHARS = 100


def check_any_place(text: str) -> str:
    """Return the place as it is. Raises InvalidInput when it is empty, too long, or has white space in it."""
    if not text or len(text) > PLACE_MAX_CHARS or not text.isprintable() or " " in text:
        raise InvalidInput(f"{text[:PLACE_MAX_CHARS]!r} cannot be the name of a place")
    return ALL if text.lower() == ALL else text


def check_any_author(text: str) -> str:
    """Return the author as it is. Raises InvalidInput when it is empty, too long, or cannot be printed."""
    if not text.strip() or len(text) > PLACE_MAX_CHARS or not text.isprintable():
        raise InvalidInput(f"{text[:PLACE_MAX_CHARS]!r} cannot be the name of an author")
    return text


class RequestBudget(msgspec.Struct, frozen=True):
    """A source's budget of requests, shared by all processes. ``key``: its name, a colon, and whose it is."""

    key: str
    per_minute: float
    burst: int

    @property
    def recheck_key(self) -> str:
        """The key of the part of it for which urgent rechecks may reserve slots."""
        return f"recheck-{self.key}"


class SourceType(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a source without asking it.

    ``feeds`` are the feeds into which it divides a place. ``opens`` is the dotted path (``module:function``) of what
    opens it, given the configuration, the metrics and a clock; it raises ConfigError, with what to do, when the
    operator has to give something first. ``budget`` names its budget of requests (None: it makes none).
    ``lookup_size``: how many items one request looks up (None: it cannot look items up). ``check_place`` returns a
    place's name in its canonical spelling, or raises InvalidInput; ``check_author`` an author's. ``internal``: nobody
    else's; people cannot watch it.
    """

    name: str
    feeds: tuple[FeedKind, ...]
    opens: str
    internal: bool = False
    budget: Callable[[Config], RequestBudget | None] = lambda config: None
    lookup_size: int | None = None
    check_place: Callable[[str], str] = check_any_place
    check_author: Callable[[str], str] = check_any_author
    place_label: Callable[[str], str] = str
    author_label: Callable[[str], str] = str
    bare_permalink: Callable[[str], str] = str  # without words of the thread's title
    item_id: re.Pattern[str] = re.compile(r"[^\s\x00-\x1f\x7f\ud800-\udfff]{1,500}")
    item_id_words: str = "the source's id of an item"

    def feeds_for(self, kinds: Collection[FeedKind]) -> dict[FeedKind, tuple[ItemKind, ...]]:
        """Return the feeds that hold these kinds (``posts``, ``comments``), each with the kinds of item to watch."""
        wanted = {item for kind in kinds for item in KINDS_IN[kind]}
        found = {feed: tuple(item for item in KINDS_IN[feed] if item in wanted) for feed in self.feeds}
        return {feed: items for feed, items in found.items() if items}


def _reddit_budget(config: Config) -> RequestBudget:
    rules = config.sources.reddit
    return RequestBudget(reddit.budget_key(rules.client_in_use), rules.requests_per_minute, rules.burst)


SOURCES: dict[str, SourceType] = {
    each.name: each
    for each in (
        SourceType(
            name=reddit.SOURCE,
            feeds=("posts", "comments"),
            opens="overheard.sources.reddit.source:open_source",
            budget=_reddit_budget,
            lookup_size=reddit.LOOKUP_ITEMS,
            check_place=reddit.check_place,
            check_author=reddit.check_author,
            place_label="r/{}".format,
            author_label="u/{}".format,
            bare_permalink=reddit.without_title_slug,
            item_id=reddit.FULLNAME,
            item_id_words="the fullname of a post or comment, such as t3_1abc or t1_1abc",
        ),
        SourceType(
            name="replay",
            feeds=("items",),
            opens="overheard.sources.replay.source:open_source",
            place_label="replay:{}".format,
        ),
        SourceType(name=canary.SOURCE, feeds=("posts",), opens="overheard.sources.canary:open_source", internal=True),
    )
}


def type_of(source: str) -> SourceType:
    """Return what is known of a source; of one that was taken out, and left items behind, that is next to nothing."""
    return SOURCES.get(source) or SourceType(name=source, feeds=(), opens="")


def place_label(source: str, place: str) -> str:
    """Return a place as people write it: r/python."""
    return type_of(source).place_label(place)


def author_label(source: str, author: str | None) -> str:
    """Return an author as people write the name: u/alice. None has deleted the account, or the item."""
    return type_of(source).author_label(author) if author else "[deleted]"


def bare_permalink(source: str, permalink: str) -> str:
    """Return an item's link without words of its thread's title."""
    return type_of(source).bare_permalink(permalink)


def is_internal(source: str) -> bool:
    """Return whether a source is Overheard's own: what it says is in no count of people's."""
    return type_of(source).internal


def request_budget(source: str, config: Config) -> RequestBudget | None:
    """Return a source's budget of requests; None when it makes none, or is not known."""
    return type_of(source).budget(config)


def budgets(config: Config) -> list[RequestBudget]:
    """Return the budgets of all sources."""
    return [budget for each in SOURCES.values() if (budget := each.budget(config)) is not None]


def lookup_sizes() -> dict[str, int]:
    """Return the sources that can look items up, each with how many one request asks about."""
    return {each.name: each.lookup_size for each in SOURCES.values() if each.lookup_size}


def open_sources(config: Config, metrics: ProcessMetrics, clock: Clock) -> dict[str, Source]:
    """Open all sources, by name. In place of one that is not configured stands one whose feeds are put off."""
    opened: dict[str, Source] = {}
    for name, each in SOURCES.items():
        try:
            opened[name] = resolve_name(each.opens)(config, metrics, clock)
        except ConfigError as error:
            log.warning("source not configured: what is watched there is not read", source=name, exc_info=error)
            opened[name] = NotConfiguredSource(name, error.problems[0])
    return opened


def watchable() -> list[str]:
    """Return the names of the sources that people can watch."""
    return [name for name, each in SOURCES.items() if not each.internal]
