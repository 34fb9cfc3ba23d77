"""Processes that reach one server and not the other, behind a network that drops everything without a word."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from peewee import fn

from overheard.bus.public_exchange import RabbitEvents
from overheard.db.models import DeadLetter
from overheard.programs import PROGRAMS
from tests.servers.farm import ALL_STAGES, Farm
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import RabbitServer
from tests.servers.supervisord import free_base
from tests.servers.waiting import PATIENCE

DOWN_WITHIN_SECONDS = 20.0
# After two of a consumer's heartbeats RabbitMQ gives its messages to others; with the usual ones, after a minute.
REDELIVERED_WITHIN_SECONDS = 40.0
HALF = {"tick": "tick", "ingress": "ingress", "actors": "fetch"}  # whose port each has


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url) as farm:
        farm.workspace(every="1d")
        yield farm


def start(farm: Farm, *, number: int) -> None:
    """A tick, an ingress, and one process for all stages."""
    for producer in ("tick", "ingress"):
        farm.start(f"{producer}-{number}", "producers", producer, "--process", str(number))
    farm.start(f"actors-{number}", "actors", *ALL_STAGES, "--process", str(number))


def health(farm: Farm, name: str, number: int) -> tuple[int, str]:
    port = int(farm.settings["METRICS__PORT"]) + PROGRAMS[HALF[name]].port + number
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_for_health(farm: Farm, number: int, status: int, word: str, seconds: float = PATIENCE) -> None:
    for name in HALF:
        farm.wait(
            lambda name=name: (told := health(farm, name, number))[0] == status and word in told[1],
            lambda name=name: f"{name} says {health(farm, name, number)}",
            seconds,
        )


@pytest.mark.parametrize(("server", "word"), [("database", "the database does not answer"), ("bus", "")])
def test_half_connected_processes_say_so_hold_nobody_up_and_come_back(
    farm: Farm, server: str, word: str, postgres_server: PostgresServer, rabbit_server: RabbitServer
) -> None:
    farm.settings["METRICS__PORT"] = str(free_base())
    port = postgres_server.port if server == "database" else rabbit_server.port
    with Proxy(port) as proxy:
        key, url = ("DATABASE__URL", farm.database) if server == "database" else ("BUS__URL", farm.bus)
        farm.settings[key] = proxy.url(url)
        start(farm, number=1)
        wait_for_health(farm, 1, 200, "ok")
        proxy.drop()
        wait_for_health(farm, 1, 503, word, DOWN_WITHIN_SECONDS)
        del farm.settings[key]
        start(farm, number=2)
        wait_for_health(farm, 2, 200, "ok")
        posted = farm.post(3)
        door = RabbitEvents(farm.bus)
        door.publish("workspace.due", {"workspace": "acme"})
        door.close()
        farm.wait_for_items(posted, REDELIVERED_WITHIN_SECONDS)
        proxy.restore()
        wait_for_health(farm, 1, 200, "ok")
    assert not [name for name, process in farm.processes.items() if process.poll() is not None]
    assert "Traceback" not in farm.logs()
    assert farm.scalar(DeadLetter.select(fn.count(DeadLetter.id))) == 0
