"""Every source against its simulator, in real time: what is found, how soon, and what it costs.

Run: make bench ARGS='--only sources --minutes 10'

Each source has a process of its own, `overheard run` with SQLite, which is killed twice and restarted once; until then,
5 % of the requests fail. What was published must be found, or lie inside of a recorded gap; what waits for a source
that is backed off is neither. All of them share the machine's cores.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from overheard.db.models import Feed, Gap, StoredItem
from tests.benchmarks.figures import Figure
from tests.benchmarks.source_rigs import RIGS, SourceRig
from tests.servers.farm import Farm

SECONDS = 31.0
DRAIN_SECONDS = 40.0
LONG_DRAIN_SECONDS = 150.0  # a server that has failed is left alone for two minutes
WORD = "needle"
MARKER = re.compile(r"n(\d+)x")
# Parts of the time. After the last one no requests fail: what fails in the end would still wait when it is over.
ENDS = ((0.25, "kill"), (0.5, "kill"), (0.7, "restart"))
AROUND_END_SECONDS = 15.0  # between a poll before and the first one after: leases have to expire
BUDGET_SECONDS = {"hackernews": (15.0, 60.0), "bluesky": (2.0, 10.0)}  # age at store, p50 and p99
MEMORY_MB = 200.0  # of a process that does everything
USAGE = re.compile(r"\) \S+(?: \S+){10} (\d+) (\d+)")  # /proc/pid/stat: user and system time


class SourceRun:
    """One source, its process, and what was published when."""

    def __init__(self, rig: SourceRig, folder: Path) -> None:
        self.rig = rig
        self.published: dict[int, float] = {}
        self.cpu = 0.0
        self.mb = 0.0
        self.ended_at: list[float] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._publish, daemon=True)
        self.farm = Farm(folder, bus="memory://", database=f"sqlite:///{folder}/o.db", fresh=True)
        self.farm.settings |= {"TICK__INTERVAL": "5", "FETCH__FRESH_FOR": "10", "FETCH__LEASE": "20"}
        self.farm.settings |= {"LOG__LEVEL": "WARNING", **rig.settings}

    def __enter__(self) -> SourceRun:
        self.farm.__enter__()
        self.farm.workspace(subreddits=(), watch=(self.rig.watch,), every=self.rig.every, url="null://", query=WORD)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.farm.__exit__()
        self.rig.stop()

    def start(self) -> None:
        self.farm.start("run", "overheard.cli", "run")

    def wait_for_a_request(self) -> None:
        self.farm.wait(lambda: self.rig.requests() > 0, lambda: f"{self.rig.name} is not read", 60)

    def end(self, how: str) -> None:
        """Kill or stop the process, and start it again."""
        self.look()
        self.cpu += self._cpu()
        self.ended_at.append(time.time())
        if how == "kill":
            self.farm.kill9("run")
        else:
            self.farm.terminate("run")
        self.start()

    def begin(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Publish nothing more."""
        self._stopping.set()
        self._thread.join()

    def look(self) -> None:
        """Note the memory of the process."""
        status = Path(f"/proc/{self.farm.processes['run'].pid}/status").read_text()
        if peak := re.search(r"VmHWM:\s+(\d+) kB", status):
            self.mb = max(self.mb, int(peak[1]) / 1024)

    def found(self) -> dict[int, float]:
        """Return when each published item was stored."""
        with self.farm.db.session():
            rows = StoredItem.select(StoredItem.title, StoredItem.body, StoredItem.stored_at)
            numbered = [
                (int(marker[1]), at)
                for title, body, at in rows.tuples().execute(self.farm.db.peewee)
                if (marker := MARKER.search(f"{title} {body}"))
            ]
            self.farm.db.release()
        return dict(numbered)

    def figures(self, seconds: float) -> Iterator[Figure]:
        name, found = self.rig.name, self.found()
        self.look()
        self.cpu += self._cpu()
        missing = {number: at for number, at in self.published.items() if number not in found}
        explained = self._explained(missing)
        ages = {number: at - self.published[number] for number, at in found.items() if number in self.published}
        usual = sorted(age for number, age in ages.items() if not self._about_an_end(self.published[number]))
        half, most = BUDGET_SECONDS.get(name, (None, None))
        yield Figure(f"{name}: published", len(self.published), "items")
        yield Figure(f"{name}: found or in a gap", (len(found) + explained) / max(len(self.published), 1), "", 1.0)
        yield Figure(f"{name}: lost silently", len(missing) - explained, "items", 0, False)
        if usual:
            yield Figure(f"{name}: age when stored, p50", usual[len(usual) // 2], "s", half, False)
            yield Figure(f"{name}: age when stored, p99", usual[int(len(usual) * 0.99)], "s", most, False)
            yield Figure(f"{name}: … most, with the process killed", max(ages.values()), "s")
        yield Figure(f"{name}: requests a minute", self.rig.requests() / seconds * 60, "")
        yield Figure(f"{name}: CPU of the whole process, of a core", 100 * self.cpu / seconds, "%")
        yield Figure(f"{name}: memory of the whole process", self.mb, "MB", MEMORY_MB, False)

    def waits(self) -> bool:
        """Return True if the source, or a feed of it, is backed off."""
        now = time.time()
        return any(feed.retry_at > now and feed.failures for feed in self._rows(Feed))

    def _about_an_end(self, at: float) -> bool:
        return any(end - AROUND_END_SECONDS <= at <= end + AROUND_END_SECONDS for end in self.ended_at)

    def _explained(self, missing: dict[int, float]) -> int:
        """Return how many missing items lie in a gap, or are still to be read."""
        gaps = self._rows(Gap)
        bounds = [(gap.from_at or 0.0, gap.to_at or float("inf")) for gap in gaps]
        in_gaps = sum(any(start - 1 <= at <= end + 1 for start, end in bounds) for at in missing.values())
        return len(missing) if self.waits() else in_gaps

    def _rows(self, table: Any) -> list[Any]:
        with self.farm.db.session():
            rows = list(table.select().execute(self.farm.db.peewee))
            self.farm.db.release()
        return rows

    def _cpu(self) -> float:
        stat = USAGE.search(Path(f"/proc/{self.farm.processes['run'].pid}/stat").read_text())
        return (int(stat[1]) + int(stat[2])) / os.sysconf("SC_CLK_TCK") if stat else 0.0

    def _publish(self) -> None:
        began = time.monotonic()
        number = 0
        while not self._stopping.wait(max(0.0, began + number / self.rig.rate - time.monotonic())):
            number += 1
            self.published[number] = time.time()
            self.rig.publish(f"n{number}x {WORD} in a haystack of hay, and of more hay")


def run(seconds: float = SECONDS, drain: float = DRAIN_SECONDS) -> Iterator[Figure]:
    """All sources side by side."""
    with ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory()))
        runs = []
        for make in RIGS:
            rig = make()
            (folder / rig.name).mkdir()
            runs.append(open_.enter_context(SourceRun(rig, folder / rig.name)))
        for each in runs:
            each.wait_for_a_request()
        began = time.monotonic()
        for each in runs:
            each.begin()
            each.rig.faulty = True
        for part, how in ENDS:
            _pause(began + part * seconds)
            for each in runs:
                each.end(how)
        for each in runs:
            each.rig.faulty = False
        _pause(began + seconds)
        for each in runs:
            each.finish()
        until = time.monotonic() + drain
        while time.monotonic() < until and not all(each.published.keys() <= each.found().keys() for each in runs):
            _pause(time.monotonic() + 1)
        passed = time.monotonic() - began
        for each in runs:
            yield from each.figures(passed)


def _pause(until: float) -> None:
    threading.Event().wait(max(0.0, until - time.monotonic()))
