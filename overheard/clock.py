"""The clock that handlers are given. Times are seconds since the epoch (UTC), as floats."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def system_clock() -> float:
    """The production clock. Tests pass a clock of their own; nothing replaces this one."""
    return time.time()
