"""Long fault runs (``make faults``): servers and processes are killed and cut off while the whole pipeline works.

The oracle is the simulator's truth, what was posted, against the receiver's record: every item is delivered, none is
stored twice, and what is delivered twice bears the same id.
"""

from __future__ import annotations

import random
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from peewee import SQL, fn

from overheard.db import migrate
from overheard.db.database import open_database
from overheard.db.models import DeadLetter, Delivery, Mention
from tests.servers.farm import ALL_STAGES, Farm
from tests.servers.ports import free_range
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer

pytestmark = pytest.mark.timeout(600)
PATIENCE = 240.0


@pytest.fixture
def farm(tmp_path: Path, rabbit_url: str, postgresql_url: str) -> Iterator[Farm]:
    with Farm(tmp_path, bus=rabbit_url, database=postgresql_url) as farm:
        farm.workspace()
        yield farm


def settle(farm: Farm, posted: set[str], *, repeats: int) -> None:
    """Wait until everything is delivered, and check the books."""
    received = farm.wait_for_items(posted, seconds=PATIENCE)
    waiting = Delivery.select(fn.count(SQL("*"))).where(Delivery.state == "pending")
    farm.wait(lambda: not farm.scalar(waiting), seconds=PATIENCE)
    assert set(received) == posted
    assert farm.scalar(Mention.select(fn.count(Mention.id))) == len(posted)
    assert farm.scalar(Delivery.select(fn.count(Delivery.id))) == len(posted)
    ids = Counter(request.headers["webhook-id"] for request in farm.sink.wait_for(0))
    assert len(ids) == len(posted)
    assert sum(ids.values()) - len(ids) <= repeats, ids.most_common(5)


def test_thirty_kills_at_random_points(farm: Farm) -> None:
    chance = random.Random(2026)
    farm.producer("ingress")
    farm.producer("tick")
    for stage in ALL_STAGES:
        farm.actors(stage)
    posted: set[str] = set()
    for kill in range(30):
        posted |= farm.post(4, first=4 * kill)
        asked = farm.simulator.counts()["total"]
        farm.simulator.wait_for_requests(asked + chance.randint(1, 3), timeout=10)
        victim = chance.choice([*ALL_STAGES[:4], "tick", "ingress"])
        farm.kill9(victim)
        if victim in ALL_STAGES:
            farm.actors(victim)
        else:
            farm.producer(victim)
    settle(farm, posted, repeats=30)


def test_rabbitmq_comes_back_without_its_queues(farm: Farm, rabbit_server: RabbitServer) -> None:
    farm.everything()
    posted = farm.post(5)
    farm.wait_for_items(posted)
    farm.terminate("actors")
    more = farm.post(10, first=5)
    vhost = farm.bus.rpartition("/")[2]
    for queue in rabbit_server.api("GET", f"/queues/{vhost}"):  # type: ignore[attr-defined]
        rabbit_server.api("DELETE", f"/queues/{vhost}/{queue['name']}")
    farm.kill9("ingress")
    farm.producer("ingress")
    farm.actors(*ALL_STAGES, name="actors")
    settle(farm, posted | more, repeats=0)


def test_postgresql_stops_at_once_and_comes_back(farm: Farm, postgres_server: PostgresServer) -> None:
    farm.everything()
    posted = farm.post(5)
    farm.wait_for_items(posted)
    for round_ in range(3):
        posted |= farm.post(10, first=5 + 10 * round_)
        asked = farm.simulator.counts()["total"]
        farm.simulator.wait_for_requests(asked + 1, timeout=20)
        farm.db.release()
        postgres_server.stop(immediate=True)
        postgres_server.start()
    settle(farm, posted, repeats=3 * 8)


def test_a_memory_alarm_makes_everybody_wait(farm: Farm, rabbit_server: RabbitServer) -> None:
    farm.everything()
    posted = farm.post(5)
    farm.wait_for_items(posted)
    rabbit_server.set_memory_alarm(True)
    try:
        posted |= farm.post(10, first=5)
        farm.wait(lambda: "tick failed" in farm.log("tick"), lambda: "the tick never noticed", PATIENCE)
    finally:
        rabbit_server.set_memory_alarm(False)
    settle(farm, posted, repeats=8)


@pytest.mark.parametrize("server", ["postgresql", "rabbitmq"])
def test_a_server_that_stands_still_is_noticed_everywhere_and_forgotten(
    farm: Farm, server: str, rabbit_server: RabbitServer
) -> None:
    """Frozen for longer than every limit: what was under way is done once more, and nothing is lost or given up."""
    farm.settings["METRICS__PORT"] = str(port := free_range(100))
    ports = {"tick": port, "ingress": port + 5, "actors": port + 10}
    with PostgresServer() as own:
        farm.settings["DATABASE__URL"] = own.create_database("frozen")
        farm.db = open_database(farm.settings["DATABASE__URL"])
        migrate.migrate(farm.db)
        farm.workspace()
        farm.everything()
        posted = farm.post(5)
        farm.wait_for_items(posted)
        farm.db.release()
        with own.frozen() if server == "postgresql" else rabbit_server.frozen():
            posted |= farm.post(10, first=5)
            for name, each in ports.items():
                farm.wait(partial(answers, each, 503), partial("{} reports that it is healthy".format, name), 20)
            farm.wait(lambda: "tick failed" in farm.log("tick"), lambda: "the tick never noticed", 40)
        for name, each in ports.items():
            farm.wait(partial(answers, each, 200), partial("{} reports that it is unhealthy".format, name), 20)
        settle(farm, posted, repeats=8)
        assert not farm.scalar(DeadLetter.select(fn.count(DeadLetter.id)))
        for name in list(farm.processes):
            farm.terminate(name)
        farm.db.release()


def answers(port: int, code: int) -> bool:
    """Return True if /healthz answers with this code."""
    return status(port) == code


def status(port: int) -> int:
    """What /healthz answers; 0 for nothing."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code
    except OSError:
        return 0


def test_one_dead_receiver_holds_up_nobody_else(farm: Farm, tmp_path: Path) -> None:
    farm.workspace("dead", url="http://127.0.0.1:9/nobody-listens-here")
    farm.everything()
    posted: set[str] = set()
    for round_ in range(5):
        posted |= farm.post(10, first=10 * round_)
        farm.wait_for_items(posted, seconds=20)
    assert not farm.scalar(DeadLetter.select(fn.count(DeadLetter.id)))
    sent = Delivery.select(fn.count(Delivery.id)).where(Delivery.state == "sent")
    farm.wait(lambda: farm.scalar(sent) == len(posted))
