"""Requests to Mastodon servers, and what their refusals mean. Each server has a request budget of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from overheard.clock import Clock
from overheard.config.sources import MastodonSettings
from overheard.errors import FeedRefused, InvalidInput, PermanentError
from overheard.net.egress import EgressRefused
from overheard.net.http_target import parse_target
from overheard.sources import RequestTokens
from overheard.sources.http import HttpResponse, PublicHttp
from overheard.sources.mastodon.names import TimelinePlace
from overheard.sources.response_errors import RATE_LIMITED_RETRY_SECONDS, transient_error
from overheard.sources.retry_after import finite_number, retry_after, server_time

# Chosen, not measured. After an error of a server, or a connection that failed at once; and after a request that took
# long, which holds a thread each time.
SERVER_RETRY_SECONDS = 60.0
SILENT_SERVER_RETRY_SECONDS = 300.0
LONG_FRACTION = 0.5  # of the timeout
WINDOW_MAX_SECONDS = 900.0  # of the rate limit; a reset further away is a mistake of the server
TOKEN_STATUSES = (401, 403, 422)
NOT_PUBLIC = "its address is not public: only the operator can permit that ([sources.mastodon] allow_private)"


class MastodonClient:
    """GET for any server. Thread-safe."""

    def __init__(self, settings: MastodonSettings, clock: Clock) -> None:
        self._allow_private = settings.allow_private
        self._timeout = settings.timeout
        self._clock = clock
        self._http = PublicHttp(timeout=settings.timeout, allow_private=settings.allow_private)

    def retry_seconds(self, took: float) -> float:
        """Return when to try again after a request without an answer that took so many seconds."""
        return SILENT_SERVER_RETRY_SECONDS if took >= LONG_FRACTION * self._timeout else SERVER_RETRY_SECONDS

    def get(self, server: TimelinePlace, path: str, budget: RequestTokens) -> HttpResponse:
        """Return the server's response. Raises RetryableError, BudgetExhausted or PermanentError (NOT_PUBLIC)."""
        try:
            target = parse_target(server.server + path, allow_private=self._allow_private)
        except InvalidInput:
            raise PermanentError(NOT_PUBLIC) from None
        tokens = budget.of(server.host)
        tokens.acquire()
        try:
            response = self._http.get(target, {"Accept": "application/json"})
        except EgressRefused:
            raise PermanentError(NOT_PUBLIC) from None
        self._observe(response, tokens)
        return response

    def refusal(self, response: HttpResponse, place: str) -> FeedRefused | None:
        """Return why the server does not serve the timeline of ``place``; None if the response has it."""
        status = response.status
        if status == 200:
            return None
        if status in TOKEN_STATUSES:
            return FeedRefused("it wants a login", (place,))
        if status in (404, 410):
            return FeedRefused("no such timeline", (place,))
        if (error := transient_error(response, self._clock)) is not None:
            delay = self.blocked_for(response) if status == 429 else error.delay
            return FeedRefused(f"HTTP {status}", (place,), delay=delay or SERVER_RETRY_SECONDS)
        return FeedRefused(f"HTTP {status}", (place,))

    def blocked_for(self, response: HttpResponse) -> float:
        """Return the seconds for which a server that answers 429 asks for no requests."""
        delay = retry_after(response.headers, self._clock)
        return delay or self._reset(response.headers) or RATE_LIMITED_RETRY_SECONDS

    def _observe(self, response: HttpResponse, tokens: RequestTokens) -> None:
        remaining, reset = finite_number(response.headers.get("x-ratelimit-remaining")), self._reset(response.headers)
        if response.status == 429:
            tokens.block(self.blocked_for(response))
        elif remaining is not None and reset is not None:
            tokens.observe(max(remaining, 0.0), reset)
            if remaining < 1:
                tokens.block(reset)

    def _reset(self, headers: Mapping[str, str]) -> float | None:
        """Return the seconds until the rate limit's window ends; None if the server does not say."""
        text = headers.get("x-ratelimit-reset") or ""
        until = finite_number(text)  # GoToSocial sends seconds since the epoch, Mastodon an ISO 8601 time
        if until is None:
            try:
                moment = datetime.fromisoformat(text.strip())
            except ValueError:
                return None
            until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return min(max(until - server_time(headers, self._clock), 1.0), WINDOW_MAX_SECONDS)
