"""How many requests it takes to miss nothing, and how fresh the budget makes it: the plan of readings at work.

Run: python -m tests.benchmarks.bench_fetch [--full]

In virtual time, on SQLite: these are counts, not speeds. What is counted begins after WARM_CYCLES, when the rates of
the feeds are known. The bound is what a client that knew everything would need: for posts and for comments, in each
cycle, a request for each hundred new items, or for each group of feeds, whichever is more. Reading each feed of each
workspace on its own is the usual way; its count is calculated. What ``arithmetic`` says of the
same world is beside it, too. ``--full`` adds ten thousand workspaces and the busiest 2,000 subreddits of Reddit, which
take minutes.
"""

from __future__ import annotations

import random
import sys
import timeit
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

from overheard.config import FetchSettings
from overheard.reading.group_feeds import GroupFeeds
from overheard.reading.packing import PackedFeed, RequestRoom, balanced
from overheard.reading.plan import ReadingPlan, plan
from overheard.reading.rules import ReadingRules
from producers.current_plan import PLAN_SECONDS, REPACK_SECONDS
from tests.benchmarks.arithmetic import ArithmeticRules, expected
from tests.benchmarks.fetch_world import CYCLE, LATENCY, SMALL, START, FetchWorld, Traffic, database, of_site
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import Job, in_parallel

ALLOWED = 1.15  # times the bound
FRESH_SECONDS = (15.0, 60.0, 120.0)  # age when stored: p50, p95, p99
WARM_CYCLES = 2
BUDGET_PER_MINUTE = 95.0
AGREED_PERCENT = 10.0
MANY_AGES = 2_000
SOON_SECONDS = 120.0  # after which everything is read where the budget buys freshness


class Scene(NamedTuple):
    """Workspaces that watch some traffic, every five minutes, for ``cycles`` after WARM_CYCLES."""

    name: str
    traffic: Traffic
    workspaces: int = 10
    cycles: int = 2
    spare: str = "save"
    drain: float = 1.5 * CYCLE


def mixed(count: int) -> Traffic:
    """Return subreddits of all sizes."""
    return of_site(sorted(random.Random(5).sample(range(1, 50_001), count)))


def top(count: int) -> Traffic:
    """Return the busiest subreddits of Reddit."""
    return of_site(range(1, count + 1))


# 300 posts a minute in one subreddit, hardly anything in the others.
BUSY = Traffic({f"place{number:02}": 4900.0 if number == 25 else 1.0 for number in range(50)}, 5.05, 0.05)

SCENES = (
    Scene("one busy subreddit among 49 quiet ones", BUSY, cycles=4),
    Scene("200 mixed", mixed(200)),
    Scene("200 mixed, spare budget for freshness", mixed(200), cycles=1, spare="freshness", drain=SOON_SECONDS),
    Scene("2,000 mixed", mixed(2_000), cycles=1),
)
FULL = (
    Scene("100 workspaces, 250 subreddits", SMALL, workspaces=100),
    Scene("10,000 workspaces, the same 250 subreddits", SMALL, workspaces=10_000),
    Scene("the top 2,000", top(2_000)),
    Scene("the top 2,000, spare budget for freshness", top(2_000), spare="freshness"),
)


def jobs(scenes: Iterable[Scene] = SCENES) -> list[Job]:
    """Return what makes the figures of the planner alone, and those of each scene."""
    return [decisions, *(partial(measured, scene) for scene in scenes)]


def run(scenes: Sequence[Scene] = SCENES) -> Iterator[Figure]:
    """Figures for each scene."""
    planner, *made = in_parallel(jobs(scenes))
    yield from planner
    of_small: list[float] = []
    for scene, figures in zip(scenes, made, strict=True):
        yield from figures
        if scene.traffic is SMALL:
            of_small.append(figures[0].value)
            growth = of_small[-1] / of_small[0]
            yield Figure(f"{scene.name}: requests, times those of 100 workspaces", growth, "×", 1.01, False)


def decisions() -> list[Figure]:
    """How long the planner thinks about 20,000 feeds: at each plan, and at the few that consider other groups."""
    traffic, room = top(10_000), RequestRoom(50, 1500)
    whole = sum(traffic.weights.values())
    feeds = [
        PackedFeed(number, rate * weight / whole, CYCLE, len(name) + 1)
        for number, (rate, (name, weight)) in enumerate(
            product((traffic.posts, traffic.comments), traffic.weights.items())
        )
    ]
    half = len(feeds) // 2
    packed = [("posts", each) for each in balanced(feeds[:half], room)]
    packed += [("comments", each) for each in balanced(feeds[half:], room)]
    groups = [(number, kind, tuple(each)) for number, (kind, each) in enumerate(packed)]
    rules = ReadingRules(room, BUDGET_PER_MINUTE / 60.0, FRESH_SECONDS[0])

    def made(*, repack: bool) -> ReadingPlan:  # of new groups, as each plan is: a group remembers its load
        return plan([GroupFeeds(*group) for group in groups], rules, repack=repack)

    often, seldom = (min(timeit.repeat(partial(made, repack=repack), number=1, repeat=5)) for repack in (False, True))
    share = 100.0 * (often / PLAN_SECONDS + seldom / REPACK_SECONDS)
    return [
        Figure("the plan of 20,000 feeds: intervals", 1000.0 * often, "ms", 50, False),
        Figure("the plan of 20,000 feeds: intervals and groups, every ten minutes", 1000.0 * seldom, "ms", 50, False),
        Figure("the plan of 20,000 feeds: of a core", share, "%", 1, False),
    ]


def measured(scene: Scene) -> list[Figure]:
    """Let the scene's workspaces run, and count."""
    with database() as db:
        cycles, fetch = WARM_CYCLES + scene.cycles, {"spare": scene.spare}
        world = FetchWorld(db, scene.workspaces, cycles, scene.traffic, fetch, drain=scene.drain)
        world.run()
    begin, end = START + WARM_CYCLES * CYCLE, world.ends
    minutes = (end - begin) / 60.0
    shown = {name: at for name, at in world.reddit.shown.items() if begin <= at < end}
    asked = sum(begin <= at < end for at in world.reddit.requested_at) / minutes
    least = bound(shown, len(scene.traffic.names), world.config.fetch.group_size, minutes)
    ages = sorted(world.stored[name] - at for name, at in shown.items() if name in world.stored)
    saves = scene.spare == "save"
    allowed = ALLOWED * least if saves else BUDGET_PER_MINUTE
    by_workspace = scene.workspaces * world.watched * 2 / (CYCLE / 60.0)
    figures = [
        Figure(f"{scene.name}: requests a minute", asked, "", allowed, False),
        Figure(f"{scene.name}: times the bound", asked / least, "×", ALLOWED if saves else None, False),
        Figure(f"{scene.name}: the usual way, each feed of each alone", by_workspace, "", None, False),
        Figure(f"{scene.name}: items", len(shown), ""),
        Figure(f"{scene.name}: items lost", len(world.reddit.shown.keys() - world.stored.keys()), "", 0, False),
        Figure(f"{scene.name}: gaps, though each feed alone has none", _gaps(world), "", 0, False),
    ]
    for part, most in zip((0.5, 0.95, 0.99), FRESH_SECONDS, strict=True):
        age = ages[min(int(len(ages) * part), len(ages) - 1)]
        figures.append(
            Figure(f"{scene.name}: age when stored, p{part * 100:.0f}", age, "s", None if saves else most, False)
        )
    return [*figures, *by_arithmetic(scene, world.config.fetch, asked, ages)]


def by_arithmetic(scene: Scene, fetch: FetchSettings, asked: float, ages: Sequence[float]) -> Iterator[Figure]:
    """Yield what arithmetic says, and how far what was measured is from it."""
    traffic, per_second = scene.traffic, BUDGET_PER_MINUTE / 60.0
    whole = sum(traffic.weights.values())
    kinds = [
        [rate * weight / whole for weight in traffic.weights.values()] for rate in (traffic.posts, traffic.comments)
    ]
    freshest = fetch.freshest if fetch.spare == "freshness" else None
    rules = ArithmeticRules(fetch.group_size, CYCLE, LATENCY, per_second, freshest, fetch.look_back_seconds)
    said = expected(kinds, rules)
    difference = abs(asked / said.requests - 1.0) * 100.0
    yield Figure(f"{scene.name}: by arithmetic, requests a minute", said.requests, "")
    yield Figure(f"{scene.name}: … from which it differs by", difference, "%", AGREED_PERCENT, False)
    # The median of a few hundred ages is that far from the true one by chance.
    agreed = AGREED_PERCENT if len(ages) >= MANY_AGES else None
    difference = abs(ages[len(ages) // 2] / said.age - 1.0) * 100.0
    yield Figure(f"{scene.name}: by arithmetic, age when stored, p50", said.age, "s")
    yield Figure(f"{scene.name}: … from which it differs by", difference, "%", agreed, False)


def _gaps(world: FetchWorld) -> float:
    return sum(
        sample.value
        for family in world.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "overheard_coverage_gaps_total"
    )


def bound(shown: Iterable[str], feeds: int, group_size: int, minutes: float) -> float:
    """Return the fewest requests a minute of a client that knows in advance what is new: of posts and of comments."""
    names = list(shown)
    posts = sum(name.startswith("t3_") for name in names)
    of_feeds = feeds / group_size / (CYCLE / 60.0)
    return sum(max(count / 100 / minutes, of_feeds) for count in (posts, len(names) - posts))


if __name__ == "__main__":
    print_table(run((*SCENES, *FULL) if "--full" in sys.argv else SCENES), "Fetch")
