"""Do something at most once in a while, in this process."""

from __future__ import annotations

import math


class Throttle:
    """Allows something at most once in ``seconds``; the first time at once, and whenever the clock was set back."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._allowed_at = -math.inf

    def allows(self, now: float) -> bool:
        """Return True if it may be done now; the next time is ``seconds`` later."""
        # A negative age: the clock was set back.
        if 0.0 <= now - self._allowed_at < self._seconds:
            return False
        self._allowed_at = now
        return True

    def reset(self) -> None:
        """Allow the next time at once."""
        self._allowed_at = -math.inf
