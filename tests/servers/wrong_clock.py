"""Processes on a machine with a wrong clock."""

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
    """Return the command of ``python -m module arguments…`` with a clock that is ``ahead`` (if negative: behind)."""
    return [sys.executable, "-W", "default", "-c", TRAVELS, str(ahead), module, *arguments]
