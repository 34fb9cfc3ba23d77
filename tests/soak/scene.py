"""The set-up before the first process runs: servers, Reddit and Hacker News with some history, and the workspaces."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from peewee import fn

from overheard import workspaces
from overheard.db.models import Workspace
from overheard.simulators.hackernews import HackerNewsSimulator
from overheard.simulators.reddit import RedditSimulator
from tests.servers.farm import Farm
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer
from tests.soak import world
from tests.soak.plan import Plan

HISTORY = 2  # items per subreddit from before the workspaces existed
STORIES_BEFORE = 60
LONG_AGO = 3600.0


class ImportFailed(Exception):
    """With what it printed."""


class Clock:
    """The time, or for a while one that is past."""

    def __init__(self) -> None:
        self.behind = 0.0

    def __call__(self) -> float:
        return time.time() - self.behind


@contextmanager
def servers() -> Iterator[tuple[RabbitServer, PostgresServer]]:
    rabbit = RabbitServer()
    rabbit.start()
    try:
        with PostgresServer() as postgres:
            yield rabbit, postgres
    finally:
        rabbit.stop()


def make(plan: Plan) -> world.World:
    """The world, with more to say than there will be time for."""
    count = int(plan.subreddits * HISTORY + plan.rate * plan.seconds * 1.5)
    return world.make(plan, count, int(STORIES_BEFORE + plan.hackernews_rate * plan.seconds * 1.5))


def history(simulator: RedditSimulator, clock: Clock, plan: Plan, made: world.World) -> world.Recorded:
    """The traffic to come, after people have talked before anybody listened: nobody may be told of that."""
    for name in sorted({name for listener in made.listeners for name in listener.subreddits}):
        simulator.set_subreddit(name)
    traffic = world.Recorded(simulator, plan, made.texts)
    clock.behind = LONG_AGO
    traffic.fill(plan.subreddits * HISTORY)
    clock.behind = 0.0
    traffic.said.clear()
    return traffic


def stories(simulator: HackerNewsSimulator, plan: Plan, made: world.World) -> world.RecordedStories:
    """The traffic to come on Hacker News, after what was told there before anybody listened."""
    simulator.add_samples(STORIES_BEFORE, LONG_AGO)
    return world.RecordedStories(simulator, plan, made.stories)


def bring_in(farm: Farm, plan: Plan, made: world.World) -> float:
    """``overheard import`` of one file, as users do it; the seconds it took. Raises ImportFailed."""
    path = farm.folder / "workspaces.toml"
    path.write_text(workspaces.write(world.specs(made.listeners, plan, farm.sink.url, farm.secret)))
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "overheard.cli", "import", str(path)],
        env=farm.environment, cwd=farm.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ImportFailed(f"overheard import failed:\n{done.stderr[-2000:]}")
    return time.monotonic() - began


def spread(farm: Farm, plan: Plan) -> None:
    """Due one after the other, as if they had come over a whole interval, and not all in one file."""
    with farm.db.session():
        first = Workspace.select(fn.min(Workspace.id)).scalar(farm.db.peewee)
        due = time.time() + (Workspace.id - first) * (plan.interval / plan.workspaces)
        Workspace.update(next_due_at=due).execute(farm.db.peewee)
        farm.db.release()
