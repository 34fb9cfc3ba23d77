"""Run a simulator by itself: `python -m overheard.simulators hackernews --port 8081 --rate 1`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from threading import Event
from typing import Protocol

from overheard.simulators.launch import Launchable, add_options, serve


class PublishingSimulator(Launchable, Protocol):
    """A simulator that can invent items."""

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
    parser = argparse.ArgumentParser(prog="python -m overheard.simulators", description=__doc__)
    parser.add_argument("simulator", choices=SIMULATORS, help="what to simulate")
    add_options(parser, port=8081, rate=1.0, history=0)
    options = parser.parse_args(arguments)
    entry = SIMULATORS[options.simulator]
    simulator: PublishingSimulator = resolve_name(entry.factory)(**entry.options())

    def publish(stopping: Event) -> None:
        for _ in range(options.history):
            simulator.add_sample()
        sys.stdout.write(f"A simulator of {options.simulator} at {simulator.url}; in pipeline.toml:\n\n")
        sys.stdout.write(entry.settings.replace("{url}", simulator.url) + "\nStop it with Ctrl-C.\n")
        sys.stdout.flush()
        _publish(simulator, options.rate, stopping)

    return serve(simulator, options, publish)


def _publish(simulator: PublishingSimulator, rate: float, stopping: Event) -> None:
    # Due times are added up, so that the average rate does not depend on how long an item takes.
    due = time.monotonic()
    while not stopping.wait(max(0.0, due - time.monotonic()) if rate else None):
        simulator.add_sample()
        due += 1.0 / rate


if __name__ == "__main__":
    sys.exit(main())
