"""PRAW's way out: every HTTP request to Reddit goes through here, exactly one for each token of the budget.

PRAW believes that every request succeeds: what is not a 200 leaves here as one of our errors, which prawcore neither
catches nor repeats (it repeats three times, asleep in between, what it sees fail), and the x-ratelimit headers stay
here, so that prawcore's rate limiter, which would sleep in the thread for up to ten minutes, never learns of any.
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
from overheard.sources.reddit.responses import TOKEN_ENDPOINT, error_for, error_in_grant, is_blocked, rate_limit_headers
from overheard.sources.timed_http import DeadlineAdapter, read_all

INVALID_URL_ERRORS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
)
RESPONSE_MAX_BYTES = 16 * 2**20  # bytes, unpacked


class RequestPurpose(msgspec.Struct, frozen=True):
    """What a request is for. ``endpoint`` is a fixed word (new, comments, info): it becomes a metric's label."""

    endpoint: str
    budget: RequestTokens
    names: tuple[str, ...] = ()


CURRENT_REQUEST: ContextVar[RequestPurpose] = ContextVar(
    "overheard_reddit_call"
)  # unset: no request can be made without a budget


def session() -> requests.Session:
    """A session for one thread: connections are kept; proxies and certificates come from the environment."""
    made = requests.Session()
    adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=1, max_retries=0)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    # Without any auth of its own, requests lets an entry in ~/.netrc take the bearer token's place.
    made.auth = _as_it_is
    return made


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class BudgetedRequestor(prawcore.Requestor):
    """PRAW's requestor. ``timeout`` (seconds) is for connecting and again for the whole answer."""

    def __init__(self, *, metrics: ProcessMetrics, clock: Clock, logins: LoginBackoff, **praw: Any) -> None:
        super().__init__(**praw)
        self._metrics = metrics
        self._clock = clock
        self._logins = logins

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:
        """One HTTP request. ``timeout`` is prawcore's and counts for nothing.

        Raises BudgetExhausted (budget), RetryableError, LoginRefused, TokenRefused, FeedRefused, PermanentError.
        """
        method, url = args
        call = CURRENT_REQUEST.get()
        endpoint = TOKEN_ENDPOINT if url.endswith(ACCESS_TOKEN_PATH) else call.endpoint
        if endpoint == TOKEN_ENDPOINT:
            self._logins.check()
        call.budget.acquire()
        answer = self._exchange(method, url, endpoint, kwargs)
        self._metrics.reddit_requests.labels(endpoint, _status(answer)).inc()
        if isinstance(answer, OverheardError):
            raise answer
        self._heed(answer, endpoint, call.budget)
        failure = self._failure(answer, endpoint, call)
        if endpoint == TOKEN_ENDPOINT:
            self._logins.note(failure)
        if failure is None:
            return answer
        if answer.status_code == 429 and isinstance(failure, RetryableError) and failure.delay:
            call.budget.block(failure.delay)
        raise failure

    def _failure(self, answer: requests.Response, endpoint: str, call: RequestPurpose) -> OverheardError | None:
        if answer.status_code == 200:
            return error_in_grant(answer) if endpoint == TOKEN_ENDPOINT else None
        return error_for(answer, endpoint, call.names, self._clock)

    def _exchange(
        self, method: str, url: str, endpoint: str, kwargs: dict[str, Any]
    ) -> requests.Response | OverheardError:
        """The whole answer, or why there is none: returned, since a raised one would drag our secrets along."""
        limits = {"timeout": (self.timeout, self.timeout), "allow_redirects": False, "stream": True}
        try:
            with self._http.request(method, url, **(kwargs | limits)) as response:
                return read_all(response, RESPONSE_MAX_BYTES)
        except RetryableError as error:
            return RetryableError(f"Reddit sends {error} ({endpoint})")
        except (*INVALID_URL_ERRORS, UnicodeError) as error:
            kind = type(error).__name__
            return PermanentError(
                f"Reddit cannot be asked ({kind}): check the addresses and texts under [sources.reddit]"
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return RetryableError(f"no answer from Reddit ({endpoint}): {_innermost(error)}")

    def _heed(self, answer: requests.Response, endpoint: str, budget: RequestTokens) -> None:
        allowed = rate_limit_headers(answer.headers)
        for name in [name for name in answer.headers if name.lower().startswith("x-ratelimit-")]:
            del answer.headers[name]
        if allowed is not None and endpoint != TOKEN_ENDPOINT:  # the login's host counts in a window of its own
            budget.observe(*allowed)


def _status(answer: requests.Response | OverheardError) -> str:
    """As it is counted. A private subreddit and a server that is turned away are both a 403, and nothing alike."""
    if isinstance(answer, OverheardError):
        return "error"
    return "blocked" if is_blocked(answer) else str(answer.status_code)


def _innermost(error: BaseException) -> str:
    """The name of what began it: urllib3 and requests wrap a refused connection four times."""
    while True:
        inner = [getattr(error, "reason", None), *reversed(error.args)]
        found = next((each for each in inner if isinstance(each, Exception)), None)
        if found is None:
            return type(error).__name__
        error = found
