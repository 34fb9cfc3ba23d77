"""Requests to Stack Exchange's API, and what its wrapper says: errors, ``backoff`` and the quota.

A ``backoff`` is binding: a request before its end is answered by a ``throttle_violation``, and more of them by a ban.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from overheard.clock import Clock
from overheard.config.sources import StackExchangeSettings
from overheard.decoding import converter, decode_json
from overheard.errors import FeedRefused, LoginRefused, RetryableError
from overheard.sources import RequestTokens
from overheard.sources.http import HttpResponse, OperatorHttp
from overheard.sources.response_errors import transient_error

VERSION = "/2.3"
BACKOFF_MARGIN_SECONDS = 1.0  # the server counts in whole seconds
# After a throttle_violation that names no time. Chosen, not measured.
THROTTLED_SECONDS = 300.0
LOGIN_RETRY_SECONDS = 3600.0
DAY_SECONDS = 86_400.0  # the quota is renewed at midnight UTC
AVAILABLE_IN = re.compile(r"available in (\d{1,7}) second")
BAD_PARAMETER, NO_METHOD, THROTTLE_VIOLATION = 400, 404, 502
TRANSIENT_ERRORS = (409, 500, 503)
KEY_ERRORS = (401, 402, 403, 405, 406)


class ResponseWrapper(msgspec.Struct):
    """What all responses have in common."""

    items: list[Any] | None = None
    has_more: bool = False
    backoff: float | None = None
    quota_remaining: float | None = None
    error_id: int | None = None
    error_message: str = ""


_to_wrapper = converter(ResponseWrapper)


class StackExchangeClient:
    """GET for methods of the API. Thread-safe."""

    def __init__(self, settings: StackExchangeSettings, clock: Clock) -> None:
        self._url = settings.url
        self._key = settings.key.get_secret_value()
        self._clock = clock
        self._http = OperatorHttp(timeout=settings.timeout)

    def get(self, method: str, params: Mapping[str, str], budget: RequestTokens, place: str) -> ResponseWrapper:
        """Return the response, with items. One request, one token.

        Raises BudgetExhausted, RetryableError, LoginRefused (the key), FeedRefused (``place`` does not exist).
        """
        budget.acquire()
        key = {"key": self._key} if self._key else {}
        response = self._http.get(self._url + VERSION + method, {**params, **key})
        wrapper = _decoded(response)
        if response.status == 429 and (error := transient_error(response, self._clock)) is not None:
            budget.block(error.delay or THROTTLED_SECONDS)
            raise error
        if wrapper is None:
            error = transient_error(response, self._clock) or RetryableError("it sends no JSON of its API")
            if error.delay is not None:
                budget.block(error.delay)
            raise error
        self._pass_on(wrapper, budget)
        if wrapper.error_id is not None or response.status != 200 or wrapper.items is None:
            raise self._error(wrapper, response, budget, place)
        return wrapper

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _pass_on(self, wrapper: ResponseWrapper, budget: RequestTokens) -> None:
        backoff, remaining = _finite(wrapper.backoff), _finite(wrapper.quota_remaining)
        if backoff is not None and backoff > 0:
            # It is about one method; but the same few methods are all that is used here.
            budget.block(backoff + BACKOFF_MARGIN_SECONDS)
        if remaining is not None:
            until_midnight = DAY_SECONDS - self._clock() % DAY_SECONDS
            budget.observe(max(remaining, 0.0), until_midnight)
            if remaining < 1:
                budget.block(until_midnight)

    def _error(
        self, wrapper: ResponseWrapper, response: HttpResponse, budget: RequestTokens, place: str
    ) -> RetryableError | FeedRefused:
        code = wrapper.error_id if wrapper.error_id is not None else response.status
        if code == THROTTLE_VIOLATION:
            found = AVAILABLE_IN.search(wrapper.error_message)
            seconds = float(found[1]) if found else _finite(wrapper.backoff) or THROTTLED_SECONDS
            budget.block(seconds + BACKOFF_MARGIN_SECONDS)
            return RetryableError("it limits our requests (throttle_violation)", delay=seconds)
        if code in KEY_ERRORS or (code == BAD_PARAMETER and "key" in wrapper.error_message.lower()):
            return LoginRefused(
                f"it refuses [sources.stackexchange] key, or wants one (error {code})", delay=LOGIN_RETRY_SECONDS
            )
        if code == BAD_PARAMETER:
            return FeedRefused("no such site", (place,))
        if code == NO_METHOD:
            return FeedRefused("no such method", (place,))
        if code in TRANSIENT_ERRORS or (error := transient_error(response, self._clock)) is None:
            return RetryableError(f"it answers with error {code}")
        return error


def _decoded(response: HttpResponse) -> ResponseWrapper | None:
    try:
        return _to_wrapper(decode_json(response.body))
    except ValueError:
        return None


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
