"""Waiting for other processes, which cannot signal the test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

SOON, LATER = 0.02, 0.2  # seconds between two checks: most cost a connection to a server


def wait_for(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """Poll until ``condition()`` holds. Raises TimeoutError, which names ``what``."""
    deadline = time.monotonic() + seconds
    pause, between = threading.Event(), SOON
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        pause.wait(between)
        between = min(between * 1.2, LATER)
