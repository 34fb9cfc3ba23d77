"""Deliver a day of OVERHEARD_CORPUS through every medium, and write down what people get.

Run: python -m tests.messages.day [FOLDER] [--pictures]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from overheard.items import Item
from overheard.observability import log
from overheard.operations.channels import options
from overheard.workspaces import read
from tests.corpus import folder as corpus_folder
from tests.messages.day.drawings import draw
from tests.messages.day.flow import DAY_SECONDS, day_of_items
from tests.messages.day.receivers import Received, Receivers, open_receivers
from tests.messages.day.transcript import by_receiver, hours_table, receiver_name, transcript
from tests.messages.day.virtual_day import SteppedClock, VirtualDay

START = 1_795_561_200.0  # Wed 25 November 2026, 00:00 in Berlin
ZONE = "Europe/Berlin"
WORKSPACES = Path(__file__).with_name("workspaces.toml")
AFTERWARDS_SECONDS = 10 * 3600.0  # until the digest of the day has been sent


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.messages.day")
    parser.add_argument("folder", nargs="?", type=Path, default=Path("build/day"), help="where the texts are written")
    parser.add_argument("--pictures", action="store_true", help="draw the messages, too (needs chromium)")
    arguments = parser.parse_args()
    corpus = corpus_folder()
    if corpus is None:
        print("No text: set OVERHEARD_CORPUS to a folder with posts.jsonl.gz and comments.jsonl.gz", file=sys.stderr)
        return 2
    log.configure("ERROR", style="text")
    began = time.monotonic()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for old in arguments.folder.glob("*.txt"):
        old.unlink()
    clock = SteppedClock(START)
    with tempfile.TemporaryDirectory() as data, open_receivers(clock, _made(Path(data) / "files")) as receivers:
        items = day_of_items(corpus, START)
        received = []
        for each in _delivered(Path(data), clock, receivers, items):
            received.append(each)
            with (arguments.folder / f"{receiver_name(each)}.txt").open("a", encoding="utf-8") as file:
                file.write(transcript(each, ZONE))
        refusals = receivers.refusals()
    found = by_receiver(received)
    table = "\n".join(hours_table(found, ZONE))
    (arguments.folder / "hours.txt").write_text(f"{table}\n", "utf-8")
    print(f"{len(items):,} items in a day, in {time.monotonic() - began:.0f} s; times in {ZONE}\n\n{table}\n")
    for medium, reasons in refusals.items():
        print(f"{medium} refused {len(reasons)}: {', '.join(sorted(set(reasons)))}")
    if arguments.pictures:
        draw(found, arguments.folder)
    print(f"What each of them got: {arguments.folder}")
    return 0


def _delivered(data: Path, clock: SteppedClock, receivers: Receivers, items: list[Item]) -> Iterator[Received]:
    text = WORKSPACES.read_text("utf-8")
    for name, address in receivers.addresses().items():
        text = text.replace(name, address)
    day = VirtualDay(data, clock, receivers)
    day.save(read(text, WORKSPACES.name, options(receivers.config(), allow_private=True)))
    yield from day.run(items, DAY_SECONDS + AFTERWARDS_SECONDS)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
