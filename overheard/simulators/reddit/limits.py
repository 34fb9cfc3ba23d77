"""Reddit's rate limit: so many requests per client in a window, refused beyond that, told in three headers.

The window is fixed, as Reddit's is: it starts with a client's first request and starts afresh every
`window_seconds`. Besides it, the largest number of requests in any *sliding* window is noted, because that is what
"100 a minute averaged over ten minutes" means and what a careful client keeps to.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True, slots=True)
class Usage:
    """A client's window after a request: requests used and left in it, seconds to its end, and whether it broke it."""

    used: int
    remaining: int
    reset: int
    over: bool

    def headers(self) -> dict[str, str]:
        """Return the three headers in Reddit's types: used and reset whole numbers, remaining a float."""
        return {
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-remaining": f"{float(self.remaining)}",
            "x-ratelimit-reset": str(self.reset),
        }


@dataclass(slots=True)
class _Window:
    start: float
    used: int = 0
    recent: deque[float] = field(default_factory=deque)


class SimulatedRateLimit:
    """Thread-safe windows of all clients. Units: requests per minute, averaged over `window_seconds`."""

    def __init__(self, requests_per_minute: float = 100, window_seconds: float = 600) -> None:
        if requests_per_minute <= 0 or window_seconds <= 0:
            raise ValueError("requests_per_minute and window_seconds must be above 0")
        self.budget = max(1, round(requests_per_minute * window_seconds / 60))
        self.window_seconds = window_seconds
        self.max_in_window = 0
        self._windows: dict[str, _Window] = {}
        self._lock = Lock()

    def take(self, client: str, now: float) -> Usage:
        """Count one request of a client at `now` (Unix seconds). A refused request counts too, as on Reddit."""
        with self._lock:
            window = self._windows.setdefault(client, _Window(now))
            if not 0 <= now - window.start < self.window_seconds:
                passed = math.floor((now - window.start) / self.window_seconds)
                window.start += passed * self.window_seconds
                window.used = 0
            window.used += 1
            window.recent.append(now)
            while window.recent[0] <= now - self.window_seconds:
                window.recent.popleft()
            self.max_in_window = max(self.max_in_window, len(window.recent))
            left = window.start + self.window_seconds - now
            remaining = max(0, self.budget - window.used)
            return Usage(window.used, remaining, math.ceil(left), over=window.used > self.budget)

    def reset_marks(self) -> None:
        """Forget the largest number seen, not what clients have used."""
        with self._lock:
            self.max_in_window = 0
