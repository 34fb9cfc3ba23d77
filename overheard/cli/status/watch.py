"""``overheard status --watch``: the same facts again and again, through whatever comes and goes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live

from overheard.cli import output
from overheard.cli.status.view import View, parts
from overheard.cli.streams import forget_stdout
from overheard.config import Config
from overheard.operations import problems
from overheard.operations.facts import Facts, Observer, StoredFacts


def follow(observer: Observer, interval: float, show: Callable[[Facts], None]) -> None:
    """Look and show until Ctrl-C, SIGTERM, or the end of the terminal (SIGHUP); the screen is put back after each.

    It rests at least as long as a look takes, so that it never is what a large database mostly does. A server that
    hangs holds it only for as long as every wait for a server is limited.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        while True:
            began = time.monotonic()
            show(observer.look())
            took = time.monotonic() - began
            time.sleep(max(interval - took, took))
    except KeyboardInterrupt:
        pass
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        forget_stdout()  # the terminal is gone


@contextmanager
def on_screen(config: Config, interval: float) -> Iterator[Callable[[Facts], None]]:
    """Take the whole screen; yield what shows facts there."""
    last: StoredFacts | None = None
    with Live(console=output.console(), screen=True, auto_refresh=False, vertical_overflow="crop") as live:

        def show(facts: Facts) -> None:
            nonlocal last
            last = facts.stored or last
            view = View(facts, problems.find(facts, config), last, f"every {interval:g} s, Ctrl-C ends")
            live.update(Group(*parts(view, problems_first=True)), refresh=True)

        yield show
