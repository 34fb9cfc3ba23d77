"""Reddit, through PRAW: raw JSON, one HTTP request per page (plus one for a login when there is no token)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from overheard.clock import Clock, system_clock
from overheard.config import Config, RedditSettings
from overheard.errors import ConfigError, FeedRefused, RetryableError
from overheard.items import ALL, KINDS_IN, FeedKind, Item, ItemKind
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import (
    ClientOutcome,
    GroupLimit,
    LookupResult,
    NumberedPage,
    Page,
    PlaceAnswer,
    ReadRequest,
    RequestTokens,
    SearchPage,
    SearchRequest,
)
from overheard.sources.reddit.clients import RedditClients
from overheard.sources.reddit.items import ParsedChild, parse_children, parse_listing
from overheard.sources.reddit.listing_cursor import merge_cursors
from overheard.sources.reddit.listing_reader import ListingReader
from overheard.sources.reddit.names import LOOKUP_ITEMS, MISSING_SETTING, NAMES_MAX_BYTES, SOURCE, numbered
from overheard.sources.reddit.number_position import is_number_position
from overheard.sources.reddit.number_reader import NumberReader
from overheard.sources.reddit.place_check import answers_by_name, answers_by_ref
from overheard.sources.reddit.requestor import RequestPurpose
from overheard.sources.reddit.responses import TOKEN_ENDPOINT
from overheard.sources.reddit.search import SearchReader

log = get_logger(__name__)

PAGE_ITEMS = 100
LISTING_ITEMS = 1000  # the depth of Reddit's listings
ENDPOINT_OF_KIND: dict[FeedKind, str] = {"posts": "new", "comments": "comments"}
# These series start at 0, so that rates see the first response; others start with their first response.
PRESET_STATUSES = ("200", "429", "blocked", "error")
MAX_FEEDS_PER_REQUEST = 200  # the upper bound of [fetch] group_size
_FEED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # no character that could alter the path or the query

NO_CREDENTIALS = f"""{MISSING_SETTING}: without them Reddit cannot be read.
  1. Take an app of the type "script" from https://www.reddit.com/prefs/apps (Reddit rarely approves new ones)
  2. Put its id and secret into pipeline.toml, [sources.reddit] client_id and client_secret, or into the environment:
       export OVERHEARD_SOURCES__REDDIT__CLIENT_ID=…
       export OVERHEARD_SOURCES__REDDIT__CLIENT_SECRET_FILE=/path/to/a/file
  3. Set [sources.reddit] user_agent = "linux:your-app-id:0.1 (by /u/your-name)"
  Without credentials, `overheard demo` shows everything with a simulated Reddit."""


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock = system_clock) -> RedditSource:
    """Open the source. Raises ConfigError, with instructions, when credentials are missing."""
    reddit = config.sources.reddit
    if not reddit.clients or not reddit.user_agent:
        raise ConfigError(NO_CREDENTIALS.splitlines())
    return RedditSource(reddit, metrics, clock=clock)


class RedditSource:
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = SOURCE
    group_limit = GroupLimit(MAX_FEEDS_PER_REQUEST, NAMES_MAX_BYTES)

    def __init__(self, settings: RedditSettings, metrics: ProcessMetrics, *, clock: Clock = system_clock) -> None:
        self._settings = settings
        self._clock = clock
        self._clients = RedditClients(settings, metrics, clock)
        self._unreadable = metrics.items_unreadable.labels(SOURCE)
        for endpoint in (TOKEN_ENDPOINT, *ENDPOINT_OF_KIND.values(), "info", "search"):
            for status in PRESET_STATUSES:
                metrics.reddit_requests.labels(endpoint, status)

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read a page of ``r/a+b/new`` or ``r/a+b/comments``; ``listing_reader`` decides where the reading ends.

        All of Reddit is read by its items' numbers instead, and many subreddits may be: ``number_reader``. What is
        removed already is left out: should it be restored, a second look finds it.

        FeedRefused for several places may also mean that their names together are too long for a URL.
        """
        kind, names = request.kind, request.places
        self._check_names(names)
        if request.position is None:
            by_number = request.by_number or names == (ALL,)
        else:
            by_number = is_number_position(request.position)
        if by_number:
            return self._read_by_number(request, budget)
        reader = ListingReader(request, page_size=PAGE_ITEMS, depth=LISTING_ITEMS)
        path = f"r/{'+'.join(names)}/{ENDPOINT_OF_KIND[kind]}"
        params = {"limit": str(PAGE_ITEMS)} | ({"after": reader.after} if reader.after else {})
        listing = parse_listing(self._clients.get(path, params, RequestPurpose(ENDPOINT_OF_KIND[kind], budget, names)))
        (item_kind,) = KINDS_IN[kind]
        children = parse_children(listing.children, item_kind)
        page = reader.take(self._items(children, item_kind), listing.after)
        return msgspec.structs.replace(page, items=_without_removed(page.items, children))

    def _read_by_number(self, request: ReadRequest, budget: RequestTokens) -> Page:
        kind = request.kind
        reader = NumberReader(request, self._clock())
        if reader.numbers:
            return reader.take(self.read_numbers(kind, reader.numbers, budget))
        try:
            return reader.take_newest(self._newest(kind, budget))
        except FeedRefused as refusal:
            if reader.must_ask_head:
                if request.places == (ALL,):
                    raise
                # Not the fault of one of the subreddits.
                raise RetryableError(f"Reddit refuses r/{ALL} ({refusal.reason})") from refusal
            log.warning("the head of all of Reddit is unknown", kind=kind, reason=refusal.reason)
            return reader.take_newest(())

    def _newest(self, kind: FeedKind, budget: RequestTokens) -> tuple[Item, ...]:
        """Return the newest page of r/all, without items that cannot be parsed."""
        (item_kind,) = KINDS_IN[kind]
        purpose = RequestPurpose(ENDPOINT_OF_KIND[kind], budget, (ALL,))
        path = f"r/{ALL}/{ENDPOINT_OF_KIND[kind]}"
        listing = parse_listing(self._clients.get(path, {"limit": str(PAGE_ITEMS)}, purpose))
        return self._items(parse_children(listing.children, item_kind), item_kind)

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the cursor of a group that takes in feeds of other groups."""
        return merge_cursors(older, newer)

    def probe(self, budget: RequestTokens) -> None:
        """Request the newest post of r/all. Raises FeedRefused when Reddit refuses even that."""
        self._clients.get(f"r/{ALL}/new", {"limit": "1"}, RequestPurpose(ENDPOINT_OF_KIND["posts"], budget, (ALL,)))

    def look_up(self, ids: Sequence[str], budget: RequestTokens) -> LookupResult:
        """Look up at most 100 items by fullname, in one request.

        When a child of the answer cannot be parsed, no id counts as absent: any of them may be that child.
        Raises what ``read`` raises, except FeedRefused.
        """
        children = self._info(ids, budget)
        shown = {child.item.id: child for child in children if child.item}
        gone = {name for name, child in shown.items() if child.removed}
        items = tuple(child.item for name, child in shown.items() if child.item and name not in gone)
        readable = all(child.item for child in children)
        if not readable:
            log.warning("an item looked up cannot be parsed", count=sum(child.item is None for child in children))
        absent = tuple(name for name in ids if name not in shown) if readable else ()
        return LookupResult(items, tuple(name for name in ids if name in gone), absent)

    def read_numbers(self, kind: FeedKind, numbers: Sequence[int], budget: RequestTokens) -> NumberedPage:
        """Look up at most 100 posts or comments by number, in one request. Raises what ``look_up`` raises.

        What is removed or cannot be parsed is neither an item nor absent: the number is taken.
        """
        (item_kind,) = KINDS_IN[kind]
        by_id = {numbered(item_kind, number): number for number in numbers}
        children = self._info(list(by_id), budget)
        shown = {child.item.id for child in children if child.item}
        items = self._items([child for child in children if not child.removed], item_kind)
        held = tuple(by_id[name] for name in sorted(by_id.keys() & (shown - {item.id for item in items})))
        if any(child.item is None for child in children):
            return NumberedPage(items, held=held)
        return NumberedPage(items, tuple(number for item_id, number in by_id.items() if item_id not in shown), held)

    def check_places(self, places: Sequence[str], budget: RequestTokens) -> Sequence[PlaceAnswer]:
        """Ask which of at most 100 subreddits exist and can be read, in one request. Raises what ``look_up`` raises.

        A banned one cannot be told from one that does not exist: both are ``missing``.
        """
        return answers_by_name(places, self._info_children("sr_name", places, budget))

    def find_places(self, refs: Sequence[str], budget: RequestTokens) -> Sequence[PlaceAnswer]:
        """Ask for at most 100 subreddits by their ids, in one request. Raises what ``look_up`` raises."""
        return answers_by_ref(refs, self._info_children("id", refs, budget))

    def search(self, request: SearchRequest, budget: RequestTokens) -> SearchPage:
        """Return a page of posts, the newest first; without a request if only comments are wanted.

        Raises what ``read`` raises.
        """
        self._check_names(request.places)
        reader = SearchReader(request, self._clock())
        if not reader.can_search:
            return reader.without_comments()
        listing = parse_listing(
            self._clients.get(reader.path, reader.params, RequestPurpose("search", budget, reader.places))
        )
        children = parse_children(listing.children, "post")
        page = reader.take(self._items(children, "post"), listing.after)
        return msgspec.structs.replace(page, items=_without_removed(page.items, children))

    def client_outcomes(self) -> Sequence[ClientOutcome]:
        """Return the latest outcome of each client used since the last call; none of an only client."""
        return self._clients.outcomes()

    def client_names(self) -> Sequence[str]:
        """Return the names of all clients, in the order of the configuration."""
        return list(self._clients.by_name)

    def check_login(self, client: str, budget: RequestTokens) -> str:
        """Log one client in, read one post, and return a line that describes both. Raises what ``look_up`` raises."""
        purpose = RequestPurpose(ENDPOINT_OF_KIND["posts"], budget.of(client))
        listing = parse_listing(self._clients.by_name[client].get(f"r/{ALL}/new", {"limit": "1"}, purpose))
        items = self._items(parse_children(listing.children, "post"), "post")
        settings = self._settings
        account = f"u/{settings.username}" if settings.username and settings.password else "an app without a user"
        newest = items[0].id if items else "none"
        return f"{settings.oauth_url} answers {account}; newest post: {newest}"

    def close(self) -> None:
        """Close the connections of all threads. A later read opens new ones."""
        self._clients.close()

    def _info(self, ids: Sequence[str], budget: RequestTokens) -> list[ParsedChild]:
        return parse_children(self._info_children("id", ids, budget))

    def _info_children(self, parameter: str, names: Sequence[str], budget: RequestTokens) -> list[Any]:
        if len(names) > LOOKUP_ITEMS:
            raise ValueError(f"{len(names)} names: Reddit accepts {LOOKUP_ITEMS} per request")
        purpose = RequestPurpose("info", budget)
        return parse_listing(self._clients.get("api/info", {parameter: ",".join(names)}, purpose)).children

    @staticmethod
    def _check_names(names: Sequence[str]) -> None:
        for name in names:
            if not _FEED_NAME.fullmatch(name):
                raise FeedRefused("missing", (name,))

    def _items(self, children: list[ParsedChild], kind: ItemKind) -> tuple[Item, ...]:
        wrong = [child.wrong for child in children if child.item is None]
        if wrong:
            self._unreadable.inc(len(wrong))
            log.warning("skipped children that cannot be parsed", kind=kind, count=len(wrong), first=wrong[0])
        return tuple(child.item for child in children if child.item is not None)


def _without_removed(items: Sequence[Item], children: Sequence[ParsedChild]) -> tuple[Item, ...]:
    """Return the items without removed ones, of which there is nothing to read. A reader has to see them all before."""
    removed = {child.item.id for child in children if child.item and child.removed}
    return tuple(item for item in items if item.id not in removed)
