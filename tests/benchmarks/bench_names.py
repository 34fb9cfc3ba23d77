"""What it costs to learn which of 2,000 subreddits can be read: an import of all of them, in virtual time.

Run: python -m tests.benchmarks.bench_names [--full]; after the table of fetch in ``make bench``

Reddit refuses a request that names a bad subreddit, or drops that name silently; both are tried. Beside it is the usual
way, halving what is refused: it is what happens where names cannot be asked for. Where they are dropped silently, that
finds none of them. All are shown for FEW names, with ``--full`` for PLACES.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from overheard.db.models import Feed
from overheard.errors import FeedRefused, RetryableError
from overheard.observability import log
from overheard.simulators.reddit.items import STATES
from overheard.simulators.reddit.routes import BadRequest, Multi, Routes
from overheard.sources.reddit.requestor import RequestPurpose
from tests.benchmarks.fetch_world import CYCLE, FetchWorld, Traffic, database
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.parallel import Job, all_figures

PLACES = 2_000
FEW = 400
BAD_SHARE = 0.0355  # 71 of them
CHECKS_ALLOWED = 21
GROUP_SIZE = 50
FEEDS = 2  # of each place: its posts and its comments
NAMES_OF_WORKSPACE = 20


class NamedWorld(FetchWorld):
    """Workspaces on many subreddits, some of which cannot be read. ``asks``: whether names can be asked for."""

    def __init__(self, db: Any, multi: Multi, places: int = PLACES, *, asks: bool = True) -> None:
        names = [f"place{number:05}" for number in range(places)]
        workspaces = places // NAMES_OF_WORKSPACE
        super().__init__(db, workspaces, 1, Traffic(dict.fromkeys(names, 1.0), 2.0, 2.0), drain=1.2 * CYCLE)
        self.requests: list[tuple[float, str]] = []
        self.answered: dict[tuple[str, str], int] = {}  # endpoint and place → after how many requests it was read
        self.reddit._routes = Routes(self.reddit._store, multi)
        self._asks = asks
        self._answer, self.reddit.get = self.reddit.get, self._get  # type: ignore[method-assign]
        chance = random.Random(3)
        states = [state for state in STATES if state != "public"]
        self.bad = {name: chance.choice(states) for name in chance.sample(names, int(BAD_SHARE * places))}
        for name, state in self.bad.items():
            self.reddit._store.set_state(name, state)

    def _get(self, path: str, params: Mapping[str, str], call: RequestPurpose) -> object:
        what = "names" if "sr_name" in params else path.rpartition("/")[2]
        if what == "names" and not self._asks:
            raise RetryableError("names cannot be asked for")
        before = len(self.reddit.requested_at)
        try:
            answer = self._answer(path, params, call)
            for name in call.names:
                self.answered.setdefault((what, name), len(self.requests) + 1)
            return answer
        except BadRequest as error:
            reason = json.loads(error.answer.text).get("reason")
            raise FeedRefused(reason or ("refused" if error.answer.status == 403 else "missing"), call.names) from None
        finally:  # not what found no token
            self.requests += [(at, what) for at in self.reddit.requested_at[before:]]

    @property
    def settling(self) -> list[str]:
        """Return what the requests were for until all that is good was read."""
        good = self.traffic.weights.keys() - self.bad.keys()
        last = max(after for (_, name), after in self.answered.items() if name in good)
        return [what for _, what in self.requests[:last]]

    def found(self) -> set[str]:
        """Return the places that are known to be bad."""
        rows = Feed.select(Feed.place).where(Feed.failures > 0).tuples().execute(self.db.peewee)
        return {place for (place,) in rows}


def run(few: int = FEW) -> Iterator[Figure]:
    """Figures for each way in which Reddit treats bad names, and for halving."""
    yield from all_figures(jobs(few))


def jobs(few: int = FEW) -> list[Job]:
    """Return what makes the figures of each way, and of halving."""
    return [*(partial(asked_for, multi, few) for multi in ("refuse", "drop")), partial(halved, few)]


def asked_for(multi: Multi, places: int) -> list[Figure]:
    """Import names that can be asked for."""
    log.configure("CRITICAL", style="text")
    with database() as db:
        world = NamedWorld(db, multi, places)
        world.run()
        return list(_figures(world, f"{places:,} names, {len(world.bad)} bad, {multi}"))


def halved(few: int) -> list[Figure]:
    """Import names where they cannot be asked for."""
    log.configure("CRITICAL", style="text")
    with database() as db:
        world = NamedWorld(db, "refuse", few, asks=False)
        world.run()
        readings = sum(what in ("new", "comments") for what in world.settling)
    title = f"the usual way, halving: {few:,} names, {len(world.bad)} bad"
    return [
        Figure(f"{title}: readings until all that is good is read", readings, ""),
        Figure(f"{title}: the fewest, without bad ones", FEEDS * few / GROUP_SIZE, ""),
    ]


def _figures(world: NamedWorld, title: str) -> Iterator[Figure]:
    early = world.settling
    places = len(world.traffic.names)
    least = FEEDS * places / GROUP_SIZE
    yield Figure(f"{title}: requests for names", early.count("names"), "", CHECKS_ALLOWED * places / PLACES, False)
    readings = early.count("new") + early.count("comments")
    yield Figure(f"{title}: readings until all that is good is read", readings, "", 2 * least, False)
    yield Figure(f"{title}: bad names not found", len(world.bad.keys() - world.found()), "", 0, False)
    yield Figure(f"{title}: good names taken for bad ones", len(world.found() - world.bad.keys()), "", 0, False)
    yield Figure(f"{title}: items of good names lost", _lost(world), "", 0, False)


def _lost(world: NamedWorld) -> int:
    """Return how many items of places that can be read were not stored."""
    shown = {name for name in world.reddit.shown if world.reddit._store.get(name).subreddit.state == "public"}
    return len(shown - world.stored.keys())


if __name__ == "__main__":
    print_table(run(PLACES if "--full" in sys.argv else FEW), "Names")
