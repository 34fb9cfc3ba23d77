"""Run the simulated Jetstream server by itself: `python -m overheard.simulators.bluesky --port 8090 --rate 36`."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from threading import Event

from .simulator import BlueskySimulator


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM. Exit code 1 when the port is taken, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    stopping = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    simulator = BlueskySimulator(look_back=options.look_back)
    try:
        simulator.start(options.port, options.host)
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    with simulator:
        sys.stdout.write(f'A simulated Jetstream server\n\n  [sources.bluesky]\n  url = "{simulator.url}"\n')
        sys.stdout.flush()
        _publish(simulator, options.rate, stopping)
    return 0


def _publish(simulator: BlueskySimulator, rate: float, stopping: Event) -> None:
    # Due times are added up, so that the average rate does not depend on how long a post takes.
    due = time.monotonic()
    while rate and not stopping.wait(max(0.0, due - time.monotonic())):
        simulator.add_sample()
        due += random.expovariate(rate)
    stopping.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m overheard.simulators.bluesky", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="port to listen on, 0 for a free one (%(default)s)")
    parser.add_argument("--rate", type=float, default=2.0, help="posts a second, 0 for none (%(default)s)")
    parser.add_argument("--look-back", type=float, default=36 * 3600.0, help="seconds of look-back (%(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
