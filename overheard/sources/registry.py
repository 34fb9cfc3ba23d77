"""All sources, each with the facts that need no request. A new source is one module and one entry here.

Only names are imported here, never a source's client: the command line starts without loading PRAW.
"""

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
    """Return the place unchanged (``all`` in lower case). Raises InvalidInput if empty, too long or with spaces."""
    if not text or len(text) > PLACE_MAX_CHARS or not text.isprintable() or " " in text:
        raise InvalidInput(f"{text[:PLACE_MAX_CHARS]!r} cannot be the name of a place")
    return ALL if text.lower() == ALL else text


def check_any_author(text: str) -> str:
    """Return the author unchanged. Raises InvalidInput if it is blank, too long or not printable."""
    if not text.strip() or len(text) > PLACE_MAX_CHARS or not text.isprintable():
        raise InvalidInput(f"{text[:PLACE_MAX_CHARS]!r} cannot be the name of an author")
    return text


class RequestBudget(msgspec.Struct, frozen=True):
    """A source's request budget, shared by all processes. ``key`` is ``source:credentials``."""

    key: str
    per_minute: float
    burst: int

    @property
    def recheck_key(self) -> str:
        """The key of the share of the budget in which urgent rechecks reserve slots.

        It is a budget of its own, so that many urgent rechecks cannot take the slots of fetch.
        ``actors.wiring`` gives it a burst of 1, which spreads its requests evenly between those of fetch.
        """
        return f"recheck-{self.key}"


class SourceType(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a source without a request to it.

    ``feeds``: the feeds into which the source divides a place. ``factory``: dotted path (``module:function``) of the
    function that opens it, given the configuration, the metrics and a clock; it raises ConfigError, with instructions,
    when a setting is missing. ``budget`` returns its request budget, None for a source that makes no requests.
    ``lookup_size``: how many items one request looks up, None if it cannot look items up. ``check_place`` returns a
    place's canonical name or raises InvalidInput; ``check_author`` does so for an author. ``internal``: Overheard's
    own, workspaces cannot watch it.
    """

    name: str
    feeds: tuple[FeedKind, ...]
    factory: str
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
        """Return the feeds that contain ``kinds`` (``posts``, ``comments``), each with the item kinds to watch."""
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
            factory="overheard.sources.reddit.source:open_source",
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
            factory="overheard.sources.replay.source:open_source",
            place_label="replay:{}".format,
        ),
        SourceType(name=canary.SOURCE, feeds=("posts",), factory="overheard.sources.canary:open_source", internal=True),
    )
}


def source_type(source: str) -> SourceType:
    """Return the entry of a source."""
    # Items of a source that a later release has removed are still stored: they are shown with the plain defaults.
    return SOURCES.get(source) or SourceType(name=source, feeds=(), factory="")


def place_label(source: str, place: str) -> str:
    """Return a place as users write it, such as r/python."""
    return source_type(source).place_label(place)


def author_label(source: str, author: str | None) -> str:
    """Return an author as users write the name, such as u/alice. None: the account or the item was deleted."""
    return source_type(source).author_label(author) if author else "[deleted]"


def bare_permalink(source: str, permalink: str) -> str:
    """Return an item's link without the words of its thread's title."""
    return source_type(source).bare_permalink(permalink)


def is_internal(source: str) -> bool:
    """Return True if a source is Overheard's own; its items are left out of all counts that users see."""
    return source_type(source).internal


def request_budget(source: str, config: Config) -> RequestBudget | None:
    """Return a source's request budget; None when it makes no requests or is unknown."""
    return source_type(source).budget(config)


def budgets(config: Config) -> list[RequestBudget]:
    """Return the request budgets of all sources."""
    return [budget for each in SOURCES.values() if (budget := each.budget(config)) is not None]


def lookup_sizes() -> dict[str, int]:
    """Return how many items one request looks up, by source; sources without lookups are left out."""
    return {each.name: each.lookup_size for each in SOURCES.values() if each.lookup_size}


def open_sources(config: Config, metrics: ProcessMetrics, clock: Clock) -> dict[str, Source]:
    """Open all sources, by name. One that is not configured is replaced by a source that postpones every reading."""
    opened: dict[str, Source] = {}
    for name, each in SOURCES.items():
        try:
            opened[name] = resolve_name(each.factory)(config, metrics, clock)
        except ConfigError as error:
            log.warning("source not configured: its feeds are not read", source=name, exc_info=error)
            opened[name] = NotConfiguredSource(name, error.problems[0])
    return opened


def watchable() -> list[str]:
    """Return the names of the sources that workspaces can watch."""
    return [name for name, each in SOURCES.items() if not each.internal]
