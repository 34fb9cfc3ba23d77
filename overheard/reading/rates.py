"""Estimate how many new items a second a feed has, from what its readings found."""

from __future__ import annotations

import math

WINDOW_SECONDS = 600.0  # a reading after so long counts alone
LEAST_WEIGHT = 0.15  # of each reading, however soon it came after the last
# A reading that finds so many standard deviations more than expected is the start of a burst: its rate counts at once.
BURST_DEVIATIONS = 4.0


def updated(rate: float | None, new: int, seconds: float) -> float:
    """Return the rate after a reading that found ``new`` items of so many seconds; ``rate`` None: the first one."""
    if seconds <= 0.0:
        return rate or 0.0
    seen = new / seconds
    if rate is None:
        return seen
    expected = rate * seconds
    if new > expected + BURST_DEVIATIONS * math.sqrt(expected + 1.0):
        return seen
    weight = min(1.0, LEAST_WEIGHT + seconds / WINDOW_SECONDS)
    return (1.0 - weight) * rate + weight * seen
