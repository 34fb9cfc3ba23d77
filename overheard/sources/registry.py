"""All sources, each with the facts that need no request. A new source is one module and one entry here.

Only names are imported here, never a source's client: the command line starts without loading PRAW.
"""

from __future__ import annotations

from pkgutil import resolve_name

from overheard import canary
from overheard.clock import Clock
from overheard.config import Config
from overheard.errors import ConfigError
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Source, StreamedSource
from overheard.sources.bluesky import names as bluesky
from overheard.sources.feeds import names as feeds
from overheard.sources.hackernews import names as hackernews
from overheard.sources.mastodon import names as mastodon
from overheard.sources.not_configured import NotConfiguredSource
from overheard.sources.reddit import names as reddit
from overheard.sources.reddit.gap_numbers import gap_numbers
from overheard.sources.source_type import RequestBudget, SourceType
from overheard.sources.stackexchange import names as stackexchange

log = get_logger(__name__)


def _reddit_budget(config: Config) -> RequestBudget:
    settings = config.sources.reddit
    first, *others = [reddit.client_key(client.client_id) for client in settings.clients] or [reddit.client_key("")]
    return RequestBudget(first, settings.requests_per_minute, settings.burst, others=tuple(others), averaged=True)


def _reddit_missing(config: Config) -> str | None:
    settings = config.sources.reddit
    return None if settings.clients and settings.user_agent else reddit.MISSING_SETTING


def _replay_missing(config: Config) -> str | None:
    return None if config.sources.replay.path else "[sources.replay] path is not set"


def _hackernews_budget(config: Config) -> RequestBudget:
    per_second = config.sources.hackernews.requests_per_second
    return RequestBudget(hackernews.BUDGET_KEY, 60.0 * per_second, max(1, int(per_second)))


def _mastodon_budget(config: Config) -> RequestBudget:
    return RequestBudget(mastodon.BUDGET_KEY, mastodon.REQUESTS_PER_MINUTE, mastodon.BURST_REQUESTS)


def _stackexchange_budget(config: Config) -> RequestBudget:
    key = config.sources.stackexchange.key.get_secret_value()
    return RequestBudget(
        stackexchange.budget_key(key), stackexchange.requests_per_minute(key), stackexchange.BURST_REQUESTS
    )


SOURCES: dict[str, SourceType] = {
    each.name: each
    for each in (
        SourceType(
            name=reddit.SOURCE,
            feeds=("posts", "comments"),
            factory="overheard.sources.reddit.source:open_source",
            missing_setting=_reddit_missing,
            searchable=True,
            merged=True,
            name_bytes=reddit.NAMES_MAX_BYTES,
            all_per_minute=reddit.ALL_PER_MINUTE,
            deletions="lookup",
            budget=_reddit_budget,
            lookup_size=reddit.LOOKUP_ITEMS,
            numbered_size=reddit.LOOKUP_ITEMS,
            gap_numbers=gap_numbers,
            places_size=reddit.LOOKUP_ITEMS,
            check_place=reddit.check_place,
            check_author=reddit.check_author,
            place_prefix="r/",
            author_label="u/{}".format,
            bare_permalink=reddit.without_title_slug,
            logged_id=str,
            item_of_url=reddit.item_of_url,
            item_id=reddit.FULLNAME,
            item_id_words="the fullname of a post or comment, such as t3_1abc or t1_1abc",
        ),
        SourceType(
            name=hackernews.SOURCE,
            feeds=("items",),
            factory="overheard.sources.hackernews.source:open_source",
            undivided=True,
            title="Hacker News",
            searchable=True,
            fresh_for=hackernews.FRESH_SECONDS,
            deletions="lookup",
            budget=_hackernews_budget,
            lookup_size=hackernews.LOOKUP_ITEMS,
            check_place=hackernews.check_place,
            check_author=hackernews.check_author,
            logged_id=str,
            item_of_url=hackernews.item_of_url,
            item_id=hackernews.ITEM_ID,
            item_id_words=hackernews.ITEM_ID_WORDS,
        ),
        SourceType(
            name=feeds.SOURCE,
            feeds=("items",),
            factory="overheard.sources.feeds.source:open_source",
            many_servers=True,
            check_place=feeds.check_place,
            public_place=feeds.public_place,
            item_id=feeds.ITEM_ID,
            item_id_words=feeds.ITEM_ID_WORDS,
        ),
        SourceType(
            name=bluesky.SOURCE,
            feeds=("items",),
            factory="overheard.sources.bluesky.source:open_source",
            undivided=True,
            title="Bluesky",
            streamed=True,
            deletions="stream",
            check_place=bluesky.check_place,
            check_author=bluesky.check_author,
            item_id=bluesky.ITEM_ID,
            item_id_words="the at:// URI of a post",
        ),
        SourceType(
            name=mastodon.SOURCE,
            feeds=("items",),
            factory="overheard.sources.mastodon.source:open_source",
            many_servers=True,
            deletions="lookup",
            budget=_mastodon_budget,
            lookup_size=mastodon.LOOKUP_ITEMS,
            check_place=mastodon.check_place,
            check_author=mastodon.check_author,
            place_prefix="Mastodon ",
            author_label="@{}".format,
            item_id_words="the uri of a status, such as https://mastodon.social/users/ann/statuses/1",
        ),
        SourceType(
            name=stackexchange.SOURCE,
            feeds=("posts", "comments"),
            factory="overheard.sources.stackexchange.source:open_source",
            deletions="lookup",
            budget=_stackexchange_budget,
            lookup_size=stackexchange.LOOKUP_ITEMS,
            check_place=stackexchange.check_place,
            place_prefix="Stack Exchange ",
            logged_id=str,
            license=stackexchange.LICENSE,
            item_id=stackexchange.ITEM_ID,
            item_id_words="the id of a question or answer, such as stackoverflow/q/1 or stackoverflow/a/2",
        ),
        SourceType(
            name="replay",
            feeds=("items",),
            missing_setting=_replay_missing,
            deletions="stream",
            factory="overheard.sources.replay.source:open_source",
        ),
        SourceType(
            name=canary.SOURCE,
            feeds=("posts",),
            factory="overheard.sources.canary:open_source",
            internal=True,
            logged_id=str,
        ),
    )
}


def source_type(source: str) -> SourceType:
    """Return the entry of a source."""
    # Items of a source that a later release has removed are still stored: they are shown with the plain defaults.
    return SOURCES.get(source) or SourceType(name=source, feeds=(), factory="")


def place_label(source: str, place: str) -> str:
    """Return a place as users write it, such as r/python."""
    return source_type(source).place_label(place)


def public_place(source: str, place: str) -> str:
    """Return a place without the secrets that it may hold: what leaves Overheard."""
    return source_type(source).public_place(place)


def author_label(source: str, author: str | None) -> str:
    """Return an author as users write the name, such as u/alice. None: the account or the item was deleted."""
    return source_type(source).author_label(author) if author else "[deleted]"


def byline(source: str, author: str | None) -> str:
    """Return who to name beside a text of theirs: the author, and the license if the text is shown under one."""
    license = source_type(source).license
    return f"{author_label(source, author)}, {license}" if license else author_label(source, author)


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


def streamed() -> list[str]:
    """Return the names of the sources that producers read all the time."""
    return [name for name, each in SOURCES.items() if each.streamed]


def open_stream(name: str, config: Config, metrics: ProcessMetrics, clock: Clock) -> StreamedSource:
    """Open a streamed source. Raises ConfigError."""
    opened: StreamedSource = resolve_name(SOURCES[name].factory)(config, metrics, clock)
    return opened


def watchable() -> list[str]:
    """Return the names of the sources that workspaces can watch."""
    return [name for name, each in SOURCES.items() if not each.internal]
