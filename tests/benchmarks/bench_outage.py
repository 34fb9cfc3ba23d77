"""A source that is down: how many requests it still gets, and how soon everything is read when it answers again.

Run: python -m tests.benchmarks.bench_outage [--full]; after the table of gaps in ``make bench``

In virtual time, on SQLite, as ``bench_fetch``. Every request of ten minutes is answered with an error. The usual way,
for comparison, goes on asking for each group when it is due; its count is calculated. ``--full``: the busiest 2,000
subreddits of Reddit, of which ten minutes are more than their listings hold. The rest is looked up by numbers, with the
requests that the plan leaves unused: in twice the time that these would take if nothing else used any.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple, cast

from peewee import fn

from overheard.db import freshness, gap_filling, gaps
from overheard.db.models import Feed
from overheard.observability import log
from tests.benchmarks.fetch_world import CYCLE, START, FetchWorld, InProcessReddit, Traffic, database, of_site
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import Job, all_figures

WARM_CYCLES = 2
OUTAGE_SECONDS = 600.0
MAX_REQUESTS = 30
RECOVERY_SECONDS = 60.0
WAIT_SECONDS = 900.0  # for the recovery, at most
FILL_SECONDS = 5400.0  # for filling gaps, at most
FILL_STEP_SECONDS = 30.0
NUMBERS_PER_REQUEST = 100
FILL_TIMES = 2.0  # what it may take, times what unused requests would allow


class OutageScene(NamedTuple):
    """Subreddits that are watched when the source fails."""

    name: str
    traffic: Traffic
    spare: str = "freshness"


SCENES = (OutageScene("200 subreddits", of_site(range(1_000, 1_200))),)
FULL = (
    OutageScene("the top 2,000", of_site(range(1, 2_001))),
    OutageScene("the top 2,000, spare budget saved", of_site(range(1, 2_001)), spare="save"),
)


class DownReddit(InProcessReddit):
    """Answers with errors until ``up_at``, once that is set."""

    up_at = 0.0

    def fails(self) -> bool:
        """Return True if Reddit answers this request with an error."""
        return self.clock() < self.up_at


def run(scenes: Iterable[OutageScene] = SCENES) -> Iterator[Figure]:
    """Figures for each scene."""
    yield from all_figures(jobs(scenes))


def jobs(scenes: Iterable[OutageScene] = SCENES) -> list[Job]:
    """Return what makes the figures of each scene."""
    return [partial(measured, scene) for scene in scenes]


def measured(scene: OutageScene) -> list[Figure]:
    """Let a scene run, fail for a while, and run on until all feeds have been read again."""
    log.configure("CRITICAL", style="text")
    with database() as db:
        cycles = WARM_CYCLES + round((OUTAGE_SECONDS + WAIT_SECONDS + FILL_SECONDS) / CYCLE)
        world = FetchWorld(db, 10, cycles, scene.traffic, {"spare": scene.spare}, reddit=DownReddit)
        reddit = cast(DownReddit, world.reddit)
        world.run_until(START + WARM_CYCLES * CYCLE)
        before = sum(at >= START + CYCLE for at in reddit.requested_at) / CYCLE
        down_at = world.clock.now
        reddit.up_at = down_at + OUTAGE_SECONDS
        world.run_until(reddit.up_at)
        made = sum(at >= down_at for at in reddit.requested_at)
        while oldest(world) < reddit.up_at and world.clock.now < reddit.up_at + WAIT_SECONDS:
            world.run_until(world.clock.now + 1.0)
        seconds = world.clock.now - reddit.up_at
        filling = list(filled(scene, world, reddit.up_at))
        world.reddit.until = world.clock.now
        world.run_until(world.clock.now + 1.5 * CYCLE)
        lost = len(reddit.shown.keys() - world.stored.keys())
    return [
        Figure(f"ten minutes' outage, {scene.name}: requests", made, "", MAX_REQUESTS, False),
        Figure(f"ten minutes' outage, {scene.name}: the usual way, as before it", before * OUTAGE_SECONDS, ""),
        Figure(f"ten minutes' outage, {scene.name}: everything read after", seconds, "s", RECOVERY_SECONDS, False),
        *filling,
        Figure(f"ten minutes' outage, {scene.name}: items lost", lost, "", 0, False),
    ]


def filled(scene: OutageScene, world: FetchWorld, up_at: float) -> Iterator[Figure]:
    """Let the world run until all gaps are filled; yield how many requests that takes, and how long."""
    requests = gap_filling.backlog(world.db, "reddit") / NUMBERS_PER_REQUEST
    if not requests:
        return
    unused = 60.0 * (planned(world, "budget") - planned(world, "planned"))
    while gaps.count_open(world.db) and world.clock.now < up_at + FILL_SECONDS:
        world.run_until(world.clock.now + FILL_STEP_SECONDS)
    name, minutes = f"ten minutes' outage, {scene.name}", (world.clock.now - up_at) / 60.0
    yield Figure(f"{name}: requests that fill the gaps", requests, "")
    yield Figure(f"{name}: requests a minute that the plan leaves", unused, "")
    yield Figure(f"{name}: gaps filled after", minutes, "min", FILL_TIMES * requests / unused, False)


def planned(world: FetchWorld, figure: str) -> float:
    """Return a figure of the plan that is followed, in requests a second."""
    labels = {"source": "reddit", "figure": figure}
    return world.metrics.registry.get_sample_value("overheard_reading_plan_requests_per_second", labels) or 0.0


def oldest(world: FetchWorld) -> float:
    """Return when the feed was read that was not read for longest."""
    return float(Feed.select(fn.MIN(freshness.fresh_at())).scalar(world.db.peewee))


if __name__ == "__main__":
    print_table(run((*SCENES, *FULL) if "--full" in sys.argv else SCENES), "An outage")
