"""Whether virtual time tells the truth: the same worlds read through PRAW over HTTP, and by a process in real time.

Run: python -m tests.benchmarks.bench_http [--full]

Over HTTP the clock stays virtual, so that only the way to Reddit differs: the login, PRAW, and the simulator's server,
which also answers with errors. In real time ``overheard run`` reads a small, fast world: its threads, its database and
its clock are the real ones. What people say has the same seed each time. What is counted there begins with
the first request. ``--full``: all of it takes several times as long.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from overheard.db import gaps
from overheard.db.database import Db
from overheard.db.models import StoredItem
from overheard.observability import log
from tests.benchmarks.bench_fetch import BUSY
from tests.benchmarks.bench_looks import LOOK_BACK, LOOK_BACK_SECONDS, LookScene, TroubledReddit, TroubledWorld
from tests.benchmarks.fetch_world import CYCLE, START, FetchWorld, InProcessReddit, Traffic, database
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.http_world import CLIENT_ID, CLIENT_SECRET, HttpReddit, WallClock
from tests.servers.farm import Farm

AGREED_PERCENT = 10.0
FAULT_SHARE = 0.05
EVERY_SECONDS = 5
REQUESTS_PER_MINUTE = 600
START_SECONDS = 60.0  # within which a process makes its first request
JOIN_SECONDS = 3.0  # until another workspace comes: the plan is made again, with the rates of the first readings
DRAIN_SECONDS = 6.0


class RunResult(NamedTuple):
    """What one run came to."""

    requests: int
    shown: int
    lost: int
    gaps: int


class TroubledHttpReddit(TroubledReddit, HttpReddit):
    """Reddit on a bad day, over HTTP."""


class QuickReddit(InProcessReddit):
    """Answers at once, nearly."""

    latency = 0.05


class QuickHttpReddit(QuickReddit, HttpReddit):
    """The same over HTTP."""


class FaultyReddit(InProcessReddit):
    """FAULT_SHARE of the requests fail, and a filter holds posts for seconds."""

    late_seconds = (1.0, 5.0)

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._faults = random.Random(7)

    def fails(self) -> bool:
        """Return True if Reddit answers this request with an error."""
        return self._faults.random() < FAULT_SHARE


class FaultyHttpReddit(FaultyReddit, HttpReddit):
    """The same over HTTP."""


class HttpScene(NamedTuple):
    """A world in virtual time for ``cycles``; ``http`` is what takes the place of ``plain``."""

    name: str
    traffic: Traffic
    cycles: int
    fetch: Mapping[str, str]
    world: type[FetchWorld] = FetchWorld
    plain: type[InProcessReddit] = InProcessReddit
    http: type[HttpReddit] = HttpReddit
    drain: float = 1.5 * CYCLE


class LiveScene(NamedTuple):
    """A world in real time, of which ``seconds`` are counted."""

    name: str
    traffic: Traffic
    fetch: Mapping[str, Any]
    plain: type[InProcessReddit]
    http: type[HttpReddit]
    seconds: float = 21.5  # between two rounds of readings, so that none is counted by chance


BAD_DAY = HttpScene(
    "100 subreddits, late items, faults, kills",
    LookScene("", 100, 0.2, 0.6).traffic,
    1,
    {"spare": "freshness", "look_back": LOOK_BACK},
    TroubledWorld,
    TroubledReddit,
    TroubledHttpReddit,
    2.0 * LOOK_BACK_SECONDS,
)
SCENES = (HttpScene("one busy among 49 quiet", BUSY, 3, {"spare": "save"}), BAD_DAY)
FULL = tuple(scene._replace(cycles=4 * scene.cycles) for scene in SCENES)
ZIPF = {f"place{rank:03}": 1.0 / rank for rank in range(1, 101)}
LIVE = (
    LiveScene(
        "one busy among 49 quiet, five times as fast",
        BUSY._replace(posts=25.25, comments=0.25),
        {"spare": "save", "group_size": 10},
        QuickReddit,
        QuickHttpReddit,
    ),
    LiveScene(
        "100 subreddits, late items and faults",
        Traffic(ZIPF, 4.0, 12.0, late=FAULT_SHARE),
        {"spare": "freshness"},
        FaultyReddit,
        FaultyHttpReddit,
    ),
)
LIVE_FULL = tuple(scene._replace(seconds=121.5) for scene in LIVE)


def run(*, full: bool = False) -> Iterator[Figure]:
    """Figures for each scene. What runs in real time does so meanwhile."""
    log.configure("CRITICAL", style="text")
    live = LIVE_FULL if full else LIVE
    pool = ThreadPoolExecutor(len(live))
    try:
        running = [pool.submit(in_real_time, scene) for scene in live]
        for scene in FULL if full else SCENES:
            pair = in_virtual_time(scene, scene.http), in_virtual_time(scene, scene.plain)
            yield from compared(scene.name, "HTTP", *pair)
        for each, future in zip(live, running, strict=True):
            yield from compared(each.name, "in real time", future.result(), simulated(each))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def compared(name: str, way: str, real: RunResult, virtual: RunResult) -> Iterator[Figure]:
    """Yield the figures of two runs of the same world."""
    difference = abs(real.requests / virtual.requests - 1.0) * 100.0
    yield Figure(f"{way}, {name}: requests", real.requests, "")
    yield Figure(f"{way}, {name}: … simulated", virtual.requests, "")
    yield Figure(f"{way}, {name}: … differ by", difference, "%", AGREED_PERCENT, False)
    yield Figure(f"{way}, {name}: items", real.shown, "")
    yield Figure(f"{way}, {name}: … simulated", virtual.shown, "")
    yield Figure(f"{way}, {name}: items lost", real.lost, "", virtual.lost, False)
    yield Figure(f"{way}, {name}: gaps", real.gaps, "", virtual.gaps, False)


def in_virtual_time(scene: HttpScene, kind: type[InProcessReddit]) -> RunResult:
    """Let a world run to its end."""
    with database() as db:
        options: dict[str, Any] = {"reddit": kind, "drain": scene.drain}
        world = scene.world(db, 10, scene.cycles, scene.traffic, scene.fetch, **options)
        reddit = world.reddit
        with reddit.served():
            world.run()
        shown = reddit.shown.keys() - getattr(reddit, "deleted", set())
        lost = len(shown - world.stored.keys())
        return RunResult(len(reddit.requested_at), len(shown), lost, count_gaps(world.db))


def simulated(scene: LiveScene) -> RunResult:
    """Let a live scene's world run in virtual time."""
    with database() as db:
        fetch, tick, every = scene.fetch, {"interval": 1, "jitter": 0}, f"{EVERY_SECONDS}s"
        options: dict[str, Any] = {"tick": tick, "per_minute": REQUESTS_PER_MINUTE, "every": every}
        world = FetchWorld(db, 1, 0, scene.traffic, fetch, reddit=scene.plain, **options)
        end = world.reddit.until = START + scene.seconds
        world.run_until(START + JOIN_SECONDS)
        world.save("second", scene.traffic.names, every=every)
        world.run_until(end + DRAIN_SECONDS)
        return of_window(world.reddit, START, scene.seconds, set(world.stored), count_gaps(world.db))


def in_real_time(scene: LiveScene) -> RunResult:
    """Let ``overheard run`` read a live scene's world."""
    clock = WallClock()
    reddit = scene.http(clock, random.Random(11), clock() + START_SECONDS, scene.traffic)
    with tempfile.TemporaryDirectory() as name, farm_of(scene, reddit, Path(name)) as farm:
        watch: dict[str, Any] = {"subreddits": scene.traffic.names, "query": "something", "mode": "digest"}
        farm.workspace("first", every=f"{EVERY_SECONDS}s", **watch)
        farm.start("run", "overheard.cli", "run")
        farm.wait(lambda: reddit.requested_at, seconds=START_SECONDS)
        begin = clock()
        reddit.until = begin + scene.seconds
        clock.wait(JOIN_SECONDS)
        farm.workspace("second", every=f"{EVERY_SECONDS}s", **watch)
        clock.wait(reddit.until + DRAIN_SECONDS - clock())
        with farm.db.session():
            rows = StoredItem.select(StoredItem.ref).tuples().execute(farm.db.peewee)
            stored, missed = {str(ref) for (ref,) in rows}, count_gaps(farm.db)
            farm.db.release()
    return of_window(reddit, begin, scene.seconds, stored, missed)


def farm_of(scene: LiveScene, reddit: HttpReddit, folder: Path) -> Farm:
    """Return a farm whose Reddit is this one, with the settings that the benchmark in virtual time has."""
    settings = {
        "REDDIT__CLIENT_ID": CLIENT_ID,
        "REDDIT__CLIENT_SECRET": CLIENT_SECRET,
        "REDDIT__REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
        "TICK__INTERVAL": "1",
        "FETCH__LEASE": "120",
        **{f"FETCH__{key.upper()}": str(value) for key, value in scene.fetch.items()},
    }
    database_url = f"sqlite:///{folder}/live.db"
    return Farm(folder, bus="memory://", database=database_url, simulator=reddit.simulator, fresh=True, **settings)


def of_window(reddit: InProcessReddit, begin: float, seconds: float, stored: set[str], missed: int) -> RunResult:
    """Count for so long."""
    end = begin + seconds
    shown = {item for item, at in reddit.shown.items() if begin <= at < end}
    return RunResult(sum(at < end for at in reddit.requested_at), len(shown), len(shown - stored), missed)


def count_gaps(db: Db) -> int:
    """Return how many gaps were recorded."""
    return len(gaps.listing(db, limit=100_000))


if __name__ == "__main__":
    print_table(run(full="--full" in sys.argv), "Cross-checks over HTTP")
