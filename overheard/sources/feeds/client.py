"""Request a feed: conditional, through redirects, and with every failure as a refusal of this feed alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import urldefrag, urljoin

from overheard.clock import Clock
from overheard.config.sources import FeedsSettings
from overheard.errors import FeedRefused, InvalidInput, RetryableError
from overheard.net.egress import EgressRefused
from overheard.net.http_target import HttpTarget, parse_target
from overheard.sources import RequestTokens
from overheard.sources.feeds.hosts import Hosts
from overheard.sources.feeds.window import HEADER_MAX_CHARS, FeedCursor
from overheard.sources.http import HttpResponse, PublicHttp
from overheard.sources.response_errors import transient_error

REDIRECTS_MAX = 5
PERMANENT, TEMPORARY = (301, 308), (302, 303, 307)
# A feed that has moved is requested at its own address again after this time: the redirect may have been a mistake.
OLD_ADDRESS_SECONDS = 7 * 86_400.0
GONE_RETRY_SECONDS = 86_400.0
TRANSIENT_MIN_RETRY_SECONDS = 5.0
HOST_REST_SECONDS = 60.0  # after a connection that failed, at most: the host's other feeds would wait for it as long
ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml, "
    "application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5"
)
REASONS = {401: " (it wants a login)", 403: " (forbidden)", 404: " (missing)", 410: " (gone for good)"}
NOT_PUBLIC = "its address is not public: only the operator can permit that ([sources.feeds] allow_private)"


class FeedResponse(NamedTuple):
    """A response with status 200 or 304. ``url`` is where it came from."""

    http: HttpResponse
    url: str


class FeedClient:
    """Thread-safe."""

    def __init__(self, settings: FeedsSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._hosts = Hosts(clock)

    @property
    def retry_seconds(self) -> float:
        """Return when a feed that failed for a passing reason is requested again: as often as one that works."""
        return max(self._settings.min_interval, TRANSIENT_MIN_RETRY_SECONDS)

    def get(self, place: str, cursor: FeedCursor, budget: RequestTokens) -> FeedResponse:
        """Return the feed's response, and remember in ``cursor`` where it has moved to.

        Raises FeedRefused for every failure, and BudgetExhausted while its host serves another feed.
        """
        until = time.monotonic() + self._settings.timeout
        if cursor.moved and self._clock() < cursor.asked_at + OLD_ADDRESS_SECONDS:
            try:
                return self._follow(cursor.moved, cursor, budget, until)
            except FeedRefused:
                until = time.monotonic() + self._settings.timeout
        cursor.moved = ""
        response = self._follow(place, cursor, budget, until)
        cursor.asked_at = self._clock() if cursor.moved else 0.0
        return response

    def _follow(self, url: str, cursor: FeedCursor, budget: RequestTokens, until: float) -> FeedResponse:
        permanent = True
        for hop in range(REDIRECTS_MAX + 1):
            response = self._request(self._target(url), cursor, budget, until)
            if response.status not in (*PERMANENT, *TEMPORARY):
                if permanent and hop:
                    cursor.moved = url
                return FeedResponse(response, url)
            permanent = permanent and response.status in PERMANENT
            url = self._location(url, response)
        raise FeedRefused(f"more than {REDIRECTS_MAX} redirects", (), delay=self.retry_seconds)

    def _location(self, url: str, response: HttpResponse) -> str:
        location = response.headers.get("location") or ""
        try:
            found = urldefrag(urljoin(url, location.strip()))[0]
        except ValueError:
            found = ""
        if not location or not found.startswith(("http://", "https://")):
            raise FeedRefused("a redirect without an address", (), delay=self.retry_seconds)
        if url.startswith("https://") and not found.startswith("https://"):
            raise FeedRefused("a redirect from https to http", (), delay=self.retry_seconds)
        return found

    def _target(self, url: str) -> HttpTarget:
        try:
            return parse_target(url, allow_private=True)  # the address is checked when it is connected to
        except InvalidInput:
            raise FeedRefused("an address that cannot be requested", ()) from None

    def _request(self, target: HttpTarget, cursor: FeedCursor, budget: RequestTokens, until: float) -> HttpResponse:
        settings = self._settings
        left = until - time.monotonic()
        if left <= 0:
            raise FeedRefused("no answer in time", (), delay=self.retry_seconds)
        http = PublicHttp(timeout=max(round(left, 1), 0.1), allow_private=settings.allow_private)
        tokens = budget.of(target.server)
        with self._hosts.held(target.server), self._refusing(target.server):
            tokens.acquire()
            response = http.get(target, _headers(cursor))
        if (error := transient_error(response, self._clock)) is not None and response.status >= 400:
            raise self._transient(target.server, response, error, tokens)
        if response.status in (200, *PERMANENT, *TEMPORARY) or (
            response.status == 304 and _headers(cursor).keys() > {"Accept"}
        ):
            return response
        delay = GONE_RETRY_SECONDS if response.status == 410 else None
        raise FeedRefused(f"HTTP {response.status}{REASONS.get(response.status, '')}", (), delay=delay)

    @contextmanager
    def _refusing(self, host: str) -> Iterator[None]:
        """Raise a failed connection as a refusal, and let the host rest."""
        try:
            yield
        except EgressRefused:
            raise FeedRefused(NOT_PUBLIC, ()) from None
        except RetryableError as error:
            reason = str(error)
            self._hosts.rest(host, min(self.retry_seconds, HOST_REST_SECONDS), reason)
            raise FeedRefused(reason, (), delay=self.retry_seconds) from None

    def _transient(
        self, host: str, response: HttpResponse, error: RetryableError, tokens: RequestTokens
    ) -> FeedRefused:
        reason = f"HTTP {response.status}"
        named = "retry-after" in response.headers and error.delay is not None
        delay = error.delay if named and error.delay is not None else max(self.retry_seconds, error.delay or 0.0)
        if response.status == 429 or named:
            tokens.block(delay)
            self._hosts.rest(host, delay, reason)
        return FeedRefused(reason, (), delay=delay)


def _headers(cursor: FeedCursor) -> dict[str, str]:
    headers = {"Accept": ACCEPT}
    if cursor.etag:
        headers["If-None-Match"] = cursor.etag
    if cursor.modified:
        headers["If-Modified-Since"] = cursor.modified
    return headers


def validator(response: HttpResponse, name: str) -> str:
    """Return a response's ETag or Last-Modified; empty if it cannot be sent back as it is."""
    value = response.headers.get(name) or ""
    return value if len(value) <= HEADER_MAX_CHARS and value.isascii() and value.isprintable() else ""
