"""Processes whose machine's clock is wrong."""

from __future__ import annotations

import sys

# What Python, Dramatiq and our code take the time from is so many seconds ahead; time.monotonic() goes on as it does.
TRAVELS = """
import runpy, sys, time
import time_machine
ahead, module, *arguments = sys.argv[1:]
sys.argv = [module, *arguments]
with time_machine.travel(time.time() + float(ahead), tick=True):
    runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def command(ahead: float, module: str, *arguments: str) -> list[str]:
    """``python -m module arguments…``, on a machine whose clock is ``ahead`` (or behind, when negative)."""
    return [sys.executable, "-W", "default", "-c", TRAVELS, str(ahead), module, *arguments]
