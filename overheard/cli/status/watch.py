"""``overheard status --watch``: the same facts again and again, through whatever comes and goes."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live

from overheard.cli import output
from overheard.cli.status.view import View, parts
from overheard.cli.streams import forget_stdout
from overheard.operations import problems
from overheard.operations.facts import Facts, Observer, StoredFacts
from overheard.operations.problems import Problem

REFRESH_SECONDS = 1.0  # how soon it shows that no answer comes
SILENT_SECONDS = 5.0  # beyond the interval, from which on it shows


class Poller(threading.Thread):
    """Looks again and again, in a thread of its own: a server that hangs must not hang the screen.

    It rests at least as long as a look takes, so that it never is what a large database mostly does.
    """

    def __init__(self, observer: Observer, interval: float) -> None:
        super().__init__(name="look", daemon=True)
        self.facts: Facts | None = None
        self.error: BaseException | None = None
        self.news = threading.Event()
        self.began = time.monotonic()
        self._observer = observer
        self._interval = interval
        self._stop = threading.Event()

    def run(self) -> None:
        try:
            while not self._stop.is_set():
                self.began = time.monotonic()
                self.facts = self._observer.look()
                self.news.set()
                took = time.monotonic() - self.began
                self._stop.wait(max(self._interval - took, took))
        except BaseException as error:  # noqa: BLE001 - told by the thread that shows
            self.error = error
        finally:
            self._observer.close()
            self.news.set()

    def end(self) -> None:
        """Ask it to end; one that hangs ends with the process."""
        self._stop.set()

    def next(self) -> Facts | None:
        """Wait for news, a moment at most; the latest facts. Raises what a look raised."""
        self.news.wait(REFRESH_SECONDS)
        self.news.clear()
        if self.error is not None:
            raise self.error
        return self.facts

    @property
    def silent(self) -> float:
        """Seconds since the look under way began; 0 while they come in time."""
        since = time.monotonic() - self.began
        return since if since > self._interval + SILENT_SECONDS else 0.0


def follow(observer: Observer, *, interval: float, render: Callable[[Facts], None] | None) -> None:
    """Show it until Ctrl-C, SIGTERM, or the end of the terminal. ``render`` prints one; None: it has the screen."""
    poller = Poller(observer, interval)
    try:
        with _told_to_end():
            poller.start()
            if render is None:
                _screen(poller, observer, interval)
            else:
                _lines(poller, render)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        forget_stdout()  # the terminal is gone
    finally:
        poller.end()


def _screen(poller: Poller, observer: Observer, interval: float) -> None:
    last: StoredFacts | None = None
    config = observer.program.config
    with Live(console=output.console(), screen=True, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            facts = poller.next()
            if facts is None:
                continue
            last = facts.stored or last
            found = [*_silence(poller), *problems.find(facts, config)]
            view = View(facts, found, last, f"every {interval:g} s, Ctrl-C ends")
            live.update(Group(*parts(view, problems_first=True)), refresh=True)


def _lines(poller: Poller, render: Callable[[Facts], None]) -> None:
    shown: Facts | None = None
    while True:
        facts = poller.next()
        if facts is not None and facts is not shown:
            shown = facts
            render(facts)


def _silence(poller: Poller) -> Iterator[Problem]:
    if poller.silent:
        yield Problem(
            True, f"no answer for {poller.silent:.0f} s: what is below is old", "a server hangs, or the network"
        )


@contextmanager
def _told_to_end() -> Iterator[None]:
    """SIGTERM and the end of the terminal (SIGHUP) end it as Ctrl-C does: the screen is put back."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
