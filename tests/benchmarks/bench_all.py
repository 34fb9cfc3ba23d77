"""What following all of Reddit costs, by the numbers of its posts and comments, and how far it lags.

Run: python -m tests.benchmarks.bench_all [--full]

In virtual time, on SQLite, with the real tick, fetch, match and store: these are counts, not speeds. Of all numbers 5 %
are holes: half of them never have an item, the others up to two minutes late. 2 % of the posts are held by a filter for
one to ten minutes. What is counted begins after WARM_CYCLES, when all that is asked for again is due as well. The naive
way beside it reads the listing of all of Reddit to its end whenever it has become full, which misses what is a moment
late; its count is calculated. ``--full`` adds spare = "save", and the comments, on two clients.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from overheard.simulators.reddit.store import NumberHoles
from overheard.workspaces.spec import WatchKind
from tests.benchmarks.fetch_world import CYCLE, SITE_COMMENTS, SITE_POSTS, START, FetchWorld, Traffic, database
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import Job, all_figures

POSTS_PER_MINUTE = 13.0  # requests
BUDGET_PER_MINUTE = 95.0  # of a client
LAG_SECONDS = (15.0, 60.0)  # p50, p95
HOLES = NumberHoles(share=0.025, late=0.025, seconds=120.0)
PLACES = {f"place{rank:03}": 1.0 / rank for rank in range(1, 101)}
WARM_CYCLES = 4
DRAIN_SECONDS = 1300.0  # what a filter holds is asked for once more after 900 s, by a reading every 300 s


class Scene(NamedTuple):
    """All of Reddit, or its posts alone, for ``cycles`` of 300 s."""

    name: str
    kinds: tuple[WatchKind, ...]
    clients: tuple[str, ...]
    cycles: int
    spare: str
    requests: float


SCENES = (Scene("posts", ("posts",), ("one",), 1, "freshness", POSTS_PER_MINUTE),)
FULL = (
    Scene('posts, spare = "save"', ("posts",), ("one",), 1, "save", POSTS_PER_MINUTE),
    Scene("posts and comments, two clients", ("posts", "comments"), ("a", "b"), 1, "freshness", 2 * BUDGET_PER_MINUTE),
)


def run(scenes: Iterable[Scene] = SCENES) -> Iterator[Figure]:
    """Figures for each scene."""
    yield from all_figures(jobs(scenes))


def jobs(scenes: Iterable[Scene] = SCENES) -> list[Job]:
    """Return what makes the figures of each scene."""
    return [partial(measured, scene) for scene in scenes]


def measured(scene: Scene) -> list[Figure]:
    """Let a workspace follow all of Reddit, and count."""
    return list(_measured(scene))


def _measured(scene: Scene) -> Iterator[Figure]:
    comments = SITE_COMMENTS if "comments" in scene.kinds else 1e-9
    with database() as db:
        world = FetchWorld(
            db,
            1,
            WARM_CYCLES + scene.cycles,
            Traffic(PLACES, SITE_POSTS, comments),
            {"spare": scene.spare},
            places=("all",),
            kinds=scene.kinds,
            holes=HOLES,
            clients=scene.clients,
            drain=DRAIN_SECONDS,
        )
        world.run()
    begin, end = START + WARM_CYCLES * CYCLE, world.ends
    minutes = (end - begin) / 60.0
    prefixes = tuple("t3_" if kind == "posts" else "t1_" for kind in scene.kinds)
    all_shown = {
        name: at
        for name, at in world.reddit.shown.items()
        if name.startswith(prefixes) and world.reddit.created(name) >= START
    }
    shown = {name: at for name, at in all_shown.items() if begin <= at < end}
    asked = sum(begin <= at < end for at in world.reddit.requested_at) / minutes
    on_time = sorted(world.stored[name] - at for name, at in shown.items() if name in world.stored)
    naive = 10.0 * 60.0 * (SITE_POSTS + comments) / 1000.0
    yield Figure(f"{scene.name}: requests a minute", asked, "", scene.requests, False)
    yield Figure(f"{scene.name}: the naive way, the listing to its end before it is full", naive, "", None, False)
    yield Figure(f"{scene.name}: items", len(shown), "")
    lost = all_shown.keys() - world.stored.keys()
    yield Figure(f"{scene.name}: items lost", len(lost), "", 0, False)
    yield Figure(f"{scene.name}: gaps", gaps_of(world), "", 0, False)
    for part, most in zip((0.5, 0.95), LAG_SECONDS, strict=True):
        age = on_time[min(int(len(on_time) * part), len(on_time) - 1)]
        budget = most if scene.spare == "freshness" and part == 0.5 else None
        yield Figure(f"{scene.name}: age when stored, p{part * 100:.0f}", age, "s", budget, False)


def gaps_of(world: FetchWorld) -> float:
    """Return how many gaps were recorded."""
    return sum(
        sample.value
        for family in world.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "overheard_coverage_gaps_total"
    )


if __name__ == "__main__":
    print_table(run((*SCENES, *FULL) if "--full" in sys.argv else SCENES), "All of Reddit")
