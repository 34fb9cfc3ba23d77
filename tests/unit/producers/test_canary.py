"""The canary's step of a tick."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from overheard import canary
from overheard.db import canaries, heartbeats, schedules, workspaces
from overheard.db.database import Db
from overheard.db.models import Workspace
from overheard.observability.metrics import ProcessMetrics
from producers.canary import Canary
from tests.fixtures import Clock, World

Metric = Callable[..., float]


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def make(db: Db, clock: Clock, metrics: ProcessMetrics) -> Callable[[int], Canary]:
    return lambda interval: Canary(db=db, clock=clock, interval=interval, metrics=metrics)


def test_the_canary_follows_the_configuration(
    world: World, make: Callable[[int], Canary], clock: Clock, metric: Metric
) -> None:
    acme = world.workspace()
    make(0).step()
    assert world.rows(Workspace, "id") == [(acme,)]
    on = make(300)
    on.step()
    begun = workspaces.by_name(world.db, canary.WORKSPACE)
    assert (begun.every, begun.next_due_at) == ("300s", clock())
    assert metric("canary_interval_seconds") == 300
    assert metric("canary_last_delivered_timestamp_seconds") == 0
    clock.advance(10)
    on.step()
    assert workspaces.by_name(world.db, canary.WORKSPACE).created_at == begun.created_at, "it is left alone"
    heartbeats.record(world.db, canaries.BEAT, clock())
    on.step()
    assert metric("canary_last_delivered_timestamp_seconds") == clock()
    make(0).step()
    assert world.rows(Workspace, "id") == [(acme,)]
    assert metric("canary_interval_seconds") == 0
    assert metric("canary_last_delivered_timestamp_seconds") == 0


def test_a_second_tick_leaves_the_canary_alone(world: World, make: Callable[[int], Canary], clock: Clock) -> None:
    make(300).step()
    schedules.claim_due(world.db, clock(), 5, lambda due: clock() + 300)
    make(300).step()
    assert workspaces.by_name(world.db, canary.WORKSPACE).next_due_at == clock() + 300


def test_a_users_workspace_of_that_name_stops_only_the_canary(world: World, make: Callable[[int], Canary]) -> None:
    world.workspace(canary.WORKSPACE)
    for interval in (300, 0):
        made = make(interval)
        made.step()
        made.step()
    assert workspaces.by_name(world.db, canary.WORKSPACE).every == "5m"
