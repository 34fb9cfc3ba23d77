"""What a webhook's answer means.

    2xx                 delivered; the body is not looked at
    410                 ChannelGone: by Standard Webhooks, the receiver asks us to stop
    3xx                 RetryableError: redirects are never followed, they lead past the egress check and past what was
                        configured; the text tells the operator so, and what is pending then goes to the new address
    413                 PermanentError: what is too large stays too large; another notice may well be taken
    408 425 429 5xx     RetryableError: a passing fault; Retry-After is kept to
    other 4xx           DeliveryRefused: Standard Webhooks tries again after all but 2xx. A receiver in the middle of a
                        deployment, or with a token that someone is about to mend, answers 401 or 404. With a
                        Retry-After it is RetryableError: then it is about us, and not about what we sent

How often, over how many days, is the notify stage's to decide.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import responses

import msgspec

from overheard.errors import ChannelGone, DeliveryRefused, PermanentError, RetryableError

TRANSIENT_STATUSES = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
MAX_DELAY_SECONDS = 24 * 3600.0  # seconds; whoever asks for more is asked again tomorrow


def raise_for_status(host: str, status: int, retry_after: str | None, *, now: float) -> None:
    """Return when delivered, else raise RetryableError, PermanentError or ChannelGone. ``now``: seconds since 1970."""
    if 200 <= status < 300:
        return
    said = f"{host} {answered(status)}"
    if status == HTTPStatus.GONE:
        raise ChannelGone(f"{said}: it wants no more messages")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise PermanentError(f"{said}: allow bodies of 1 MB there")
    if 300 <= status < 400:
        said += ": redirects are not followed, so set the channel's url to the address that it names"
    delay = parse_retry_after(retry_after, now=now)
    if delay is None and refuses(status):
        raise DeliveryRefused(said)
    raise RetryableError(said, delay=delay)


def refuses(status: int) -> bool:
    """Return True if an answer is about what was sent, unless it asks to wait."""
    return 400 <= status < 500 and status not in TRANSIENT_STATUSES


def parse_retry_after(header: str | None, *, now: float) -> float | None:
    """Seconds that a Retry-After header (RFC 9110 §10.2.3) asks for, at most a day; None when it says nothing."""
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
    """Seconds to stay away, from the Retry-After header and from a chat's JSON, at most a day; None if neither asks.

    Discord writes ``retry_after`` (seconds), Telegram ``parameters.retry_after``, Matrix ``retry_after_ms``.
    """
    try:
        said = msgspec.json.decode(body, type=_Said)
    except (msgspec.MsgspecError, RecursionError):
        said = _Said()
    seconds = (said.retry_after, said.parameters.retry_after, said.retry_after_ms / 1000)
    asked = [parse_retry_after(each, now=now) for each in (header, *map(str, seconds))]
    return max(filter(None, asked), default=None)


class _Parameters(msgspec.Struct):
    retry_after: float = 0.0


class _Said(_Parameters):
    retry_after_ms: float = 0.0
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


def _until(header: str, now: float) -> float:
    try:
        return parsedate_to_datetime(header).timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return math.nan


def answered(status: int) -> str:
    """Return what a receiver answered, never in its own words: they may hold anything, also what we sent."""
    return f"answered {status} {responses.get(status, '')}".rstrip()
