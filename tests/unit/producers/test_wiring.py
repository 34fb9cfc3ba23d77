"""The producers as they are built from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from overheard.bus.event_batches import OK, IncomingEvent
from overheard.config import BusSettings, Config, DatabaseSettings, LimitsSettings
from overheard.db import budgets
from overheard.db.database import Db
from overheard.embedded import Pipeline
from overheard.process import RunningProcess
from tests.fixtures import World


@pytest.fixture
def running(sqlite_url: str) -> Iterator[RunningProcess]:
    """Return a process whose RabbitMQ does not exist."""
    config = Config(
        database=DatabaseSettings(url=SecretStr(sqlite_url)),
        bus=BusSettings(url=SecretStr("amqp://u:p@127.0.0.1:1/v")),
        limits=LimitsSettings(triggers_per_hour=1),
    )
    made = RunningProcess(config)
    made.ready_database()
    with made.db.session():
        yield made
    made.db.release()


@pytest.fixture
def db(running: RunningProcess) -> Db:
    return running.db


def test_overheard_run_on_rabbitmq_bounds_triggers(running: RunningProcess, world: World) -> None:
    acme = world.workspace()
    assert budgets.try_acquire_trigger(running.db, acme, 1)
    ingress = Pipeline(running).ingress
    [settled] = ingress.handle([IncomingEvent("workspace.due", b'{"workspace": "acme"}', None)])
    assert settled != OK, "it is held back: a message sent now would have failed"
    assert ingress.demands is not None
    assert len(ingress.demands.held_back) == 1


def test_a_connection_is_named_once(running: RunningProcess) -> None:
    broker: Any = Pipeline(running).broker
    assert broker.parameters.client_properties["connection_name"] == "overheard run"
