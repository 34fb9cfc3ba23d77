"""The clock that is passed in. Times are seconds since the epoch (UTC), as floats."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def system_clock() -> float:
    """Return the machine's time. Tests pass another clock; this one is never patched."""
    return time.time()
