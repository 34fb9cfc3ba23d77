"""Second looks: nothing is lost when much of it appears late and everything fails now and then.

Run: python -m tests.benchmarks.bench_looks [--full]

In virtual time, on SQLite, as ``bench_fetch``. LATE_SHARE of the posts enters on top of the listing one to ten minutes
late; as many posts and comments appear late at their own old place, where only a second look finds them. FAULT_SHARE of
the requests fails; after as many pages the item from which the next page would start is deleted; and once a minute
fetch is killed in the middle of a request. The usual way, without second looks, is measured in the same world.
"""

from __future__ import annotations

import heapq
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from overheard.db import gaps
from overheard.messages import Message
from overheard.observability import log
from overheard.sources.reddit.requestor import RequestPurpose
from tests.benchmarks.fetch_world import CYCLE, FetchWorld, InProcessReddit, Traffic, database
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import Job, all_figures

LATE_SHARE = FAULT_SHARE = 0.05
KILL_SECONDS, RESTART_SECONDS = 60.0, 5.0
LOOK_BACK = "10m"  # as long as anything is late
LOOK_BACK_SECONDS = 600.0


class LookScene(NamedTuple):
    """Subreddits of all sizes with so many posts and comments a second."""

    name: str
    subreddits: int
    posts: float
    comments: float
    cycles: int = 6

    @property
    def traffic(self) -> Traffic:
        weights = {f"place{rank:03}": 1.0 / rank for rank in range(1, self.subreddits + 1)}
        return Traffic(weights, self.posts, self.comments, late=LATE_SHARE)


SCENES = (LookScene("100 subreddits", 100, 0.2, 0.6, cycles=3),)
FULL = (LookScene("500 subreddits for an hour", 500, 1.0, 3.0, cycles=12),)


class Killed(BaseException):
    """The process ends here: nothing after it is done, and nothing is given back."""


class TroubledReddit(InProcessReddit):
    """Reddit on a bad day, with a client that is killed now and then."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.in_place: set[str] = set()
        self.deleted: set[str] = set()
        self._trouble = random.Random(7)
        self._kill_at = self.clock() + KILL_SECONDS

    def get(self, path: str, params: Mapping[str, str], call: RequestPurpose) -> object:
        """As on other days, but for faults, deletions and kills."""
        answer = super().get(path, params, call)
        after = cast(dict[str, Any], answer)["data"]["after"]
        if after is not None and self._trouble.random() < FAULT_SHARE:
            self._store.take_away(after, "author")
            self.deleted.add(after)
        if self.clock() >= self._kill_at:
            self._kill_at = self.clock() + KILL_SECONDS
            raise Killed
        return answer

    def fails(self) -> bool:
        """Return True if Reddit answers this request with an error."""
        return self._trouble.random() < FAULT_SHARE

    def _show(self, name: str, at: float) -> None:
        if self._trouble.random() < LATE_SHARE:
            self._store.take_away(name, "moderator")
            self.in_place.add(name)
            heapq.heappush(self._held, (at + self._trouble.uniform(60, LOOK_BACK_SECONDS), name))
        else:
            super()._show(name, at)


class TroubledWorld(FetchWorld):
    """What a killed process was working on is delivered again."""

    def _work(self, message: Message, options: dict[str, Any]) -> None:
        try:
            super()._work(message, options)
        except Killed:
            self._push(self.clock.now + RESTART_SECONDS, message, options)


class Outcome(NamedTuple):
    """Of one run: what was shown in time or on top, and what appeared at an old place; and what was lost of both."""

    shown: int
    lost: int
    in_place: int
    in_place_lost: int
    gaps: int
    requests: float
    done: float
    skipped: float


def run(scenes: Iterable[LookScene] = SCENES) -> Iterator[Figure]:
    """Figures for each scene."""
    yield from all_figures(jobs(scenes))


def jobs(scenes: Iterable[LookScene] = SCENES) -> list[Job]:
    """Return what makes the figures of each scene."""
    return [partial(beside_usual, scene) for scene in scenes]


def beside_usual(scene: LookScene) -> list[Figure]:
    """Let a scene run with second looks, and without."""
    log.configure("CRITICAL", style="text")
    with_looks, usual = measured(scene, LOOK_BACK), measured(scene, "0")
    return [
        Figure(f"{scene.name}: items in time or on top", with_looks.shown, ""),
        Figure(f"{scene.name}: lost", with_looks.lost, "", 0, False),
        Figure(f"{scene.name}: items late in place", with_looks.in_place, ""),
        Figure(f"{scene.name}: lost", with_looks.in_place_lost, "", 0, False),
        Figure(f"{scene.name}: lost the usual way, without looks", usual.in_place_lost, ""),
        Figure(f"{scene.name}: gaps, though no listing was too short", with_looks.gaps, "", 0, False),
        Figure(f"{scene.name}: second looks", with_looks.done, ""),
        Figure(f"{scene.name}: skipped", with_looks.skipped, "", 0, False),
        Figure(f"{scene.name}: requests a minute", with_looks.requests, "", 100, False),
        Figure(f"{scene.name}: the usual way", usual.requests, ""),
    ]


def measured(scene: LookScene, look_back: str) -> Outcome:
    """Let the scene run, and then until each group has had another second look, or another poll."""
    with database() as db:
        world = TroubledWorld(
            db, 10, scene.cycles, scene.traffic, {"spare": "freshness", "look_back": look_back}, reddit=TroubledReddit
        )
        began = world.clock.now
        world.run_until(world.ends + (CYCLE if look_back == "0" else 2.0 * LOOK_BACK_SECONDS))
        minutes = (world.clock.now - began) / 60.0
        reddit = cast(TroubledReddit, world.reddit)
        shown = reddit.shown.keys() - reddit.deleted
        lost = shown - world.stored.keys()
        return Outcome(
            shown=len(shown - reddit.in_place),
            lost=len(lost - reddit.in_place),
            in_place=len(shown & reddit.in_place),
            in_place_lost=len(lost & reddit.in_place),
            gaps=len(gaps.listing(world.db, limit=100_000)),
            requests=len(reddit.requested_at) / minutes,
            done=_looks(world, "done") + _looks(world, "short"),
            skipped=_looks(world, "skipped"),
        )


def _looks(world: FetchWorld, outcome: str) -> float:
    labels = {"source": "reddit", "outcome": outcome}
    return world.metrics.registry.get_sample_value("overheard_second_looks_total", labels) or 0.0


if __name__ == "__main__":
    print_table(run((*SCENES, *FULL) if "--full" in sys.argv else SCENES), "Second looks")
