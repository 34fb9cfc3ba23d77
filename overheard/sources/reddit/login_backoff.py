"""Backoff after a refused login, shared by all threads.

Every thread logs in separately, and would try again for each message: without a backoff, a revoked key would cost one
request and one token of the budget per message.
"""

from __future__ import annotations

import threading

from overheard.clock import Clock
from overheard.errors import LoginRefused, OverheardError

LOGIN_RETRY_SECONDS = 300.0  # chosen, not measured, like the maximum: a revoked key seldom comes back
LOGIN_RETRY_MAX_SECONDS = 3600.0
# The longest delay that callers get. Checking costs no request, and after a restart with a new key no message should
# still be waiting for the next login with the old one.
CALLER_RETRY_MAX_SECONDS = 60.0


class LoginBackoff:
    """Blocks logins for 5 minutes after a refusal, doubling up to an hour, until one is accepted. Thread-safe.

    Threads whose token is still valid do not log in, and so are not blocked.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._reason: str | None = None
        self._pause_seconds = 0.0
        self._blocked_at = 0.0

    def check(self) -> None:
        """Raise LoginRefused, with the reason for the last refusal, while logins are blocked."""
        with self._lock:
            left = self._seconds_left()
            if self._reason is not None and left > 0:
                raise LoginRefused(self._reason, delay=min(left, CALLER_RETRY_MAX_SECONDS))

    def record(self, failure: OverheardError | None) -> None:
        """Record the outcome of a login: None is success. A failure that is not a refusal changes nothing."""
        with self._lock:
            if failure is None:
                self._reason, self._pause_seconds = None, 0.0
            elif isinstance(failure, LoginRefused):
                self._block(failure)

    def _block(self, failure: LoginRefused) -> None:
        # While it blocks already, another thread was refused at the same time: that counts once.
        if self._reason is None or self._seconds_left() <= 0:
            self._pause_seconds = min(max(2 * self._pause_seconds, LOGIN_RETRY_SECONDS), LOGIN_RETRY_MAX_SECONDS)
            self._blocked_at = self._clock()
        self._reason = str(failure)

    def _seconds_left(self) -> float:
        left = self._blocked_at + self._pause_seconds - self._clock()
        return left if left <= self._pause_seconds else 0.0  # the clock was set back
