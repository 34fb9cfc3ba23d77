"""A pipeline that runs in this terminal, with its mentions above a line of counters: the demo, and ``listen``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from overheard.cli.live.screen import LiveScreen
from overheard.embedded import Pipeline


def run_live(
    pipeline: Pipeline,
    screen: LiveScreen,
    update: Callable[[], None],
    until: float | None,
    at_end: Callable[[], None] = lambda: None,
) -> int:
    """Run the pipeline in a thread until ``until`` (monotonic), Ctrl-C or a failure; return its exit code.

    ``update`` is called again and again: it shows what is new on the screen, and waits a moment if nothing is.
    ``at_end`` is called before the pipeline has stopped, which takes as long as its requests under way.
    """
    exit_codes: list[int] = []
    stop = pipeline.running.stop

    def run() -> None:
        try:
            exit_codes.append(pipeline.run())
        finally:
            # Also if the pipeline fails: else the screen would wait for mentions that never come.
            stop.set()

    thread = threading.Thread(target=run, name="pipeline")
    thread.start()
    try:
        with screen.live():
            while not stop.is_set() and (until is None or time.monotonic() < until):
                update()
                screen.refresh()
        stop.set()
        at_end()
    finally:
        # Also if the terminal is gone: the thread would keep the process, and its files, for good.
        stop.set()
        thread.join()
    return exit_codes[0] if exit_codes else 1
