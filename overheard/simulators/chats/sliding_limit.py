"""A rate limit of a chat service: so many messages within so many seconds, for each key."""

from __future__ import annotations

from collections import deque
from threading import Lock


class SlidingLimit:
    """At most `count` messages within any `seconds`, for each key (a webhook, a bot, a chat). Thread-safe."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count = count
        self.seconds = seconds
        self._taken: dict[str, deque[float]] = {}
        self._lock = Lock()

    def take(self, key: str, now: float) -> float:
        """Take a place at `now`. Return 0, or the seconds until the next place is free; then none is taken."""
        with self._lock:
            taken = self._taken.setdefault(key, deque())
            while taken and taken[0] <= now - self.seconds:
                taken.popleft()
            if len(taken) >= self.count:
                return taken[0] + self.seconds - now
            taken.append(now)
            return 0.0

    def remaining(self, key: str) -> int:
        """Return how many places are left after the latest message."""
        with self._lock:
            return self.count - len(self._taken.get(key, ()))
