"""``make machine``: install Overheard on a fresh Debian with systemd, and test what a server goes through.

Needs root, debootstrap and systemd-container, and nothing else that listens on Overheard's ports. Exit 0 when every
step ended well, 1 at the first that did not; the machine's folder is kept then with --keep.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.machine.container import Failed, Machine
from tests.machine.story import STEPS, Story
from tests.servers.sink import HttpSink


def main() -> int:
    options = _parser().parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="overheard-machine-")) / options.suite
    began = time.monotonic()
    try:
        with Machine(folder, options.suite, keep=options.keep) as machine, HttpSink() as sink:
            _say(f"a fresh Debian {options.suite}, booted", began)
            story = Story(machine, sink)
            for step in STEPS:
                began = time.monotonic()
                name = step.__name__.replace("_", " ")
                try:
                    step(story)
                except (Failed, AssertionError, TimeoutError) as error:
                    print(f"✗ {name}\n{error}")
                    return 1
                _say(name, began)
    except Failed as error:
        print(f"✗ {error}")
        return 1
    return 0


def _say(what: str, began: float) -> None:
    print(f"✓ {what:60} {time.monotonic() - began:6.1f} s", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.machine", description=__doc__)
    parser.add_argument("--suite", default="trixie", help="Debian's release (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where it is made, or was (a temporary one)")
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
