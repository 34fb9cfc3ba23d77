"""Run a simulator in a process of its own: what all of them have in common."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from queue import SimpleQueue
from threading import Event, Thread
from typing import Protocol


class Launchable(Protocol):
    """What is needed of a simulator."""

    @property
    def url(self) -> str:
        """The base URL."""

    def start(self, port: int = 0, host: str = "127.0.0.1") -> object:
        """Start to listen. Raises OSError if the port is taken."""

    def stop(self) -> None:
        """Stop listening."""


def add_options(parser: argparse.ArgumentParser, *, port: int, rate: float, history: int) -> None:
    """Add the options that every simulator has, with these defaults."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=port, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument("--rate", type=_rate, default=rate, help="new items a second, 0 for none (%(default)s)")
    parser.add_argument("--history", type=int, default=history, help="items to add at the start (%(default)s)")


def serve(simulator: Launchable, options: argparse.Namespace, publish: Callable[[Event], None]) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code, 1 if the port is taken.

    ``publish`` runs until then: it has to return when the event that it gets is set.
    """
    # Install the handlers first, so that a signal during the start stops the server as well.
    stopping = Event()
    # A thread of its own sets it: the handler runs in the main thread, which may hold the event's lock in ``wait``.
    signals: SimpleQueue[int] = SimpleQueue()

    def stop_at_signal() -> None:
        signals.get()
        stopping.set()

    Thread(target=stop_at_signal, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: signals.put(number))
    try:
        simulator.start(options.port, options.host)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    try:
        publish(stopping)
    finally:
        simulator.stop()
    return 0


def _rate(value: str) -> float:
    rate = float(value)
    if not 0 <= rate <= 10_000:
        raise argparse.ArgumentTypeError("it must be from 0 to 10000")
    return rate
