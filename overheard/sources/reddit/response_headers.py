"""Parse the headers of Reddit's responses that say how much is allowed. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from overheard.sources.retry_after import RETRY_MAX_SECONDS, finite_number

MAX_REMAINING_REQUESTS = 1_000_000  # Reddit allows 1,000 per window: a larger number is nonsense


def rate_limit_headers(headers: Mapping[str, str]) -> tuple[float, float] | None:
    """Return (requests remaining, seconds to the window's end); None unless both are present and plausible."""
    remaining = finite_number(headers.get("x-ratelimit-remaining"))
    reset = finite_number(headers.get("x-ratelimit-reset"))
    if remaining is None or reset is None:
        return None
    if not (0 <= remaining <= MAX_REMAINING_REQUESTS and 0 <= reset <= RETRY_MAX_SECONDS):
        return None
    return remaining, reset
