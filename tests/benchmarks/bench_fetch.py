"""How many requests it takes to miss nothing, with few and with many workspaces on the same subreddits.

Run: python -m tests.benchmarks.bench_fetch

In virtual time, on SQLite: these are counts, not speeds. The bound is what a client that knew everything would need:
for posts and for comments, in each cycle, a request for each hundred new items, or for each group of feeds, whichever
is more. Reading each feed of each workspace on its own is the usual way; its count is calculated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from overheard.observability import log
from tests.benchmarks.fetch_world import CYCLE, SMALL, START, WATCHED, FetchWorld, database
from tests.benchmarks.figures import Figure, print_table

ALLOWED = 1.15  # times the bound
# Workspaces → cycles with news. What is counted a cycle hardly depends on how many there are, and many take long.
RUNS = {100: 3, 10_000: 1}


def run() -> Iterator[Figure]:
    """Figures for each number of workspaces."""
    log.configure("ERROR", style="text")
    for workspaces, cycles in RUNS.items():
        yield from measured(workspaces, cycles)


def measured(workspaces: int, cycles: int) -> list[Figure]:
    """Let them run, and count."""
    with database() as db:
        world = FetchWorld(db, workspaces, cycles)
        world.run()
    shown, stored = world.reddit.shown, world.stored
    asked = world.reddit.requests.total()
    least = bound(shown, world.config.fetch.group_size, cycles)
    ages = sorted(stored[name] - at for name, at in shown.items() if name in stored)
    usual = workspaces * WATCHED * 2 * (cycles + 2)
    of = f"{workspaces:,} workspaces"
    return [
        Figure(f"{of}: requests", asked, "", ALLOWED * least, False),
        Figure(f"{of}: requests, times the bound", asked / least, "×", ALLOWED, False),
        Figure(f"{of}: the usual way, each feed of each alone", usual, "", None, False),
        Figure(f"{of}: items that were listed", len(shown), ""),
        Figure(f"{of}: items lost", len(shown.keys() - stored.keys()), "", 0, False),
        Figure(f"{of}: gaps, though each feed alone has none", _gaps(world), "", 0, False),
        Figure(f"{of}: age when stored, p50", ages[len(ages) // 2], "s", None, False),
        Figure(f"{of}: age when stored, p99", ages[int(len(ages) * 0.99)], "s", None, False),
    ]


def _gaps(world: FetchWorld) -> float:
    return sum(
        sample.value
        for family in world.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "overheard_coverage_gaps_total"
    )


def bound(shown: dict[str, float], group_size: int, cycles: int) -> float:
    """The fewest requests of a client that knows in advance what is new.

    Everything is read cycles + 2 times: at the beginning, after each cycle with news, and once more for what came
    between the last of these readings and the end of the news.
    """
    groups = math.ceil(len(SMALL.names) / group_size)
    least = 2.0 * 2 * groups
    for cycle in range(cycles):
        begins = START + cycle * CYCLE
        new = [name for name, at in shown.items() if begins <= at < begins + CYCLE]
        posts = sum(name.startswith("t3_") for name in new)
        least += sum(max(count / 100, groups) for count in (posts, len(new) - posts))
    return least


if __name__ == "__main__":
    print_table(run(), "Fetch")
