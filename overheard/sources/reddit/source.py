"""Reddit, through PRAW: raw JSON, one HTTP request a page (and a login's when there is no token)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from overheard.clock import Clock, system_clock
from overheard.config import Config, RedditSettings
from overheard.errors import ConfigError, FeedRefused
from overheard.items import ALL, KINDS_IN, FeedKind, Item, ItemKind
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import GroupLimit, LookupResult, Page, ReadRequest, RequestTokens
from overheard.sources.reddit.client import RedditClient
from overheard.sources.reddit.items import ParsedChild, is_text_removed, parse_children, parse_listing
from overheard.sources.reddit.listing_reader import ListingReader, merge_cursors
from overheard.sources.reddit.names import LOOKUP_ITEMS, SOURCE
from overheard.sources.reddit.requestor import RequestPurpose
from overheard.sources.reddit.responses import TOKEN_ENDPOINT

log = get_logger(__name__)

PAGE_ITEMS = 100
LISTING_ITEMS = 1000  # as deep as Reddit's listings go
ENDPOINT_OF_KIND: dict[FeedKind, str] = {"posts": "new", "comments": "comments"}
PRESET_STATUSES = ("200", "429", "blocked", "error")  # counted from 0; other answers from their first
NAMES_MAX_BYTES = 1500  # of the names in a listing's URL: what is known to work is below 2,000 in all
MAX_FEEDS_PER_REQUEST = 200  # in one request: as many as [fetch] group_size may be
_FEED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # nothing in it alters the path or the query

NO_CREDENTIALS = """[sources.reddit] client_id and user_agent are not set: there is nothing to ask Reddit with.
  1. Take an app of the type "script" from https://www.reddit.com/prefs/apps (Reddit hardly approves new ones any more)
  2. Put its id and secret into pipeline.toml, [sources.reddit] client_id and client_secret, or into the environment:
       export OVERHEARD_REDDIT__CLIENT_ID=…  OVERHEARD_REDDIT__CLIENT_SECRET_FILE=/path/to/a/file
  3. Set [sources.reddit] user_agent = "linux:your-app-id:0.1 (by /u/your-name)"
  Without credentials, `overheard demo` shows everything on a Reddit of its own."""


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock = system_clock) -> RedditSource:
    """Open the source. Raises ConfigError, with what to do, when there are no credentials."""
    reddit = config.sources.reddit
    if not reddit.clients or not reddit.user_agent:
        raise ConfigError(NO_CREDENTIALS.splitlines())
    return RedditSource(reddit, metrics, clock=clock)


class RedditSource:
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = SOURCE
    group_limit = GroupLimit(MAX_FEEDS_PER_REQUEST, NAMES_MAX_BYTES)

    def __init__(self, settings: RedditSettings, metrics: ProcessMetrics, *, clock: Clock = system_clock) -> None:
        self._client = RedditClient(settings, metrics, clock)
        self._unreadable = metrics.items_unreadable.labels(SOURCE)
        for endpoint in (TOKEN_ENDPOINT, *ENDPOINT_OF_KIND.values(), "info"):
            for status in PRESET_STATUSES:
                metrics.reddit_requests.labels(endpoint, status)

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read a page of ``r/a+b/new`` or ``r/a+b/comments``, as ``Source.read`` and ``backward`` say.

        FeedRefused for several names may also mean that together they are too long for a URL.
        """
        kind, names = request.kind, request.places
        for name in names:
            if not _FEED_NAME.fullmatch(name):
                raise FeedRefused("missing", (name,))
        reader = ListingReader(request, page_size=PAGE_ITEMS, depth=LISTING_ITEMS)
        path = f"r/{'+'.join(names)}/{ENDPOINT_OF_KIND[kind]}"
        params = {"limit": str(PAGE_ITEMS)} | ({"after": reader.after} if reader.after else {})
        found = parse_listing(self._client.get(path, params, RequestPurpose(ENDPOINT_OF_KIND[kind], budget, names)))
        (only,) = KINDS_IN[kind]
        return reader.take(self._items(parse_children(found.children, only), only), found.after)

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the cursor of a group to which the feeds of others are added."""
        return merge_cursors(older, newer)

    def probe(self, budget: RequestTokens) -> None:
        """Ask for the newest post of all. Raises FeedRefused when Reddit refuses even that."""
        self._client.get(f"r/{ALL}/new", {"limit": "1"}, RequestPurpose(ENDPOINT_OF_KIND["posts"], budget, (ALL,)))

    def look_up(self, ids: Sequence[str], budget: RequestTokens) -> LookupResult:
        """Look up to 100 items by fullname, in one request.

        When a child of the answer cannot be read, what is not in the answer does not count as absent: it may be that.
        Raises as ``read`` does, but for FeedRefused.
        """
        if len(ids) > LOOKUP_ITEMS:
            raise ValueError(f"{len(ids)} names: Reddit takes {LOOKUP_ITEMS} at once")
        found = parse_listing(self._client.get("api/info", {"id": ",".join(ids)}, RequestPurpose("info", budget)))
        read = parse_children(found.children)
        shown = {one.item.id: one for one in read if one.item}
        gone = {name for name, one in shown.items() if one.gone or (one.item and is_text_removed(one.item))}
        items = tuple(one.item for name, one in shown.items() if one.item and name not in gone)
        readable = all(one.item for one in read)
        if not readable:
            log.warning("an item looked up has not the form of one", count=sum(one.item is None for one in read))
        absent = tuple(name for name in ids if name not in shown) if readable else ()
        return LookupResult(items, tuple(name for name in ids if name in gone), absent)

    def verify(self, budget: RequestTokens) -> str:
        """Log in, read one post, and say in a line what works. Raises as ``look_up`` does."""
        found = parse_listing(
            self._client.get(f"r/{ALL}/new", {"limit": "1"}, RequestPurpose(ENDPOINT_OF_KIND["posts"], budget))
        )
        items = self._items(parse_children(found.children, "post"), "post")
        settings = self._client.settings
        who = f"u/{settings.username}" if settings.username and settings.password else "an app without a user"
        newest = items[0].id if items else "none"
        return f"{settings.oauth_url} answers {who}; newest post: {newest}"

    def close(self) -> None:
        """Close every thread's connections. A later read opens new ones."""
        self._client.close()

    def _items(self, read: list[ParsedChild], kind: ItemKind) -> tuple[Item, ...]:
        wrong = [one.wrong for one in read if one.item is None]
        if wrong:
            self._unreadable.inc(len(wrong))
            log.warning("skipped what has not the form of an item", kind=kind, count=len(wrong), first=wrong[0])
        return tuple(one.item for one in read if one.item is not None)
