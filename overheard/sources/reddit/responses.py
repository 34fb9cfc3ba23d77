"""Map Reddit's error responses (status, headers and body) to our errors. Pure.

    429                                     TooManyRequests, with Reddit's delay
    408, 425, 5xx, other redirects          RetryableError
    403 with a web page                     RetryableError: Reddit's edge blocks the machine, not the feed
    401 for data                            TokenRefused: log in again, once
    400, 401, 403, 404 for the token,       LoginRefused: the operator must check the credentials
    and a 200 with an OAuth error
    403 insufficient_scope                  PermanentError
    302 to the search, 400, 403, 404, 410,  FeedRefused for feeds, else PermanentError. 413, 414 and 431 mean that a
    413, 414, 431, 451                      group is too large: halving it, as for any refused group, helps

Error texts repeat nothing from a server or a library except words from a known list: both may contain a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
import prawcore
import requests

from overheard.clock import Clock
from overheard.errors import FeedRefused, LoginRefused, OverheardError, PermanentError, RetryableError
from overheard.sources.retry_after import retry_after

TOKEN_ENDPOINT = "token"  # noqa: S105 - the endpoint's name
RETRY_DEFAULT_SECONDS = 60.0  # chosen, not measured; for a 429 that names no delay, and for refused logins
SEARCH_PATH = "/subreddits/search"  # Reddit redirects requests for a missing subreddit to its search
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
    """Reddit does not accept the token (any more): the client discards it and logs in again."""


class TooManyRequests(RetryableError):
    """A 429: the client has used up its requests, and others have not."""


class _Body(msgspec.Struct):
    reason: object = None
    error: object = None


_BODY = msgspec.json.Decoder(_Body)


def is_blocked(answer: requests.Response) -> bool:
    """Return True if Reddit's edge blocks this machine. A refusal by Reddit itself has a JSON body."""
    return answer.status_code == 403 and _body(answer.content) is None


def error_for(answer: requests.Response, endpoint: str, names: tuple[str, ...], clock: Clock) -> OverheardError:
    """Return the error for a response whose status is not 200. ``names``: the feeds requested, () if none."""
    status, headers = answer.status_code, answer.headers
    what = f"Reddit answers {status} ({endpoint})"
    delay = retry_after(headers, clock)
    if status == 429:
        return TooManyRequests(f"{what}: too many requests", delay=delay or RETRY_DEFAULT_SECONDS)
    if status >= 500 or status in TRANSIENT_STATUSES:
        return RetryableError(what, delay=delay)
    if is_blocked(answer):
        text = f"{what} with a web page: it blocks this machine's address or [sources.reddit] user_agent for now"
        return RetryableError(text, delay=delay or RETRY_DEFAULT_SECONDS)
    body = _body(answer.content)
    if endpoint == TOKEN_ENDPOINT:
        return login_refusal(str(status)) if status in (400, 401, 403, 404) else RetryableError(what)
    if status == 401:
        return TokenRefused(f"{what}: it does not accept its own token")
    if "insufficient_scope" in headers.get("www-authenticate", ""):
        return PermanentError(f"{what}: the app's token lacks the scope `read`")
    # Of all redirects only the one to the search has a meaning; others come from a proxy or a wrong address.
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
    """Return the error for refused credentials; ``why`` is a status or an OAuth error code."""
    return LoginRefused(
        f"Reddit refuses the login ({why}). It may have revoked this app: check https://www.reddit.com/prefs/apps."
        " If the app is still there, check [sources.reddit] client_id, client_secret and, if they are set, username and"
        " password; a username needs an app of the type 'script'",
        delay=RETRY_DEFAULT_SECONDS,
    )


def tokens_refused() -> LoginRefused:
    """Return the error for a client whose logins are accepted, and whose tokens are not."""
    return LoginRefused(
        "Reddit accepts the login and refuses each token that it gives out (401). It may have revoked this app: check"
        " https://www.reddit.com/prefs/apps",
        delay=RETRY_DEFAULT_SECONDS,
    )


def error_in_grant(answer: requests.Response) -> LoginRefused | None:
    """Return the error in a token response with status 200; None if it has none, or is not JSON."""
    body = _body(answer.content)
    return None if body is None or body.error is None else login_refusal(_oauth_word(body.error))


def _oauth_word(error: object) -> str:
    return error if isinstance(error, str) and error in LOGIN_ERRORS else "error"


def error_for_library_exception(error: Exception) -> OverheardError:
    """Return the error for an exception of PRAW, prawcore or a decoder: all of them come after a 200."""
    if isinstance(error, prawcore.OAuthException):
        return login_refusal(_oauth_word(error.error))
    return RetryableError(f"Reddit's answer could not be read ({type(error).__name__})")


def _path(headers: Mapping[str, str]) -> str:
    try:
        return urlsplit(headers.get("location", "")).path
    except ValueError:
        return ""


def _body(content: bytes) -> _Body | None:
    """Return the error fields of a JSON body; None for anything else, such as a web page."""
    try:
        return _BODY.decode(content)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
