"""PRAW's HTTP layer: every request to Reddit goes through here, exactly one per token of the budget.

prawcore only ever sees successful responses. Any other status is raised here as one of our errors, which prawcore
neither catches nor retries (it retries a failure three times, sleeping in between). The x-ratelimit headers are
removed, because prawcore's rate limiter would otherwise sleep in the thread for up to ten minutes.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import msgspec
import prawcore
import requests
import urllib3
from prawcore.const import ACCESS_TOKEN_PATH

from overheard.clock import Clock
from overheard.errors import OverheardError, PermanentError, RetryableError
from overheard.observability.metrics import ProcessMetrics
from overheard.sources import RequestTokens
from overheard.sources.reddit.login_backoff import LoginBackoff
from overheard.sources.reddit.response_headers import rate_limit_headers
from overheard.sources.reddit.responses import (
    TOKEN_ENDPOINT,
    TooManyRequests,
    error_for,
    error_in_grant,
    is_blocked,
)
from overheard.sources.timed_http import DeadlineAdapter, read_all

INVALID_URL_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)
RESPONSE_MAX_BYTES = 16 * 2**20  # decompressed; twice 100 posts of 40,000 ASCII characters as text and HTML


class RequestPurpose(msgspec.Struct, frozen=True):
    """What a request is for, and the budget that pays for it. ``names``: the feeds requested, () if none.

    ``endpoint`` is a fixed word (new, comments, info, search): it becomes a metric's label.
    """

    endpoint: str
    budget: RequestTokens
    names: tuple[str, ...] = ()


# PRAW offers no way to hand this to the requestor. Without a default, so that no request is made without a budget.
CURRENT_REQUEST: ContextVar[RequestPurpose] = ContextVar("overheard_reddit_call")


def session() -> requests.Session:
    """Return a session for one thread. It keeps connections; proxies and certificates come from the environment."""
    created = requests.Session()
    # Two hosts (login and data), one thread. A retry here would be a request without a token of the budget.
    adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=1, max_retries=0)
    created.mount("https://", adapter)
    created.mount("http://", adapter)
    # For a session without auth, requests would replace the bearer token by an entry of ~/.netrc.
    created.auth = _no_auth
    return created


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class BudgetedRequestor(prawcore.Requestor):
    """PRAW's requestor. ``timeout`` (seconds) applies to connecting, and again to the whole response."""

    def __init__(self, *, metrics: ProcessMetrics, clock: Clock, logins: LoginBackoff, **praw: Any) -> None:
        super().__init__(**praw)
        self._metrics = metrics
        self._clock = clock
        self._logins = logins

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:
        """Make one HTTP request and return its 200 response. ``timeout`` is prawcore's, and is ignored.

        Raises BudgetExhausted (budget), RetryableError, LoginRefused, TokenRefused, FeedRefused, PermanentError.
        """
        method, url = args
        purpose = CURRENT_REQUEST.get()
        endpoint = TOKEN_ENDPOINT if url.endswith(ACCESS_TOKEN_PATH) else purpose.endpoint
        if endpoint == TOKEN_ENDPOINT:
            self._logins.check()  # before the budget, so that a blocked login costs no token
        purpose.budget.acquire()
        answer = self._exchange(method, url, endpoint, kwargs)
        self._metrics.reddit_requests.labels(endpoint, _status(answer)).inc()
        if isinstance(answer, OverheardError):
            raise answer
        self._observe_rate_limit(answer, endpoint, purpose.budget)
        failure = self._failure(answer, endpoint, purpose)
        if endpoint == TOKEN_ENDPOINT:
            self._logins.record(failure)
        if failure is None:
            return answer
        if isinstance(failure, TooManyRequests) and failure.delay:
            # For all processes: the limit belongs to the client, which they share.
            purpose.budget.block(failure.delay)
        raise failure

    def _failure(self, answer: requests.Response, endpoint: str, purpose: RequestPurpose) -> OverheardError | None:
        if answer.status_code == 200:
            return error_in_grant(answer) if endpoint == TOKEN_ENDPOINT else None
        return error_for(answer, endpoint, purpose.names, self._clock)

    def _exchange(
        self, method: str, url: str, endpoint: str, kwargs: dict[str, Any]
    ) -> requests.Response | OverheardError:
        """Return the whole response, or the error, without raising it.

        An error raised here would keep the frames of requests as its context, and with them the credentials.
        """
        # A followed redirect would send the token or the password to another host, and cost no token of the budget.
        limits = {"timeout": (self.timeout, self.timeout), "allow_redirects": False, "stream": True}
        try:
            with self._http.request(method, url, **(kwargs | limits)) as response:
                return read_all(response, RESPONSE_MAX_BYTES)
        except RetryableError as error:
            return RetryableError(f"Reddit sends {error} ({endpoint})")
        except (*INVALID_URL_ERRORS, UnicodeError) as error:
            kind = type(error).__name__
            return PermanentError(
                f"cannot send a request to Reddit ({kind}): check the addresses and texts under [sources.reddit]"
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return RetryableError(f"no answer from Reddit ({endpoint}): {_innermost(error)}")

    def _observe_rate_limit(self, answer: requests.Response, endpoint: str, budget: RequestTokens) -> None:
        allowed = rate_limit_headers(answer.headers)
        for name in [name for name in answer.headers if name.lower().startswith("x-ratelimit-")]:
            del answer.headers[name]
        if allowed is not None and endpoint != TOKEN_ENDPOINT:  # the login host counts requests separately
            budget.observe(*allowed)


def _status(answer: requests.Response | OverheardError) -> str:
    """Return the metric's status label. Both a private subreddit and a blocked machine are a 403: tell them apart."""
    if isinstance(answer, OverheardError):
        return "error"
    return "blocked" if is_blocked(answer) else str(answer.status_code)


def _innermost(error: BaseException) -> str:
    """Return the type name of the original error: urllib3 and requests wrap a refused connection four times."""
    while True:
        inner = [getattr(error, "reason", None), *reversed(error.args)]
        cause = next((each for each in inner if isinstance(each, Exception)), None)
        if cause is None:
            return type(error).__name__
        error = cause
