"""How many tokens a budget gives, and how many of them at once. Pure."""

from __future__ import annotations

import msgspec

WINDOW_SECONDS = 600.0  # over which a server averages its limit; the longest of any source
# Of a window's tokens: so many may come at once, however busy the budget is. The average loses as many.
STEADY_BURST_FRACTION = 0.02
SAVED_FRACTION = 0.5  # at most: the rest is for what else is needed in the window after a burst
KEPT_FRACTION = 2.0 / 3.0  # of the steady burst


class Rate(msgspec.Struct, frozen=True):
    """``per_minute`` tokens a minute, of which ``burst`` may come at once.

    ``saved``: how many may come at once after a quiet time, if more; no window holds more tokens because of that.
    ``kept``: how many tokens of ``burst`` patient messages leave to others.
    """

    per_minute: float
    burst: int
    saved: int = 0
    kept: int = 0

    @property
    def period(self) -> float:
        """Seconds between two tokens."""
        return 60.0 / self.per_minute

    @property
    def saved_burst(self) -> int:
        """How many tokens the second account gives at once; it is like the first one if nothing is saved."""
        return max(self.burst, self.saved)

    @property
    def saved_period(self) -> float:
        """Seconds between two tokens of the second account: in a window it gives as many as the first one."""
        return WINDOW_SECONDS / (self.window_tokens - self.saved_burst)

    @property
    def window_tokens(self) -> float:
        """The most tokens in any WINDOW_SECONDS."""
        return self.burst + WINDOW_SECONDS / self.period


def averaged(per_minute: float, burst: int) -> Rate:
    """Return a rate with which no window holds more tokens than ``per_minute`` on average.

    ``burst``: how many may come at once after a quiet time; at most half of a window's.
    """
    tokens = per_minute * WINDOW_SECONDS / 60.0
    steady = max(1, min(burst, int(tokens * STEADY_BURST_FRACTION)))
    return Rate(
        per_minute=(tokens - steady) * 60.0 / WINDOW_SECONDS,
        burst=steady,
        saved=min(burst, int(tokens * SAVED_FRACTION)),
        kept=int(steady * KEPT_FRACTION),
    )
