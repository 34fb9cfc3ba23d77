"""Waiting for other processes, which cannot signal the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE = 60.0  # seconds: a machine may be slow, and only a failing test waits for so long
SOON, LATER = 0.02, 0.2  # seconds between two checks: most cost a connection to a server


def wait_for(condition: Callable[[], object], what: str | Callable[[], str], seconds: float = PATIENCE) -> None:
    """Poll until ``condition()`` holds. Raises TimeoutError, which names ``what``: if a function, as it is then."""
    deadline = time.monotonic() + seconds
    pause, between = threading.Event(), SOON
    over = False
    while not condition():
        if over:
            raise TimeoutError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        pause.wait(between)
        between = min(between * 1.2, LATER)
        over = time.monotonic() > deadline  # looked at once more then: this process may have stood still
