"""Read feeds: one request each, conditional, for the window that it shows."""

from __future__ import annotations

import threading

from overheard.clock import Clock
from overheard.config import Config
from overheard.config.sources import FeedsSettings
from overheard.errors import FeedRefused
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import Page, ReadRequest, RequestTokens, SingleFeedSource
from overheard.sources.feeds import document, window
from overheard.sources.feeds.client import FeedClient, FeedResponse, validator
from overheard.sources.feeds.entries import FeedDocument, UnreadableFeed, base_of
from overheard.sources.feeds.names import SOURCE, public_place
from overheard.sources.feeds.window import FeedCursor, WindowNews

log = get_logger(__name__)

PAUSE_MAX_SECONDS = 86_400.0  # publishers may ask for a month; chosen, not measured
CUT_OFF_MAX_FEEDS = 10_000


class FeedsSource(SingleFeedSource):
    """Implements ``overheard.sources.Source``. Thread-safe."""

    name = SOURCE

    def __init__(self, settings: FeedsSettings, metrics: ProcessMetrics, *, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client = FeedClient(settings, clock)
        self._unreadable = metrics.items_unreadable.labels(SOURCE)
        self._lock = threading.Lock()
        self._cut_off: set[str] = set()

    def read(self, request: ReadRequest, budget: RequestTokens) -> Page:
        """Read a feed's window. Raises FeedRefused and BudgetExhausted."""
        if request.kind != "items":
            return Page(items=())
        (place,) = request.places
        known = window.decode(request.cursor)
        cursor = known or FeedCursor()
        try:
            response = self._client.get(place, cursor, budget)
            if response.http.status == 304:
                return self._page(cursor)
            found = self._parsed(place, response)
        except FeedRefused as refusal:  # the feed's URL may be secret, and the error's text has it
            raise FeedRefused(refusal.reason, (public_place(place),), delay=refusal.delay) from None
        except UnreadableFeed as error:
            # What was a feed before is likely to be one again soon.
            delay = self._client.retry_seconds if known else None
            raise FeedRefused(str(error), (public_place(place),), delay=delay) from None
        news = window.read_window(found, cursor, place, first=known is None, since=request.since, now=self._clock())
        # Of a document that ends in the middle, the rest is still to be read.
        cursor.etag = "" if found.cut_off else validator(response.http, "etag")
        cursor.modified = "" if found.cut_off else validator(response.http, "last-modified")
        cursor.update_seconds = found.update_seconds
        return self._page(cursor, news)

    def _page(self, cursor: FeedCursor, news: WindowNews | None = None) -> Page:
        pause = max(self._settings.min_interval, min(cursor.update_seconds, PAUSE_MAX_SECONDS))
        gaps = (news.gap,) if news is not None and news.gap is not None else ()
        return Page(items=news.items if news is not None else (), cursor=cursor.encode(), gaps=gaps, pause=pause)

    def _parsed(self, place: str, response: FeedResponse) -> FeedDocument:
        headers = response.http.headers
        found = document.parse(response.http.body, headers.get("content-type") or "", base_of(response.url))
        self._check_end(place, found)
        if found.unreadable:
            self._unreadable.inc(found.unreadable)
            log.warning("skipped entries that cannot be read", feed=public_place(place), count=found.unreadable)
        return found

    def _check_end(self, place: str, found: FeedDocument) -> None:
        """Refuse a document that ends in the middle once; the second time in a row, it is the publisher's mistake."""
        with self._lock:
            again = place in self._cut_off
            self._cut_off.discard(place)
            if found.cut_off and not again:
                if len(self._cut_off) >= CUT_OFF_MAX_FEEDS:
                    self._cut_off.clear()
                self._cut_off.add(place)
                raise FeedRefused("the feed ends in the middle", (), delay=self._client.retry_seconds)


def open_source(config: Config, metrics: ProcessMetrics, clock: Clock) -> FeedsSource:
    """Open the source; it needs no configuration."""
    return FeedsSource(config.sources.feeds, metrics, clock=clock)
