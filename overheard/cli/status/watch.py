"""``overheard status --watch``: refresh until stopped, through outages of the servers."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live

from overheard.cli import output
from overheard.cli.status.view import View, render
from overheard.cli.streams import discard_stdout
from overheard.config import Config
from overheard.operations import problems
from overheard.operations.database_state import DatabaseState
from overheard.operations.facts import Observer, SystemState


def follow(observer: Observer, interval: float, show: Callable[[SystemState], None]) -> None:
    """Read and show the state until Ctrl-C, SIGTERM, or the terminal closes (SIGHUP).

    The pause is at least as long as a read takes, so that a slow database spends at most half of its time on us. A
    hanging server delays a read only until its own timeout.
    """
    # As Ctrl-C does, these raise KeyboardInterrupt, so that ``Live`` restores the screen.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        while True:
            began = time.monotonic()
            show(observer.read())
            took = time.monotonic() - began
            time.sleep(max(interval - took, took))
    except KeyboardInterrupt:
        # The way to end a watch, so no error.
        pass
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        discard_stdout()  # the terminal has been closed


@contextmanager
def on_screen(config: Config, interval: float) -> Iterator[Callable[[SystemState], None]]:
    """Switch to the alternate screen; yield a function that shows a state there."""
    last: DatabaseState | None = None
    with Live(console=output.console(), screen=True, auto_refresh=False, vertical_overflow="crop") as live:

        def show(facts: SystemState) -> None:
            nonlocal last
            last = facts.stored or last
            view = View(facts, problems.find(facts, config), last, f"refreshes every {interval:g} s; Ctrl-C stops")
            live.update(Group(*render(view, problems_first=True)), refresh=True)

        yield show
