"""Estimate how many new items a second a feed has, from what its readings found."""

from __future__ import annotations

import math
from typing import NamedTuple

# An estimate forgets what is older by and by. Chosen, not measured.
MEMORY_SECONDS = 900.0
# A reading that finds so many standard deviations more than expected is the start of a burst: it counts alone.
BURST_DEVIATIONS = 4.0


class FeedRate(NamedTuple):
    """``rate``: new items a second, None before the first reading; ``seconds``: the time that the estimate rests on."""

    rate: float | None
    seconds: float


def updated(before: FeedRate, new: int, seconds: float) -> FeedRate:
    """Return the rate after a reading that found ``new`` items of the last ``seconds``.

    It is the average of all readings while these are few, and later one in which each counts less the older it is.
    ``db.feed_rates`` does the same for readings that found nothing.
    """
    if seconds <= 0.0:
        return before if before.rate is not None else FeedRate(0.0, 0.0)
    expected = (before.rate or 0.0) * seconds
    burst = new > expected + BURST_DEVIATIONS * math.sqrt(expected + 1.0)
    known = 0.0 if before.rate is None or burst else before.seconds
    remembered = min(known / (known + seconds), math.exp(-seconds / MEMORY_SECONDS))
    return FeedRate((before.rate or 0.0) * remembered + new / seconds * (1.0 - remembered), known + seconds)
