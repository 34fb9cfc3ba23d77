"""Map a receiver's HTTP response to a result.

    2xx                 delivered; the body is not read for its content
    410                 ChannelGone: by Standard Webhooks, the receiver asks us to stop
    3xx                 RetryableError: redirects are never followed, as they lead past the egress check and past what
                        was configured. The text tells the operator, and pending deliveries go to the corrected URL
    413                 PermanentError: what is too large stays too large; another notice may well be accepted
    408 425 429 5xx     RetryableError: a passing fault; Retry-After is honoured
    other 4xx           DeliveryRefused: Standard Webhooks retries everything but 2xx. A receiver in the middle of a
                        deployment, or with a token that is about to be replaced, answers 401 or 404. With a
                        Retry-After it is RetryableError: then it is about the sender, not about what was sent

How often to retry, and for how many days, is decided by the notify stage.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import responses

import msgspec

from overheard.errors import ChannelGone, DeliveryRefused, PermanentError, RetryableError

TRANSIENT_STATUSES = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
# A receiver that asks for more is tried again after a day: a mistyped header must not silence a channel for years.
MAX_DELAY_SECONDS = 24 * 3600.0


def raise_for_status(host: str, status: int, retry_after: str | None, *, now: float, why: str = "") -> None:
    """Return if delivered, else raise RetryableError, PermanentError or ChannelGone.

    ``now``: seconds since 1970. ``why``: in our words, what that means there.
    """
    if 200 <= status < 300:
        return
    reason = f"{host} {describe_status(status)}{f': {why}' if why else ''}"
    if status == HTTPStatus.GONE:
        raise ChannelGone(f"{reason}: it wants no more messages")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise PermanentError(reason if why else f"{reason}: allow bodies of 1 MB there")
    if 300 <= status < 400:
        reason += ": redirects are not followed, so set the channel's url to the address that it names"
    delay = parse_retry_after(retry_after, now=now)
    if delay is None and is_refusal(status):
        raise DeliveryRefused(reason)
    raise RetryableError(reason, delay=delay)


def is_refusal(status: int) -> bool:
    """Return True if a response is about what was sent, provided that it does not ask for a delay."""
    return 400 <= status < 500 and status not in TRANSIENT_STATUSES


def parse_retry_after(header: str | None, *, now: float) -> float | None:
    """Return the seconds in a Retry-After header (RFC 9110 §10.2.3), at most a day; None if it has none."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        seconds = _until(header, now)
    if math.isnan(seconds) or seconds <= 0:
        return None
    return min(seconds, MAX_DELAY_SECONDS)


def requested_delay(header: str | None, body: bytes, *, now: float) -> float | None:
    """Return the longest delay that a header and a chat's JSON ask for, in seconds, at most a day; None if neither.

    Discord writes ``retry_after`` (seconds), Telegram ``parameters.retry_after``, Matrix ``retry_after_ms``.
    """
    try:
        limit = _RATE_LIMIT_BODY.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        limit = _RateLimitBody()
    seconds = (limit.retry_after, limit.parameters.retry_after, limit.retry_after_ms / 1000)
    delays = [parse_retry_after(value, now=now) for value in (header, *map(str, seconds))]
    return max(filter(None, delays), default=None)


class _RetryAfter(msgspec.Struct):
    retry_after: float = 0.0


class _RateLimitBody(_RetryAfter):
    retry_after_ms: float = 0.0
    parameters: _RetryAfter = msgspec.field(default_factory=_RetryAfter)


_RATE_LIMIT_BODY = msgspec.json.Decoder(_RateLimitBody)


def _until(header: str, now: float) -> float:
    try:
        return parsedate_to_datetime(header).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return math.nan


def describe_status(status: int) -> str:
    """Return the status in our own words: a receiver's may contain anything, what was sent included."""
    return f"answered {status} {responses.get(status, '')}".rstrip()
