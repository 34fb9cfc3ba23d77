"""The database server's clock, as one process follows it: the clock of every lease, due time and claim (I10).

The server's time is read when the first connection opens, and then every few seconds. In between, a monotonic clock
counts on from the last answer, so that reading the time needs no statement and does not depend on the machine's own
clock. A step of the server's clock is followed with the next answer; times that were written before it stay as they
are.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from overheard.clock import system_clock

MAX_AGE_SECONDS = 10.0  # of the last answer; then the next session reads the time first
# A monotonic clock that goes on while the machine sleeps: on Linux CLOCK_BOOTTIME, elsewhere CLOCK_MONOTONIC.
MONOTONIC_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def monotonic_seconds() -> float:
    """Return seconds since some moment, by a clock that cannot be set."""
    return time.clock_gettime(MONOTONIC_CLOCK)


class ServerClock:
    """A ``Clock``: seconds since the epoch by the server's clock. Calling it sends nothing.

    Until the first answer it is the machine's clock: without a connection, no time can be written anyway.
    """

    def __init__(self, monotonic_seconds: Callable[[], float] = monotonic_seconds) -> None:
        self._monotonic = monotonic_seconds
        self._offset: float | None = None  # of the server's clock to the monotonic one
        self._synchronized_at = float("-inf")

    def __call__(self) -> float:
        return system_clock() if self._offset is None else self._monotonic() + self._offset

    @property
    def stale(self) -> bool:
        """True if the server's time was not read for a while."""
        return self._monotonic() - self._synchronized_at > MAX_AGE_SECONDS

    def synchronize(self, server_time: Callable[[], float]) -> None:
        """Read the time from the server, whose answer may take a while.

        The answer was right at some moment between request and arrival. Only an offset that the answer proves wrong is
        corrected, and only as far as needed: a slow answer changes nothing, and the time hardly ever goes back.
        """
        before = self._monotonic()
        answer = server_time()
        after = self._monotonic()
        least, most = answer - after, answer - before
        current = (least + most) / 2 if self._offset is None else self._offset
        self._offset = min(max(current, least), most)
        self._synchronized_at = after
