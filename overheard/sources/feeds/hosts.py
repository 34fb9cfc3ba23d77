"""One request per host at a time, and none to a host that has just failed or asked for a rest. In this process."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from overheard.clock import Clock
from overheard.errors import BudgetExhausted, FeedRefused

BUSY_RETRY_SECONDS = (1.0, 2.0)  # a random time between these, so that the feeds of a host do not come back together
HOSTS_MAX = 10_000  # that rest; beyond it, those whose rest is over are dropped


class Hosts:
    """Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._resting: dict[str, tuple[float, str]] = {}

    @contextmanager
    def held(self, host: str) -> Iterator[None]:
        """Hold the host for a request.

        Raises BudgetExhausted while another thread holds it, FeedRefused while it rests.
        """
        with self._lock:
            until, reason = self._resting.get(host, (0.0, ""))
            if (left := until - self._clock()) > 0:
                raise FeedRefused(reason, (), delay=left)
            if host in self._busy:
                raise BudgetExhausted(f"feeds:{host}", delay=random.uniform(*BUSY_RETRY_SECONDS), slot=None)
            self._busy.add(host)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(host)

    def rest(self, host: str, seconds: float, reason: str) -> None:
        """Send no requests to the host for ``seconds``: whatever they ask for is refused with ``reason``."""
        now = self._clock()
        with self._lock:
            if len(self._resting) >= HOSTS_MAX:
                self._resting = {name: rest for name, rest in self._resting.items() if rest[0] > now}
            self._resting[host] = (now + seconds, reason)
