"""Backoff after a refused login, shared by all threads of a client.

Every thread logs in separately, and would try again for each message: without a backoff, a revoked key would cost one
request and one token of the budget per message.
"""

from __future__ import annotations

import threading

from overheard.clock import Clock
from overheard.errors import LoginRefused, OverheardError
from overheard.sources.reddit.responses import tokens_refused

LOGIN_RETRY_SECONDS = 300.0  # chosen, not measured, like the maximum: a revoked key seldom comes back
LOGIN_RETRY_MAX_SECONDS = 3600.0
# The longest delay that callers get. Checking costs no request, and after a restart with a new key no message should
# still be waiting for the next login with the old one.
CALLER_RETRY_MAX_SECONDS = 60.0
# Requests in a row whose fresh token was refused, before that counts as a refused login; chosen, not measured. Reddit
# refuses a token now and then, and a revoked app at least at its next login.
REFUSED_TOKENS_IN_A_ROW = 3


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
        self._refused_tokens = 0

    @property
    def blocked(self) -> bool:
        """Return True while logins are blocked."""
        return self.seconds_left > 0

    @property
    def seconds_left(self) -> float:
        """Return the seconds until the next login may be tried; 0 if one may be tried now."""
        with self._lock:
            return self._seconds_left()

    def check(self) -> None:
        """Raise LoginRefused, with the reason for the last refusal, while logins are blocked."""
        with self._lock:
            left = self._seconds_left()
            if self._reason is not None and left > 0:
                raise LoginRefused(self._reason, delay=min(left, CALLER_RETRY_MAX_SECONDS))

    def record(self, failure: OverheardError | None) -> None:
        """Record the outcome of a login: None is success. A failure that is not a refusal changes nothing."""
        with self._lock:
            if failure is None and self._refused_tokens < REFUSED_TOKENS_IN_A_ROW:
                self._reason, self._pause_seconds = None, 0.0
            elif isinstance(failure, LoginRefused):
                self._block(failure)

    def record_token(self, *, accepted: bool) -> None:
        """Record whether a fresh token was accepted. Raises LoginRefused after REFUSED_TOKENS_IN_A_ROW that were not.

        A login that only gives out useless tokens does not end the backoff.
        """
        with self._lock:
            if accepted:
                if self._refused_tokens >= REFUSED_TOKENS_IN_A_ROW:
                    self._reason, self._pause_seconds = None, 0.0
                self._refused_tokens = 0
                return
            self._refused_tokens += 1
            if self._refused_tokens >= REFUSED_TOKENS_IN_A_ROW:
                failure = tokens_refused()
                self._block(failure)
                raise failure

    def _block(self, failure: LoginRefused) -> None:
        # While it blocks already, another thread was refused at the same time: that counts once.
        if self._reason is None or self._seconds_left() <= 0:
            self._pause_seconds = min(max(2 * self._pause_seconds, LOGIN_RETRY_SECONDS), LOGIN_RETRY_MAX_SECONDS)
            self._blocked_at = self._clock()
        self._reason = str(failure)

    def _seconds_left(self) -> float:
        left = self._blocked_at + self._pause_seconds - self._clock()
        return max(left, 0.0) if left <= self._pause_seconds else 0.0  # the clock was set back
