"""Count requests and responses, so that tests can check them and wait for them."""

from __future__ import annotations

from collections import Counter, deque
from threading import Condition
from typing import TypedDict


class Counts(TypedDict):
    """A snapshot of the counters. Status 0 stands for requests without a response (hang, reset)."""

    total: int
    by_endpoint: dict[str, int]
    by_status: dict[int, int]
    violations: int
    max_in_window: int
    budget: int


class Counters:
    """Thread-safe. A request is counted before its response is sent: a client with the response sees the count."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._by_endpoint: Counter[str] = Counter()
        self._by_status: Counter[int] = Counter()
        self._violations = 0
        self._recent: deque[str] = deque(maxlen=10_000)  # bounded: a demo may run for days

    def record(self, endpoint: str, target: str, status: int, *, violation: bool = False) -> None:
        with self._changed:
            self._by_endpoint[endpoint] += 1
            self._by_status[status] += 1
            self._violations += violation
            self._recent.append(target)
            self._changed.notify_all()

    def snapshot(self, max_in_window: int, budget: int) -> Counts:
        with self._changed:
            return Counts(
                total=self._by_status.total(),
                by_endpoint=dict(self._by_endpoint),
                by_status=dict(self._by_status),
                violations=self._violations,
                max_in_window=max_in_window,
                budget=budget,
            )

    def recent(self) -> list[str]:
        """Return the latest requests as "METHOD target", oldest first, at most 10,000."""
        with self._changed:
            return list(self._recent)

    def wait(self, count: int, endpoint: str | None, timeout: float) -> bool:
        """Wait until `count` requests to an endpoint (None: to all) were counted. Return False on timeout (seconds)."""
        with self._changed:
            return self._changed.wait_for(lambda: self._counted(endpoint) >= count, timeout)

    def reset(self) -> None:
        with self._changed:
            self._by_endpoint.clear()
            self._by_status.clear()
            self._recent.clear()
            self._violations = 0

    def _counted(self, endpoint: str | None) -> int:
        return self._by_status.total() if endpoint is None else self._by_endpoint[endpoint]
