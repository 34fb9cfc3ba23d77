"""Reddit's rate limit: a number of requests per client and window, reported in three headers; more are refused.

The window is fixed, as Reddit's is: it starts with a client's first request and restarts every `window_seconds`. The
largest number of requests in any *sliding* window is recorded as well, because that is what "100 per minute averaged
over ten minutes" means and what a careful client respects.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True, slots=True)
class Usage:
    """A client's window after a request: requests used and left, and seconds until it ends (`reset`).

    `over`: the request exceeded the limit.
    """

    used: int
    remaining: int
    reset: int
    over: bool

    def headers(self) -> dict[str, str]:
        """Return the three headers, formatted as Reddit does: used and reset are integers, remaining is a float."""
        return {
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-remaining": f"{float(self.remaining)}",
            "x-ratelimit-reset": str(self.reset),
        }


@dataclass(slots=True)
class _Window:
    start: float
    used: int = 0
    total: int = 0
    recent: deque[float] = field(default_factory=deque)


class SimulatedRateLimit:
    """The windows of all clients: `requests_per_minute`, averaged over `window_seconds`. Thread-safe."""

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
            # Below 0 the clock was set back; the window then moves back by whole lengths, too.
            if not 0 <= now - window.start < self.window_seconds:
                passed = math.floor((now - window.start) / self.window_seconds)
                window.start += passed * self.window_seconds
                window.used = 0
            window.used += 1
            window.total += 1
            window.recent.append(now)
            while window.recent[0] <= now - self.window_seconds:
                window.recent.popleft()
            self.max_in_window = max(self.max_in_window, len(window.recent))
            left = window.start + self.window_seconds - now
            remaining = max(0, self.budget - window.used)
            return Usage(window.used, remaining, math.ceil(left), over=window.used > self.budget)

    def total(self, client: str) -> int:
        """Return how many requests of a client were counted since the start."""
        with self._lock:
            return self._windows[client].total if client in self._windows else 0

    def reset_maximum(self) -> None:
        """Reset the recorded maximum, but not what clients have used."""
        with self._lock:
            self.max_in_window = 0
