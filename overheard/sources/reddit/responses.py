"""What an answer that is no data means: Reddit's status, headers and body as one of our errors. Pure.

    429                                     RetryableError, with the delay that Reddit names
    408, 425, 5xx, odd redirects            RetryableError
    403 with a web page                     RetryableError: Reddit's edge turns the machine away, not the feed
    401 for data                            TokenRefused: log in anew, once
    400, 401, 403, 404 for the token,       LoginRefused: the operator must look at the credentials
    and a 200 with an OAuth error
    403 insufficient_scope                  PermanentError
    302 to the search, 400, 403, 404, 410,  FeedRefused for feeds, else PermanentError. 413, 414 and 431 say that a
    413, 414, 431, 451                      group is too large: halving it, as for any refused group, helps

No text here repeats what a server or a library said, but for words from a known list: both may hold a secret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import msgspec
import prawcore
import requests

from overheard.clock import Clock
from overheard.errors import FeedRefused, LoginRefused, OverheardError, PermanentError, RetryableError

TOKEN_ENDPOINT = "token"  # noqa: S105 - the endpoint's name
DEFAULT_DELAY, SHORTEST_DELAY, LONGEST_DELAY = 60.0, 1.0, 3600.0  # seconds
MAX_REMAINING_REQUESTS = 1_000_000  # a window of Reddit's has 1,000
SEARCH_PATH = "/subreddits/search"  # where Reddit sends who asks for a subreddit that does not exist
TRANSIENT_STATUSES = (408, 425)
REFUSED_STATUSES = (400, 403, 404, 410, 413, 414, 431, 451)
KNOWN_REASONS = ("private", "quarantined", "banned")
LOGIN_ERRORS = (
    "access_denied",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
)


class TokenRefused(RetryableError):
    """The token is not taken (any more): who holds it forgets it and logs in again."""


class _Body(msgspec.Struct):
    reason: object = None
    error: object = None


def is_blocked(answer: requests.Response) -> bool:
    """Whether Reddit's edge turns this machine away: Reddit itself refuses a feed in JSON."""
    return answer.status_code == 403 and _body(answer.content) is None


def error_for(answer: requests.Response, endpoint: str, names: tuple[str, ...], clock: Clock) -> OverheardError:
    """The error for an answer whose status is not 200. ``names``: the feeds asked for; () when none were."""
    status, headers = answer.status_code, answer.headers
    what = f"Reddit answers {status} ({endpoint})"
    delay = retry_after(headers, clock)
    if status == 429:
        return RetryableError(f"{what}: too many requests", delay=delay or DEFAULT_DELAY)
    if status >= 500 or status in TRANSIENT_STATUSES:
        return RetryableError(what, delay=delay)
    if is_blocked(answer):
        text = f"{what} with a web page: it blocks this machine's address or [sources.reddit] user_agent for now"
        return RetryableError(text, delay=delay or DEFAULT_DELAY)
    body = _body(answer.content)
    if endpoint == TOKEN_ENDPOINT:
        return login_refusal(str(status)) if status in (400, 401, 403, 404) else RetryableError(what)
    if status == 401:
        return TokenRefused(f"{what}: it does not take the token that it gave")
    if "insufficient_scope" in headers.get("www-authenticate", ""):
        return PermanentError(f"{what}: the app's token lacks the scope `read`")
    missing = 300 <= status < 400 and _path(headers).startswith(SEARCH_PATH)
    if 300 <= status < 400 and not missing:
        return RetryableError(
            f"{what}: a redirect, which is not followed; check [sources.reddit] reddit_url and oauth_url"
        )
    if not missing and status not in REFUSED_STATUSES:
        return RetryableError(what)
    if not names:
        return PermanentError(what)
    reason = "missing" if missing or status == 404 else "refused"
    return FeedRefused(str(body.reason) if body is not None and body.reason in KNOWN_REASONS else reason, names)


def login_refusal(why: str) -> LoginRefused:
    """The error for credentials that are not accepted; ``why`` is a status or a word of OAuth's."""
    return LoginRefused(
        f"Reddit refuses the login ({why}). It may have revoked this app: look at https://www.reddit.com/prefs/apps."
        " If the app is still there, check [sources.reddit] client_id, client_secret and, if they are set, username and"
        " password; a username needs an app of the type 'script'",
        delay=DEFAULT_DELAY,
    )


def error_in_grant(answer: requests.Response) -> LoginRefused | None:
    """The error in a token's answer whose status is 200; None when it has none that can be read."""
    body = _body(answer.content)
    return None if body is None or body.error is None else login_refusal(_oauth_word(body.error))


def _oauth_word(error: object) -> str:
    return error if isinstance(error, str) and error in LOGIN_ERRORS else "error"


def error_for_library_exception(error: Exception) -> OverheardError:
    """The error for whatever PRAW, prawcore or a decoder raised: by then Reddit has answered 200."""
    if isinstance(error, prawcore.OAuthException):
        return login_refusal(_oauth_word(error.error))
    return RetryableError(f"Reddit's answer could not be read ({type(error).__name__})")


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Seconds to stay away, from 1 to 3,600, by Retry-After (seconds or an HTTP date); None when it says nothing."""
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None:
        until, now = _date(value), _date(headers.get("date"))
        if until is None:
            return None
        # The server's own clock, if it tells: ours may be wrong.
        seconds = until - (now if now is not None else clock())
    return min(max(seconds, SHORTEST_DELAY), LONGEST_DELAY)


def rate_limit_headers(headers: Mapping[str, str]) -> tuple[float, float] | None:
    """(requests remaining, seconds to the window's end); None unless the answer says both, in a sane range."""
    remaining = _number(headers.get("x-ratelimit-remaining"))
    reset = _number(headers.get("x-ratelimit-reset"))
    if remaining is None or reset is None:
        return None
    if not (0 <= remaining <= MAX_REMAINING_REQUESTS and 0 <= reset <= LONGEST_DELAY):
        return None
    return remaining, reset


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(value: str | None) -> float | None:
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value)
        # A date without a zone would be read in this machine's.
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _path(headers: Mapping[str, str]) -> str:
    try:
        return urlsplit(headers.get("location", "")).path
    except ValueError:
        return ""


def _body(content: bytes) -> _Body | None:
    """What Reddit says in JSON; None for anything else (a web page)."""
    try:
        return msgspec.json.decode(content, type=_Body)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
