"""Which changed items have not been reported lately. An item stays in Hacker News's list of updates for a while."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from overheard.clock import Clock

REPORT_AGAIN_SECONDS = 300.0  # an item may change again; chosen, not measured
MAX_REPORTED = 10_000


class RecentChanges:
    """Remembers what it has returned. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reported: dict[int, float] = {}
        self._lock = threading.Lock()

    def new(self, numbers: Iterable[int]) -> list[int]:
        """Return those of the numbers that were not returned in the last REPORT_AGAIN_SECONDS."""
        now = self._clock()
        with self._lock:
            recent = {number: at for number, at in self._reported.items() if at > now - REPORT_AGAIN_SECONDS}
            new = [number for number in dict.fromkeys(numbers) if number not in recent][:MAX_REPORTED]
            self._reported = recent | dict.fromkeys(new, now)
            return new
