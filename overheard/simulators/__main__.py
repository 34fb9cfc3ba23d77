"""Run a simulator by itself: `python -m overheard.simulators hackernews --port 8081 --rate 1`."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from threading import Event
from typing import Protocol


class Launchable(Protocol):
    """What the launcher needs of a simulator."""

    @property
    def url(self) -> str:
        """The base URL, with a trailing slash."""

    def start(self, port: int = 0, host: str = "127.0.0.1") -> object:
        """Start to listen. Raises OSError if the port is taken."""

    def stop(self) -> None:
        """Stop listening."""

    def add_sample(self) -> object:
        """Publish one invented item."""


@dataclass(frozen=True, slots=True)
class SimulatorEntry:
    """A simulator: a dotted path of what makes it, and the lines of pipeline.toml that make Overheard use it."""

    factory: str
    settings: str
    options: Callable[[], dict[str, int]] = dict


def _first_number() -> dict[str, int]:
    # Numbers go on increasing when the simulator is restarted: Overheard remembers how far it has read.
    return {"first": int(time.time() * 10) - 17_000_000_000}


SIMULATORS = {
    "hackernews": SimulatorEntry(
        "overheard.simulators.hackernews:HackerNewsSimulator",
        '[sources.hackernews]\nurl = "{url}"\nsearch_url = "{url}"\n',
        _first_number,
    ),
    "feeds": SimulatorEntry(
        "overheard.simulators.feeds:FeedsSimulator",
        "[sources.feeds]\nallow_private = true\nmin_interval = 5\n\n"
        'and in a watch of feeds: places = ["{url}feed.xml"]\n',
    ),
    "bluesky": SimulatorEntry(
        "overheard.simulators.bluesky.simulator:BlueskySimulator", '[sources.bluesky]\nurl = "{url}"\n'
    ),
    "mastodon": SimulatorEntry(
        "overheard.simulators.mastodon.simulator:MastodonSimulator",
        '[sources.mastodon]\nallow_private = true\n\nand in a watch of mastodon: places = ["{url}"]\n',
    ),
    "stackexchange": SimulatorEntry(
        "overheard.simulators.stackexchange.simulator:StackExchangeSimulator",
        '[sources.stackexchange]\nurl = "{url}"\nkey = "simulated-key"\n',
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Exit code 1 when the port is taken, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    # Install the handlers first, so that a signal during the start stops the server as well.
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    entry = SIMULATORS[options.simulator]
    simulator: Launchable = resolve_name(entry.factory)(**entry.options())
    try:
        simulator.start(options.port, options.host)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    try:
        for _ in range(options.history):
            simulator.add_sample()
        sys.stdout.write(f"A simulator of {options.simulator} at {simulator.url}; in pipeline.toml:\n\n")
        sys.stdout.write(entry.settings.replace("{url}", simulator.url) + "\nStop it with Ctrl-C.\n")
        sys.stdout.flush()
        _publish(simulator, options.rate, stopping)
    finally:
        simulator.stop()
    return 0


def _publish(simulator: Launchable, rate: float, stopping: Event) -> None:
    # Due times are added up, so that the average rate does not depend on how long an item takes.
    due = time.monotonic()
    while not stopping.wait(max(0.0, due - time.monotonic()) if rate else None):
        simulator.add_sample()
        due += 1.0 / rate


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m overheard.simulators", description=__doc__)
    parser.add_argument("simulator", choices=SIMULATORS, help="what to simulate")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8081, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument("--rate", type=_rate, default=1.0, help="new items a second, 0 for none (%(default)s)")
    parser.add_argument("--history", type=int, default=0, help="items to add at the start (%(default)s)")
    return parser


def _rate(value: str) -> float:
    rate = float(value)
    if not 0 <= rate <= 10_000:
        raise argparse.ArgumentTypeError("it must be from 0 to 10000")
    return rate


if __name__ == "__main__":
    sys.exit(main())
