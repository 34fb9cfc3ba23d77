"""Notes when processes ended without being asked to, and finds those that keep ending."""

from __future__ import annotations

from collections.abc import Collection

LOOP = 3  # unexpected ends of one process …
WITHIN = 300.0  # … in so many seconds are a crash loop


class Ends:
    """Times are seconds since the epoch. Any thread may ask while one adds."""

    def __init__(self) -> None:
        self._times: dict[str, tuple[float, ...]] = {}
        self._looping: set[str] = set()

    def add(self, process: str, now: float) -> bool:
        """Note an unexpected end; whether a crash loop has begun with it."""
        self._times[process] = (*self._late(process, now), now)
        if not self.looping(process, now):
            self._looping.discard(process)
            return False
        begun = process not in self._looping
        self._looping.add(process)
        return begun

    def looping(self, process: str, now: float) -> bool:
        """Whether it keeps ending."""
        return len(self._late(process, now)) >= LOOP

    def keep_only(self, processes: Collection[str]) -> None:
        """Forget processes that supervisord no longer has."""
        self._times = {name: times for name, times in self._times.items() if name in processes}
        self._looping &= set(processes)

    def _late(self, process: str, now: float) -> tuple[float, ...]:
        return tuple(time for time in self._times.get(process, ()) if time > now - WITHIN)
