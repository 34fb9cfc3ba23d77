"""What the request budget does when it is too small, shared, or was not used for a while.

Run: python -m tests.benchmarks.bench_budget [--full]

In virtual time, with the real tick, planner, fetch stage and limiter, on SQLite: these are counts and waits, not
speeds. Workspaces ask for seven times the budget, all the time; meanwhile runs are requested by hand. Beside it is one
queue for everything, in the order in which it is asked for: its figures are calculated. Reddit counts requests in
windows of ten minutes and refuses those above 1,000. One thread does everything: in production there are more.
"""

from __future__ import annotations

import math
import random
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from overheard.db import migrate
from overheard.db.budgets import DatabaseLimiter
from overheard.db.database import Db
from overheard.db.token_rates import WINDOW_SECONDS, averaged
from overheard.messages import FetchWorkspace
from overheard.simulators.reddit.limits import SimulatedRateLimit
from overheard.sources.reddit.requestor import RequestPurpose
from overheard.sources.reddit.responses import TooManyRequests
from tests.benchmarks.fetch_world import (
    CYCLE,
    LATENCY,
    START,
    FetchWorld,
    InProcessReddit,
    VirtualClock,
    database,
    of_site,
)
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import all_figures

PER_MINUTE = 95.0
SUBREDDITS = 600
WORKSPACES = 6
GROUP_SIZE = 5  # so that few subreddits ask for many requests
EVERY_SECONDS = 20
WARM_SECONDS = 240.0
SAVED_TOKENS = 475  # half of ten minutes' requests
RUN_WORKSPACES, RUN_SUBREDDITS = 30, 2  # that are run by hand
RUN_SECONDS = 8.0  # between two runs by hand, on average


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
    """Figures of a budget that is too small, of one that is shared, and of one that was not used."""
    cycles = 24 if full else 1
    alone = partial(overloaded, "7 × the budget", cycles)
    shared = partial(overloaded, "the same, others take 60 %", cycles + 1, others=60.0)
    yield from all_figures([after_quiet_time, alone, shared])


def after_quiet_time() -> list[Figure]:
    """Let a budget rest, and then ask for as much as it gives."""
    with database() as given:
        migrate.migrate(given)
        clock = VirtualClock()
        db = Db(given.peewee, sqlite=given.sqlite, clock=clock)
        limiter = DatabaseLimiter(db, {"reddit": averaged(PER_MINUTE, 500)})
        limiter.reserve("reddit:x")
        clock.wait(2 * WINDOW_SECONDS)
        slots = [limiter.reserve("reddit:x").slot or math.inf for _ in range(SAVED_TOKENS + 1)]
        at_once = sum(slot <= clock() for slot in slots)
        until = clock() + 2 * WINDOW_SECONDS
        while slots[-1] < until:
            clock.now = max(clock.now, slots[-1] - 10.0)
            slots.append(limiter.reserve("reddit:x").slot or math.inf)
    return [
        Figure("after ten quiet minutes: requests at once", at_once, "", SAVED_TOKENS),
        Figure("after ten quiet minutes: most in any ten minutes", fullest(slots), "", PER_MINUTE * 10, False),
    ]


def overloaded(name: str, cycles: int, others: float = 0.0) -> list[Figure]:
    """Let workspaces ask for too much, and request runs by hand."""
    return list(_overloaded(name, cycles, others))


def _overloaded(name: str, cycles: int, others: float) -> Iterator[Figure]:
    with database() as db:
        world = FetchWorld(
            db,
            WORKSPACES,
            cycles,
            of_site(range(20_000, 20_000 + SUBREDDITS)),
            {"group_size": GROUP_SIZE},
            every=f"{EVERY_SECONDS}s",
            reddit=lambda *args: CountingReddit(*args, others=others),
        )
        begin, end = START + WARM_SECONDS, world.ends + CYCLE
        runs = list(_by_hand(world, begin, end, RUN_SECONDS * PER_MINUTE / (PER_MINUTE - others)))
        world.run()
    reddit = world.reddit
    assert isinstance(reddit, CountingReddit)
    made = sum(begin <= at < end for at in reddit.requested_at) / (end - begin) * 60.0
    waits = sorted(_waits(reddit.starts, runs))
    ages = _ages(reddit.starts, begin, end)
    mean = sum(ages) / len(ages)
    groups = SUBREDDITS * 2 / GROUP_SIZE
    yield Figure(f"{name}: requests asked for a minute", groups * 60.0 / EVERY_SECONDS, "")
    yield Figure(f"{name}: requests made a minute", made, "", (0.8 if others else 0.95) * (PER_MINUTE - others))
    yield Figure(f"{name}: most requests in any ten minutes", fullest(reddit.requested_at), "", 10 * PER_MINUTE, False)
    yield Figure(f"{name}: answers 429", reddit.refused, "", 0, False)
    for part in (0.5, 0.99):
        most = 5.0 if part > 0.5 and not others else None
        yield Figure(f"{name}: a run by hand begins after, p{part * 100:.0f}", _part(waits, part), "s", most, False)
    yield Figure(f"{name}: in one queue for everything, p50", groups / (PER_MINUTE - others) * 60.0 / 2.0, "s")
    yield Figure(f"{name}: mean age of a feed when it is read", mean, "s")
    yield Figure(f"{name}: the oldest, times the mean", max(ages) / mean, "×", None if others else 1.5, False)


def _by_hand(world: FetchWorld, begin: float, end: float, seconds: float) -> Iterator[tuple[float, frozenset[str]]]:
    """Save small workspaces, and request a run of one every ``seconds`` or so; yield when, and its subreddits."""
    chance = random.Random(3)
    with world.db.session(), world.db.transaction():
        places = [tuple(chance.sample(world.traffic.names, RUN_SUBREDDITS)) for _ in range(RUN_WORKSPACES)]
        ids = [world.save(f"hand{number}", each, every="1d") for number, each in enumerate(places)]
    at = begin
    while (at := at + chance.expovariate(1.0 / seconds)) < end:
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
