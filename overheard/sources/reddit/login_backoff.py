"""When to log in again after Reddit has refused a login: seldom, and once for all threads.

Each thread logs in for itself, and each of many messages would try: a revoked key would cost Reddit a request for each,
and the budget as many tokens.
"""

from __future__ import annotations

import threading

from overheard.clock import Clock
from overheard.errors import LoginRefused, OverheardError

LOGIN_RETRY_SECONDS = 300.0
LOGIN_RETRY_MAX_SECONDS = 3600.0
# What callers are told to wait at most: asking here costs nothing, and after a restart with a new key, nothing should
# still be waiting for the old one's next login.
CALLER_RETRY_MAX_SECONDS = 60.0


class LoginBackoff:
    """Closed after a refused login for 5 minutes, doubling to an hour; a login that is accepted opens it. Thread-safe.

    Threads whose token still holds never pass here: they read on.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._pause = 0.0
        self._closed_at = 0.0

    def check(self) -> None:
        """Raise LoginRefused, with the reason of the last refusal, while it is closed."""
        with self._lock:
            left = self._left()
            if self._reason is not None and left > 0:
                raise LoginRefused(self._reason, delay=min(left, CALLER_RETRY_MAX_SECONDS))

    def note(self, failure: OverheardError | None) -> None:
        """Take in what became of a login. A fault that is not a refusal changes nothing."""
        with self._lock:
            if failure is None:
                self._reason, self._pause = None, 0.0
            elif isinstance(failure, LoginRefused):
                self._close(failure)

    def _close(self, failure: LoginRefused) -> None:
        if self._reason is None or self._left() <= 0:  # else another thread's refusal, at the same moment, closed it
            self._pause = min(max(2 * self._pause, LOGIN_RETRY_SECONDS), LOGIN_RETRY_MAX_SECONDS)
            self._closed_at = self._clock()
        self._reason = str(failure)

    def _left(self) -> float:
        left = self._closed_at + self._pause - self._clock()
        return left if left <= self._pause else 0.0  # the clock went back
