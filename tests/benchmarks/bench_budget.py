"""What the request budget does when it is too small, shared, or was not used for a while.

Run: python -m tests.benchmarks.bench_budget [--full]

In virtual time, with the real tick, planner, fetch stage and limiter, on SQLite: these are counts and waits, not speeds.
Workspaces ask for seven times the budget, all the time; meanwhile runs are requested by hand. Beside it is one queue for
everything, in the order in which it is asked for: its figures are calculated. Reddit counts requests in windows of ten
minutes and refuses those above 1,000.
"""

from __future__ import annotations

import random
import sys
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from overheard.messages import FetchWorkspace
from overheard.observability import log
from overheard.simulators.reddit.limits import SimulatedRateLimit
from overheard.sources.reddit.requestor import RequestPurpose
from overheard.sources.reddit.responses import TooManyRequests
from tests.benchmarks.fetch_world import CYCLE, LATENCY, START, FetchWorld, InProcessReddit, database, of_site
from tests.benchmarks.figures import Figure, print_table

PER_MINUTE = 95.0
WINDOW_SECONDS = 600.0
ALLOWED = 1000
SUBREDDITS = 600
WORKSPACES = 6
GROUP_SIZE = 5  # so that few subreddits ask for many requests
EVERY_SECONDS = 20
WARM_CYCLES = 2
RUN_WORKSPACES, RUN_SUBREDDITS = 30, 2  # that are run by hand
RUN_SECONDS = 15.0  # between two runs by hand, on average


class ReadingStart(NamedTuple):
    """A reading of some feeds that began."""

    at: float
    kind: str
    places: tuple[str, ...]


class CountingReddit(InProcessReddit):
    """Counts as Reddit does. ``others``: the requests a minute of another program with the same key."""

    def __init__(self, *args: Any, others: float = 0.0) -> None:
        super().__init__(*args)
        self.others = others
        self.refused = 0
        self.starts: list[ReadingStart] = []
        self._limit = SimulatedRateLimit()
        self._other_at = START

    def get(self, path: str, params: Mapping[str, str], call: RequestPurpose) -> object:
        answer = super().get(path, params, call)
        now = self.clock()
        while self.others and self._other_at <= now:
            self._limit.take("bench", self._other_at)
            self._other_at += 60.0 / self.others
        usage = self._limit.take("bench", now)
        call.budget.observe(usage.remaining, usage.reset)
        if usage.over:
            self.refused += 1
            call.budget.block(usage.reset)
            raise TooManyRequests("429", delay=usage.reset)
        if "after" not in params:
            self.starts.append(ReadingStart(now - LATENCY, call.endpoint, call.names))
        return answer


def run(*, full: bool = False) -> Iterator[Figure]:
    """Figures of a budget that is too small, alone and shared."""
    log.configure("ERROR", style="text")
    cycles = 24 if full else 6
    yield from overloaded("7 × the budget", cycles, others=0.0)
    yield from overloaded("7 × the budget, another program takes 60 %", cycles, others=60.0)


def overloaded(name: str, cycles: int, others: float) -> Iterator[Figure]:
    """Let workspaces ask for too much, and others request runs by hand."""
    traffic = of_site(range(20_000, 20_000 + SUBREDDITS))
    with database() as db:
        world = FetchWorld(
            db,
            WORKSPACES,
            WARM_CYCLES + cycles,
            traffic,
            {"group_size": GROUP_SIZE},
            every=f"{EVERY_SECONDS}s",
            reddit=lambda *args: CountingReddit(*args, others=others),
        )
        begin, end = START + WARM_CYCLES * CYCLE, world.ends
        runs = list(_by_hand(world, begin, end))
        world.run()
    reddit = world.reddit
    assert isinstance(reddit, CountingReddit)
    demand = SUBREDDITS * 2 / GROUP_SIZE * 60.0 / EVERY_SECONDS
    left = PER_MINUTE - others * (1.0 - (ALLOWED - PER_MINUTE * 10) / 600)  # TODO
    asked = [at for at in reddit.requested_at if begin <= at < end]
    waits = sorted(_waits(reddit.starts, runs))
    ages = _ages(reddit.starts, begin, end)
    mean = sum(ages) / len(ages)
    one_queue = SUBREDDITS * 2 / GROUP_SIZE / PER_MINUTE * 60.0
    yield Figure(f"{name}: requests asked for a minute", demand, "")
    yield Figure(f"{name}: requests made a minute", len(asked) / (end - begin) * 60.0, "", 0.95 * left)
    yield Figure(f"{name}: most requests in any ten minutes", fullest(reddit.requested_at), "", 950, False)
    yield Figure(f"{name}: answers 429", reddit.refused, "", 0, False)
    yield Figure(f"{name}: a run by hand begins after, p50", _part(waits, 0.5), "s")
    yield Figure(f"{name}: a run by hand begins after, p99", _part(waits, 0.99), "s", 5.0, False)
    yield Figure(f"{name}: one queue for everything, p50", one_queue / 2.0, "s")
    yield Figure(f"{name}: mean age of a feed when it is read", mean, "s")
    yield Figure(f"{name}: the oldest, times the mean", max(ages) / mean, "×", 1.5, False)


def _by_hand(world: FetchWorld, begin: float, end: float) -> Iterator[tuple[float, frozenset[str]]]:
    """Save small workspaces, and request runs of them at random times; yield when, and their subreddits."""
    chance = random.Random(3)
    with world.db.session(), world.db.transaction():
        places = [tuple(chance.sample(world.traffic.names, RUN_SUBREDDITS)) for _ in range(RUN_WORKSPACES)]
        ids = [world.save(f"hand{number}", each, every="1d") for number, each in enumerate(places)]
    at = begin
    while (at := at + chance.expovariate(1.0 / RUN_SECONDS)) < end:
        number = chance.randrange(RUN_WORKSPACES)
        world.send_at(at, FetchWorkspace(workspace_id=ids[number], source="reddit", fresh_since=at, reason="trigger"))
        yield at, frozenset(places[number])


def _waits(starts: Sequence[ReadingStart], runs: Iterable[tuple[float, frozenset[str]]]) -> Iterator[float]:
    """Yield how long each run waited for its first reading."""
    times = [start.at for start in starts]
    for at, places in runs:
        following = starts[bisect_left(times, at) :]
        yield next((start.at - at for start in following if places & set(start.places)), float("inf"))


def _ages(starts: Sequence[ReadingStart], begin: float, end: float) -> list[float]:
    read: dict[tuple[str, str], float] = {}
    ages = []
    for at, kind, places in starts:
        for place in places:
            before = read.get((kind, place))
            if before is not None and begin <= at < end:
                ages.append(at - before)
            read[kind, place] = at
    return ages


def fullest(times: Sequence[float]) -> int:
    """Return the most requests in any ten minutes."""
    times = sorted(times)
    return max(number + 1 - bisect_left(times, at - WINDOW_SECONDS + 1e-6) for number, at in enumerate(times))


def _part(waits: Sequence[float], part: float) -> float:
    return waits[min(int(len(waits) * part), len(waits) - 1)]


if __name__ == "__main__":
    print_table(run(full="--full" in sys.argv), "The request budget")
