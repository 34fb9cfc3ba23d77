"""Map the error responses that most services share to our errors. Pure.

429, 503 with Retry-After     RetryableError, with that delay
408, 425, 429, 5xx, 3xx       RetryableError
anything else                 the source's own business: ``None``
"""

from __future__ import annotations

from overheard.clock import Clock
from overheard.errors import RetryableError
from overheard.sources.http import HttpResponse
from overheard.sources.retry_after import retry_after

RATE_LIMITED_RETRY_SECONDS = 60.0  # after a 429 that names no delay; chosen, not measured
TRANSIENT_STATUSES = (408, 425, 429)


def transient_error(response: HttpResponse, clock: Clock) -> RetryableError | None:
    """Return the error of a response that a later request may not get; None for all others."""
    status = response.status
    if status not in TRANSIENT_STATUSES and status < 500 and not 300 <= status < 400:
        return None
    delay = retry_after(response.headers, clock)
    if delay is None and status == 429:
        delay = RATE_LIMITED_RETRY_SECONDS
    return RetryableError(f"it answers with HTTP {status}", delay=delay)
