"""Gaps: what a stop of two hours costs, and how long it takes until nothing is missing.

Run: python -m tests.benchmarks.bench_gaps [--full]

In virtual time, on SQLite, as ``bench_fetch``. Nothing is read during the stop; afterwards listings go back 1,000
posts, of 60 a minute. The rest of Reddit has 17 posts a second, which take numbers. 5 % of the posts are held by a
filter for one to ten minutes. The usual way, for comparison, looks up the numbers of each feed's gap on its own; its
count is calculated.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from overheard.db import gaps
from overheard.db.models import Feed, Gap
from tests.benchmarks.fetch_world import CYCLE, SITE_POSTS, START, FetchWorld, Traffic, database
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import Job, all_figures

WARM_CYCLES = 3
STOP_SECONDS = 7200.0
FILL_SECONDS = 1800.0
LATE = 0.05


class StopScene(NamedTuple):
    """``busy`` subreddits share 60 posts a minute; ``quiet`` ones have a few in an hour."""

    name: str
    busy: int
    quiet: int = 20
    spare: str = "freshness"


SCENES = (StopScene("a stop of 2 h, 3 busy subreddits", 3),)
FULL = (
    StopScene("a stop of 2 h, one busy subreddit, spare budget saved", 1, spare="save"),
    StopScene("a stop of 2 h, 3 busy among 1,000 quiet ones", 3, quiet=1000),
)


def run(scenes: Iterable[StopScene] = SCENES) -> Iterator[Figure]:
    """Figures for each scene."""
    yield from all_figures(jobs(scenes))


def jobs(scenes: Iterable[StopScene] = SCENES) -> list[Job]:
    """Return what makes the figures of each scene."""
    return [partial(measured, scene) for scene in scenes]


def measured(scene: StopScene) -> list[Figure]:
    """Let the scene run, stop for two hours, and run on until nothing can be left."""
    weights = {f"busy{number}": 100.0 / scene.busy for number in range(scene.busy)}
    weights |= {f"quiet{number}": 1.0 / scene.quiet for number in range(scene.quiet)}
    traffic = Traffic(weights, 1.0, 0.05, elsewhere=SITE_POSTS, late=LATE)
    with database() as db:
        cycles = WARM_CYCLES + round((STOP_SECONDS + FILL_SECONDS) / CYCLE)
        world = FetchWorld(db, 10, cycles, traffic, {"spare": scene.spare})
        world.run_until(START + WARM_CYCLES * CYCLE)
        world.clock.now += STOP_SECONDS
        again_at = world.clock.now
        world.reddit.arrive()
        world.run_until(again_at + 60.0)
        while gaps.count_open(world.db) and world.clock.now < again_at + FILL_SECONDS:
            world.run_until(world.clock.now + 60.0)
        shown_until = world.clock.now
        world.run_until(shown_until + 1.5 * CYCLE)
        rows = gaps.listing(world.db, limit=100_000)
        bounds = [
            (str(place), first, last)
            for place, first, last in Gap.select(Feed.place, Gap.from_at, Gap.to_at)
            .join(Feed, on=(Gap.feed == Feed.id))
            .tuples()
            .execute(world.db.peewee)
            if first is not None
        ]
        naive = sum(last - first for _, first, last in bounds)
    filled_at = [row.filled_at for row in rows if row.filled_at is not None]
    info = [at for at in world.reddit.info_at if at >= again_at]
    minutes = (max(filled_at, default=again_at) - again_at) / 60.0
    shown = {name for name, at in world.reddit.shown.items() if at <= shown_until}
    posts = {name for name in shown if name.startswith("t3_")}
    in_gaps = sum(
        any(
            place == world.reddit.place(name) and first < world.reddit.created(name) < last
            for place, first, last in bounds
        )
        for name in posts
    )
    return [
        Figure(f"{scene.name}: posts", len(posts), ""),
        Figure(f"{scene.name}: posts in gaps", in_gaps, ""),
        Figure(f"{scene.name}: posts lost", len(posts - world.stored.keys()), "", 0, False),
        Figure(f"{scene.name}: comments lost", len(shown - posts - world.stored.keys()), "", 0, False),
        Figure(f"{scene.name}: gaps recorded", len(rows), ""),
        Figure(f"{scene.name}: gaps filled", len(filled_at) / max(len(rows), 1) * 100, "%", 100),
        Figure(f"{scene.name}: until the last one is filled", minutes, "min", FILL_SECONDS / 60, False),
        Figure(f"{scene.name}: requests by number", len(info), ""),
        Figure(f"{scene.name}: the usual way, each feed's gap alone", naive * (SITE_POSTS + 1.0) / 100, ""),
    ]


if __name__ == "__main__":
    print_table(run((*SCENES, *FULL) if "--full" in sys.argv else SCENES), "Gaps")
