"""Bluesky's stream at its busiest hour (36 posts a second) and at five times that, with 10,000 queries, on one core.

Run: python -m tests.benchmarks.bench_bluesky

All of ours, RabbitMQ and PostgreSQL share the first core of the machine; the simulated server has another one, if there
is one. Most posts that match nothing are never stored: the age is that of those that do match.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from peewee import fn

from overheard.db import queries
from overheard.db.models import Feed, Gap, Mention, Query, StoredItem, Watch, Workspace
from overheard.simulators.bluesky import BlueskySimulator
from overheard.workspaces import WatchSpec
from tests.benchmarks.bench_match import make_queries
from tests.benchmarks.bench_pipeline import farm, resident, servers
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.texts import load_items
from tests.servers.farm import Farm
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer

QUERIES = 10_000
RATES = (36.0, 180.0)  # posts a second: the peak of 2026, and five times that
SECONDS = 40.0  # at each rate
WARM_UP_SECONDS = 8.0
TICKS = os.sysconf("SC_CLK_TCK")


def run(seconds: float = SECONDS) -> Iterator[Figure]:
    """The figures of both rates."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0]})  # inherited by everything that is started from here
    with servers() as (rabbit, postgres):
        for rate in RATES:
            yield from _at_rate(rabbit, postgres, rate, seconds, cores[-1])


def _at_rate(
    rabbit: RabbitServer, postgres: PostgresServer, rate: float, seconds: float, core: int
) -> Iterator[Figure]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    stop = context.Event()
    simulator = context.Process(target=_publish, args=(rate, core, theirs, stop))
    simulator.start()
    try:
        with farm(rabbit, postgres, f"bluesky_{rate:.0f}", SOURCES__BLUESKY__URL=ours.recv()) as it:
            yield from _measured(it, rate, seconds, ours, stop)
    finally:
        stop.set()
        simulator.join()


def _publish(rate: float, core: int, pipe: Connection, stop: Event) -> None:
    """Publish texts at the rate from the first message on, until ``stop``; then tell how many they were."""
    os.sched_setaffinity(0, {core})
    texts = [" ".join(fields.values())[:300] for fields in load_items(random.Random(11))]
    with BlueskySimulator() as simulator:
        pipe.send(simulator.url)
        pipe.recv()
        due, count = time.monotonic(), 0
        while not stop.wait(max(0.0, due - time.monotonic())):
            simulator.add_post(texts[count % len(texts)], f"did:plc:author{count % 5000}")
            count += 1
            due += random.expovariate(rate)
        pipe.send(count)
        simulator.wait_for_connections(0, 60)


def _measured(it: Farm, rate: float, seconds: float, pipe: Connection, stop: Event) -> Iterator[Figure]:
    _interests(it)
    it.producer("tick")
    for stage in ("match", "store", "notify"):
        it.actors(stage)
    it.wait(lambda: "working" in it.log("match"), seconds=60)
    it.start("stream", "producers", "stream", "bluesky")
    it.wait(lambda: "stream connected" in it.log("stream"), seconds=60)
    pipe.send("begin")
    time.sleep(WARM_UP_SECONDS)
    began, since = time.monotonic(), time.time()
    before = {name: _cpu_seconds(process.pid) for name, process in it.processes.items()}
    time.sleep(seconds)
    took, until = time.monotonic() - began, time.time()
    used = {name: _cpu_seconds(process.pid) - before[name] for name, process in it.processes.items()}
    stop.set()
    published = int(pipe.recv())
    with it.db.session():
        rows = (
            Mention.select(fn.min(Mention.stored_at), StoredItem.created_at)
            .join(StoredItem, on=(Mention.item == StoredItem.id))
            .where(StoredItem.created_at > since, StoredItem.created_at < until - 10)
            .group_by(StoredItem.id)
        )
        ages = sorted(stored - born for stored, born in rows.tuples().execute(it.db.peewee))
        gaps = Gap.select().count(it.db.peewee)
        it.db.release()
    name = f"at {rate:.0f} posts/s"
    yield Figure(f"{name}: posts published", published, "")
    yield Figure(f"{name}: mentions measured, gaps {gaps}", len(ages), "")
    if ages:
        yield Figure(f"{name}: age at store, p50", statistics.median(ages), "s", 2, higher_is_better=False)
        yield Figure(f"{name}: age at store, p99", ages[int(len(ages) * 0.99)], "s", 10, higher_is_better=False)
    for process, cpu in used.items():
        yield Figure(f"{name}: CPU of {process}", 100 * cpu / took, "% of a core")
    yield Figure(f"{name}: CPU for 1,000 posts, ours", 1000 * sum(used.values()) / (rate * took), "s")
    yield Figure(
        f"{name}: memory of the stream", resident(it.processes["stream"].pid), "MB", 90, higher_is_better=False
    )


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _interests(it: Farm) -> None:
    """A workspace for each ten queries; all of them watch Bluesky."""
    chance = random.Random(7)
    texts = make_queries(load_items(random.Random(11)), QUERIES, chance)
    it.workspace("first", subreddits=(), watch=(WatchSpec("bluesky", ("all",)),), every="1d", query="zzzneverzzz")
    with it.db.session(), it.db.transaction():
        raw, now = it.db.peewee, time.time()
        feed = Feed.select(Feed.id).where(Feed.source == "bluesky").scalar(raw)
        revision = queries.next_revision(it.db)
        for start in range(0, QUERIES, 10):
            later = {"every": "1d", "created_at": now, "next_due_at": now + 86400}
            workspace = Workspace.insert(slug=f"ws{start}", name="w", **later).execute(raw)
            Watch.insert(workspace=workspace, feed=feed, kinds="post comment", created_at=now).execute(raw)
            rows = [
                {"workspace": workspace, "name": f"q{number}", "text": text, "revision": revision}
                for number, text in enumerate(texts[start : start + 10])
            ]
            Query.insert_many(rows).execute(raw)
            queries.watches_changed(it.db, workspace, revision)
    it.db.release()


if __name__ == "__main__":
    print_table(run(*map(float, sys.argv[1:2])), "Bluesky's stream, 10,000 queries, one core")
