"""How fast public events become messages, and what a flood of one workspace's events costs another workspace.

Run: python -m tests.benchmarks.bench_ingress

RabbitMQ and PostgreSQL (with fsync) are on this machine. Nothing takes the messages for fetch: they are counted.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pika

from overheard.db.models import RefreshDemand, Workspace
from tests.benchmarks.bench_pipeline import Door, farm, servers
from tests.benchmarks.figures import Figure, print_table
from tests.servers import postgres as postgres_settings
from tests.servers.bus_rig import depth
from tests.servers.farm import Farm
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer

WORKSPACES = 3_000
FLOOD = 50_000
PATIENCE_SECONDS = 900.0


def run() -> list[Figure]:
    """All figures of the ingress."""
    with fsync(), servers() as (rabbit, postgres):
        return [*throughput(rabbit, postgres), *flood(rabbit, postgres)]


@contextmanager
def fsync() -> Iterator[None]:
    """The tests' PostgreSQL does without it."""
    before = dict(postgres_settings.SETTINGS)
    postgres_settings.SETTINGS["fsync"] = "on"
    try:
        yield
    finally:
        postgres_settings.SETTINGS.update(before)


def throughput(rabbit: RabbitServer, postgres: PostgresServer) -> list[Figure]:
    """Events a second, each by hand and of another workspace."""
    with farm(rabbit, postgres, "ingress") as it:
        _workspaces(it)
        _declare(it)
        door = Door(it.bus, confirm=False)
        for number in range(WORKSPACES):
            door.publish(json.dumps({"workspace": f"w{number}"}).encode())
        door.connection.close()
        began = _start(it, WORKSPACES)
        it.wait(lambda: depth(it.bus, "overheard.ingress") == 0, seconds=PATIENCE_SECONDS)
        rate = WORKSPACES / (time.perf_counter() - began)
    return [Figure(f"events of {WORKSPACES:,} workspaces", rate, "events/s", 300)]


def flood(rabbit: RabbitServer, postgres: PostgresServer) -> list[Figure]:
    """A workspace's event behind 50,000 of another one's, which all wait when the ingress starts."""
    with farm(rabbit, postgres, "flood") as it:
        _workspaces(it)
        _declare(it)
        door = Door(it.bus, confirm=False)
        for _ in range(FLOOD):
            door.publish(b'{"workspace": "w0"}')
        door.publish(b'{"workspace": "w1"}')
        door.connection.close()
        began = _start(it, FLOOD + 1)
        messages = _until_demanded(it, 2)
        waited = time.perf_counter() - began
    return [
        Figure(f"{FLOOD:,} waiting events of one workspace", FLOOD / waited, "events/s", 300),
        Figure("another workspace's event behind them", waited, "s"),
        Figure("messages to fetch until then", messages, "messages", 20, higher_is_better=False),
    ]


def _start(it: Farm, waiting: int) -> float:
    """Start the ingress when so many events wait; when it began to work."""
    it.wait(lambda: depth(it.bus, "overheard.ingress") == waiting, seconds=PATIENCE_SECONDS)
    it.producer("ingress")
    it.wait(lambda: "working" in it.log("ingress"))
    return time.perf_counter()


def _declare(it: Farm) -> None:
    """Let an ingress make its queues."""
    it.producer("ingress", name="declares")
    it.wait(lambda: "working" in it.log("declares"))
    it.terminate("declares")


def _until_demanded(it: Farm, workspace_id: int) -> int:
    """Take the messages for fetch until one is for this workspace; how many there were."""
    connection = pika.BlockingConnection(pika.URLParameters(it.bus))
    channel, found = connection.channel(), 0
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE_SECONDS:
        method, _, body = channel.basic_get("fetch", auto_ack=True)
        if method is None:
            connection.sleep(0.005)
            continue
        found += 1
        if json.loads(body)["args"][0]["workspace_id"] == workspace_id:
            connection.close()
            return found
    raise TimeoutError(f"workspace {workspace_id} was not demanded")


def _workspaces(it: Farm) -> None:
    with it.db.session(), it.db.transaction():
        now = time.time()
        rows = [
            {"slug": f"w{number}", "name": "w", "every": "1d", "created_at": now, "next_due_at": now + 86400}
            for number in range(WORKSPACES)
        ]
        for start in range(0, WORKSPACES, 200):
            Workspace.insert_many(rows[start : start + 200]).execute(it.db.peewee)
        ids = Workspace.select(Workspace.id).tuples().execute(it.db.peewee)
        demands = [{"workspace": row, "source": "reddit"} for (row,) in ids]
        for start in range(0, WORKSPACES, 200):
            RefreshDemand.insert_many(demands[start : start + 200]).execute(it.db.peewee)
    it.db.release()


if __name__ == "__main__":
    print_table(run(), "Public events")
