"""The database server's clock as one process knows it: the clock of every lease, due time and claim (I10).

The server is asked when the first connection opens, and then every few seconds. In between the time is counted on by
how long ago that was, so that no statement is needed for it and the machine's own clock does not matter. A step of the
server's clock is followed with the next answer; nothing is done about times that were written before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from overheard.clock import system_clock

MAX_AGE_SECONDS = 10.0  # since the last answer, after which the next session asks first: nothing else does
# It goes on while the machine sleeps. Linux has it under a name of its own; elsewhere the usual one does so.
MONOTONIC_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def monotonic_seconds() -> float:
    """Return seconds since some moment, by a clock that nobody sets."""
    return time.clock_gettime(MONOTONIC_CLOCK)


class ServerClock:
    """A ``Clock``: seconds since the epoch by the server's clock. Calling it asks nobody.

    Until the first answer it is the machine's clock: without a connection nothing can be written with it.
    """

    def __init__(self, monotonic_seconds: Callable[[], float] = monotonic_seconds) -> None:
        self._steady = monotonic_seconds
        self._ahead: float | None = None  # of the steady clock
        self._asked_at = float("-inf")

    def __call__(self) -> float:
        return system_clock() if self._ahead is None else self._steady() + self._ahead

    @property
    def stale(self) -> bool:
        """Whether the server was not asked for a while."""
        return self._steady() - self._asked_at > MAX_AGE_SECONDS

    def ask(self, server: Callable[[], float]) -> None:
        """Take the time from the server, whose answer may take a while.

        It was right at some moment in between. Only what the answer proves wrong is corrected, and only as far: a slow
        answer changes nothing, and the time hardly ever goes back.
        """
        before = self._steady()
        told = server()
        after = self._steady()
        least, most = told - after, told - before
        known = (least + most) / 2 if self._ahead is None else self._ahead
        self._ahead = min(max(known, least), most)
        self._asked_at = after
