"""How fast the pipeline is, end to end, on a RabbitMQ and a PostgreSQL on this machine, and what its processes weigh.

Run: python -m tests.benchmarks.bench_pipeline

Everything shares the machine's cores: the servers, our processes, the simulated Reddit, the receiver and this script.
"""

import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pika
from peewee import fn

from overheard.bus.envelope import StrictEncoder, pack
from overheard.db import freshness, queries, refreshes
from overheard.db.models import Channel, Feed, Query, RefreshDemand, StoredPart, Watch, Workspace
from overheard.items import Item
from overheard.messages import ItemsFetched, PollPart
from overheard.stages import STAGES
from tests.benchmarks.bench_match import make_queries
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.texts import load_items
from tests.servers.farm import Farm
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer

TRIGGERS = 100
MESSAGES = 120
WARM_MESSAGES = 10
FRESH_RUNS = 1500


def run() -> Iterator[Figure]:
    """All figures of the pipeline."""
    with servers() as (rabbit, postgres):
        for part in (latency, throughput, fresh_runs):
            yield from part(rabbit, postgres)


@contextmanager
def servers() -> Iterator[tuple[RabbitServer, PostgresServer]]:
    rabbit = RabbitServer()
    rabbit.start()
    try:
        with PostgresServer(durable=True) as postgres:
            yield rabbit, postgres
    finally:
        rabbit.stop()


@contextmanager
def farm(rabbit: RabbitServer, postgres: PostgresServer, name: str, **settings: str) -> Iterator[Farm]:
    with tempfile.TemporaryDirectory() as folder:
        bus, database = rabbit.vhost(), postgres.create_database(name)
        made = Farm(Path(folder), bus=bus, database=database, simulator=None, fresh=True, **settings)
        with made as farm:
            yield farm


class Door:
    """A foreign client; ``confirm``: a careful one, which waits for RabbitMQ to have each event."""

    def __init__(self, url: str, *, confirm: bool) -> None:
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        if confirm:
            self.channel.confirm_delivery()

    def publish(self, body: bytes) -> None:
        self.channel.basic_publish("overheard.events", "workspace.due", body, pika.BasicProperties(delivery_mode=2))


def latency(rabbit: RabbitServer, postgres: PostgresServer) -> list[Figure]:
    """From publishing an event to the webhook at its receiver; one event at a time; each reads posts and comments."""
    settings = {"REDDIT__BURST": "1000", "NOTIFY__BURST": "1000"}
    with farm(rabbit, postgres, "latency", **settings) as it:
        it.workspace(every="1d")
        it.producer("ingress")
        it.producer("tick")
        for stage in STAGES:
            it.actors(stage)
        it.wait(lambda: it.scalar(RefreshDemand.select(fn.min(RefreshDemand.served_at))) > 0)
        it.wait(lambda: it.scalar(Feed.select(fn.min(freshness.fresh_at()))) > 0)
        door, times = Door(it.bus, confirm=True), []
        for number in range(TRIGGERS):
            it.post(1, first=number)
            began = time.perf_counter()
            door.publish(b'{"workspace": "acme"}')
            it.sink.wait_for(number + 1, timeout=30)
            times.append((time.perf_counter() - began) * 1000)
        door.connection.close()
        times.sort()
        figures = [
            Figure("trigger → webhook, p50", statistics.median(times), "ms", 100, higher_is_better=False),
            Figure("trigger → webhook, p99", times[int(len(times) * 0.99)], "ms", 300, higher_is_better=False),
        ]
        weights = [(name, resident(process.pid)) for name, process in it.processes.items()]
    return [*figures, *(Figure(f"memory of {name}", mb, "MB", 90, higher_is_better=False) for name, mb in weights)]


def resident(pid: int) -> float:
    """Resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def throughput(rabbit: RabbitServer, postgres: PostgresServer) -> list[Figure]:
    """Items a second from the match queue to stored mentions: one match process, one store process.

    Without channels; and with one for each workspace: then store sends a message for nearly every mention.
    """
    figures = [figure for count in (1_000, 10_000) for figure in _throughput(rabbit, postgres, count)]
    return [*figures, *_throughput(rabbit, postgres, 10_000, channels=True)]


def _throughput(rabbit: RabbitServer, postgres: PostgresServer, count: int, *, channels: bool = False) -> list[Figure]:
    with farm(rabbit, postgres, f"throughput_{count}{'_told' * channels}") as it:
        _interests(it, count, channels=channels)
        _preload(it)
        it.actors("match")
        it.actors("store")
        stored = StoredPart.select(fn.count(StoredPart.part))
        it.wait(lambda: it.scalar(stored) >= WARM_MESSAGES, seconds=60)
        began, first = time.perf_counter(), it.scalar(stored)
        it.wait(lambda: it.scalar(stored) >= MESSAGES, seconds=60)
        rate = (MESSAGES - first) * 100 / (time.perf_counter() - began)
        weight = resident(it.processes["match"].pid)
    if channels:
        return [Figure(f"… {count:,} queries, with a channel for each workspace", rate, "items/s")]
    return [
        Figure(f"fetched → stored, {count:,} queries", rate, "items/s", 4_000 if count == 10_000 else None),
        Figure(f"memory of match, {count:,} queries", weight, "MB", 90, higher_is_better=False),
    ]


def _interests(it: Farm, count: int, *, channels: bool) -> None:
    """One workspace for each ten queries, all of which watch everything."""
    chance = random.Random(7)
    texts = make_queries(load_items(chance), count, chance)
    with it.db.session(), it.db.transaction():
        raw, now = it.db.peewee, time.time()
        feed = Feed.insert(source="reddit", kind="posts", place="all", created_at=now).execute(raw)
        revision = queries.next_revision(it.db)
        for start in range(0, count, 10):
            slug = f"ws{start}"
            workspace = Workspace.insert(
                slug=slug, name=slug, every="1d", created_at=now, next_due_at=now + 86400
            ).execute(raw)
            Watch.insert(workspace=workspace, feed=feed, kinds="post", created_at=now).execute(raw)
            rows = [
                {"workspace": workspace, "name": f"q{number}", "text": text, "revision": revision}
                for number, text in enumerate(texts[start : start + 10])
            ]
            Query.insert_many(rows).execute(raw)
            queries.watches_changed(it.db, workspace, revision)
            if channels:
                Channel.insert(
                    workspace=workspace, name="team", url="https://example.org/hook", created_at=now
                ).execute(raw)
    it.db.release()


def _preload(it: Farm) -> None:
    """Put what a fetch stage would have read onto the queue, before anybody consumes it."""
    chance, now = random.Random(11), time.time()
    texts = load_items(chance)
    it.actors("match", name="declares")
    it.wait(lambda: "working" in it.log("declares"))
    it.terminate("declares")
    encoder = StrictEncoder(STAGES.values())
    connection = pika.BlockingConnection(pika.URLParameters(it.bus))
    channel = connection.channel()
    for message in range(MESSAGES):
        items = tuple(
            Item(
                source="reddit",
                id=f"t3_{36**5 + message * 100 + number:x}",
                kind="post",
                place="python",
                author="somebody",
                title=fields.get("title", ""),
                body=fields.get("body", ""),
                permalink="/",
                url="",
                created_at=now,
            )
            for number in range(100)
            for fields in [texts[(message * 100 + number) % len(texts)]]
        )
        envelope = pack(ItemsFetched(part=PollPart(poll=f"poll{message}", part=0, parts=1), items=items))
        channel.basic_publish("", "match", encoder.encode(envelope.asdict()), pika.BasicProperties(delivery_mode=2))
    connection.close()


def fresh_runs(rabbit: RabbitServer, postgres: PostgresServer) -> list[Figure]:
    """Runs a second, each of another workspace, that find their feeds fresh: an ingress and a fetch process."""
    with farm(rabbit, postgres, "fresh", FETCH__FRESH_FOR="86400") as it:
        it.workspace(every="1d")
        it.producer("ingress")
        it.producer("tick")
        it.actors("fetch", "match", "store", name="stages")
        it.wait(lambda: it.scalar(Feed.select(fn.min(freshness.fresh_at()))) > 0)
        _watchers(it)
        log = it.folder / "stages.log"
        runs = partial(re.compile(rb'"event": "message done", "stage": "fetch"').findall)
        before = len(runs(log.read_bytes()))
        door = Door(it.bus, confirm=False)  # the publisher is not what is measured
        began = time.perf_counter()
        for number in range(FRESH_RUNS):
            door.publish(json.dumps({"workspace": f"w{number}", "reason": "due"}).encode())
        it.wait(lambda: len(runs(log.read_bytes())) - before >= FRESH_RUNS, seconds=120)
        rate = FRESH_RUNS / (time.perf_counter() - began)
        door.connection.close()
    return [Figure("runs that find their feeds fresh", rate, "runs/s", 300)]


def _watchers(it: Farm) -> None:
    """A workspace for each run, that watches what has just been read. (One workspace's own demands would be merged.)"""
    with it.db.session(), it.db.transaction():
        raw, now = it.db.peewee, time.time()
        rows = Feed.select(Feed.id, Feed.kind).tuples().execute(raw)
        feeds = [(feed, {"posts": "post", "comments": "comment"}[kind]) for feed, kind in rows]
        later = {"name": "w", "every": "1d", "created_at": now, "next_due_at": now + 86400}
        for number in range(FRESH_RUNS):
            workspace = Workspace.insert(slug=f"w{number}", **later).execute(raw)
            Watch.insert_many(
                [{"workspace": workspace, "feed": feed, "kinds": kind, "created_at": now} for feed, kind in feeds]
            ).execute(raw)
            refreshes.sync_sources(it.db, workspace)
    it.db.release()


def demo() -> list[Figure]:
    """What the demo says of itself, from the start of its process."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "overheard.cli", "demo", "--for", "8s"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )
        first, lines = None, []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if first is None and " ago " in line:
                first = time.monotonic() - began
        process.wait()
    memory = re.search(r"(\d+) MB peak", "".join(lines))
    if first is None or memory is None:
        raise RuntimeError("the demo showed no mention:\n" + "".join(lines))
    return [
        Figure("demo: first mention on screen", first, "s", 5, higher_is_better=False),
        Figure("demo: memory, all parts", float(memory[1]), "MB", 200, higher_is_better=False),
    ]


if __name__ == "__main__":
    print_table(run(), "The pipeline")
