"""Parse the Retry-After header of a response. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from overheard.clock import Clock

# Chosen, not measured. A Retry-After outside of these bounds is a mistake of the server.
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 1.0, 3600.0


def retry_after(headers: Mapping[str, str], clock: Clock) -> float | None:
    """Return the delay in Retry-After (seconds or an HTTP date), from 1 to 3,600 s; None without a usable one."""
    value = headers.get("retry-after")
    seconds = finite_number(value)
    if seconds is None:
        until = _date(value)
        if until is None:
            return None
        seconds = until - server_time(headers, clock)
    return min(max(seconds, RETRY_MIN_SECONDS), RETRY_MAX_SECONDS)


def server_time(headers: Mapping[str, str], clock: Clock) -> float:
    """Return the time of the server's clock if the response has it, to compare its times with: ours may be wrong."""
    now = _date(headers.get("date"))
    return now if now is not None else clock()


def finite_number(value: str | None) -> float | None:
    """Return a header's number; None if it is missing, or not a finite number."""
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
        # A date without a time zone would be interpreted in this machine's.
        return moment.timestamp() if moment.tzinfo else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
