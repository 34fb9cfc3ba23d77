"""Reddit, through PRAW: raw JSON, one HTTP request a page (and a login's when there is no token)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from overheard.clock import Clock, system_clock
from overheard.errors import FeedRefused
from overheard.items import ALL, KINDS_IN, FeedKind, Item, ItemKind
from overheard.log import get_logger
from overheard.metrics import Metrics
from overheard.sources import Budget, Checked, Page
from overheard.sources.backward import BackwardReader, joined
from overheard.sources.reddit_client import RedditClient, RedditSettings
from overheard.sources.reddit_faults import TOKEN
from overheard.sources.reddit_http import Call
from overheard.sources.reddit_items import Reading, emptied, listing, readings

__all__ = ["Checked", "RedditSettings", "RedditSource"]

log = get_logger(__name__)

PAGE_ITEMS = 100
LISTING_ITEMS = 1000  # as deep as Reddit's listings go
ENDPOINT: dict[FeedKind, str] = {"posts": "new", "comments": "comments"}
USUAL = ("200", "429", "blocked", "error")  # counted from 0; other answers from their first
MOST_NAMES = 100  # what /api/info takes at once
_FEED_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # nothing in it alters the path or the query


class RedditSource:
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = "reddit"

    def __init__(self, settings: RedditSettings, metrics: Metrics, *, clock: Clock = system_clock) -> None:
        self._client = RedditClient(settings, metrics, clock)
        for endpoint in (TOKEN, *ENDPOINT.values(), "info"):
            for status in USUAL:
                metrics.reddit_requests.labels(endpoint, status)

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
        """Read a page of ``r/a+b/new`` or ``r/a+b/comments``, as ``Source.read`` and ``backward`` say.

        FeedRefused for several names may also mean that together they are too long for a URL.
        """
        for name in names:
            if not _FEED_NAME.fullmatch(name):
                raise FeedRefused("missing", (name,))
        reader = BackwardReader(
            names, cursor=cursor, position=position, since=since, page_size=PAGE_ITEMS, depth=LISTING_ITEMS
        )
        path = f"r/{'+'.join(names)}/{ENDPOINT[kind]}"
        params = {"limit": str(PAGE_ITEMS)} | ({"after": reader.after} if reader.after else {})
        found = listing(self._client.get(path, params, Call(ENDPOINT[kind], budget, tuple(names))))
        (only,) = KINDS_IN[kind]
        return reader.take(_items(readings(found.children, only), only), found.after)

    def join(self, older: str | None, newer: Sequence[str | None]) -> str | None:
        """Return the cursor of a group to which the feeds of others are added."""
        return joined(older, newer)

    def probe(self, budget: Budget) -> None:
        """Ask for the newest post of all. Raises FeedRefused when Reddit refuses even that."""
        self._client.get(f"r/{ALL}/new", {"limit": "1"}, Call(ENDPOINT["posts"], budget, (ALL,)))

    def info(self, names: Sequence[str], budget: Budget) -> Checked:
        """Look up to 100 items by fullname, in one request.

        When a child of the answer cannot be read, what is not in the answer does not count as absent: it may be that.
        Raises as ``read`` does, but for FeedRefused.
        """
        if len(names) > MOST_NAMES:
            raise ValueError(f"{len(names)} names: Reddit takes {MOST_NAMES} at once")
        found = listing(self._client.get("api/info", {"id": ",".join(names)}, Call("info", budget)))
        read = readings(found.children)
        shown = {one.item.id: one for one in read if one.item}
        gone = {name for name, one in shown.items() if one.gone or (one.item and emptied(one.item))}
        items = tuple(one.item for name, one in shown.items() if one.item and name not in gone)
        readable = all(one.item for one in read)
        if not readable:
            log.warning("an item looked up has not the form of one", count=sum(one.item is None for one in read))
        absent = tuple(name for name in names if name not in shown) if readable else ()
        return Checked(items, tuple(name for name in names if name in gone), absent)

    def verify(self, budget: Budget) -> str:
        """Log in, read one post, and say in a line what works. Raises as ``info`` does."""
        found = listing(self._client.get(f"r/{ALL}/new", {"limit": "1"}, Call(ENDPOINT["posts"], budget)))
        items = _items(readings(found.children, "post"), "post")
        settings = self._client.settings
        who = f"u/{settings.username}" if settings.username and settings.password else "an app without a user"
        newest = items[0].id if items else "none"
        return f"{settings.oauth_url} answers {who}; newest post: {newest}"

    def close(self) -> None:
        """Close every thread's connections. A later read opens new ones."""
        self._client.close()


def _items(read: list[Reading], kind: ItemKind) -> tuple[Item, ...]:
    wrong = [one.wrong for one in read if one.item is None]
    if wrong:
        log.warning("skipped what has not the form of an item", kind=kind, count=len(wrong), first=wrong[0])
    return tuple(one.item for one in read if one.item is not None)
