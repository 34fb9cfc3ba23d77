"""Decide what happens to a message whose handler raised. Pure; by the error's type (``overheard.errors``).

PermanentError, InvalidInput, NotFound,       → a dead letter at once
ConfigError
RetryableError with a delay              → a retry after that delay, at most 5 minutes
TimeLimitExceeded, anything else         → a retry after a jittered backoff
… and no tries left                      → a dead letter
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from dramatiq.common import compute_backoff

from overheard.bus.envelope import MAX_DELAY_SECONDS
from overheard.error_fields import safe_text
from overheard.errors import ConfigError, InvalidInput, NotFound, PermanentError, RetryableError
from overheard.messages import Message
from overheard.observability.log import PROPAGATED_FIELDS
from overheard.outcomes import Rejected
from overheard.stages import Stage

PERMANENT_ERRORS = (PermanentError, InvalidInput, NotFound, ConfigError)


class Republication(msgspec.Struct, frozen=True):
    """The copy to publish in place of a message: after ``delay`` milliseconds, with these options.

    ``message`` replaces the payload; None keeps it.
    """

    delay: int
    options: dict[str, Any]
    message: Message | None = None


def decide(error: BaseException, options: dict[str, Any], stage: Stage) -> Republication | Rejected:
    """Return the copy to retry with, or the rejection. ``options`` are the message's."""
    reason = safe_text(error)
    if isinstance(error, PERMANENT_ERRORS):
        return Rejected(reason)
    retries = options.get("retries", 0)
    if retries >= stage.max_retries:
        return Rejected(f"{reason} (after {retries + 1} tries)")
    # Not the slot: the failed try has spent it.
    kept = {name: options[name] for name in PROPAGATED_FIELDS if name in options}
    return Republication(_backoff(error, retries, stage), {**kept, "retries": retries + 1})


def _backoff(error: BaseException, retries: int, stage: Stage) -> int:
    max_delay = int(MAX_DELAY_SECONDS * 1000)
    if isinstance(error, RetryableError) and error.delay is not None:
        return min(math.ceil(max(error.delay, 0.0) * 1000), max_delay)
    _, delay = compute_backoff(retries, factor=stage.min_backoff, max_backoff=min(stage.max_backoff, max_delay))
    return delay
