"""How long `overheard status` takes, from the shell's point of view, on a database that has grown large.

Run: python -m tests.benchmarks.bench_status, which makes 100,000 workspaces and takes minutes; `make bench` makes a
tenth of all rows.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee
from peewee import Case, Value

from overheard.db import migrate
from overheard.db.database import Db, open_database
from overheard.db.models import (
    Channel,
    DeadLetter,
    Delivery,
    Feed,
    FeedGroup,
    Heartbeat,
    Mention,
    Query,
    RefreshDemand,
    StoredItem,
    Watch,
    Workspace,
)
from tests.benchmarks.figures import Figure, print_table
from tests.servers.postgres import PostgresServer

WORKSPACES, CHANNELS, FEEDS, MENTIONS, DELIVERIES, DEAD = 100_000, 300_000, 200_000, 100_000, 1_000_000, 20_000
BUDGET = 1000  # milliseconds
RUNS = 3


# 0 to 999, joined with itself: as many numbers as anybody wants, 1 the first.
LOW, HIGH = (peewee.ValuesList([(number,) for number in range(1000)]).alias(name) for name in ("low", "high"))
NUMBER = LOW.c.column1.cast("bigint") + HIGH.c.column1.cast("bigint") * 1000 + 1


def run(share: int = 1) -> Iterator[Figure]:
    """The command on each database: while all is well, and with everything behind. One in ``share`` of all rows."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _measured("SQLite", f"sqlite:///{folder}/large.db", Path(folder), share)
        with PostgresServer(durable=True) as postgres:
            yield from _measured("PostgreSQL", postgres.create_database("large"), Path(folder), share)


def _measured(name: str, url: str, folder: Path, share: int) -> list[Figure]:
    db = open_database(url)
    fill(db, share)
    well = _status(url, folder)
    trouble(db)
    behind = _status(url, folder)
    db.release()
    return [
        Figure(f"status, {name}, {WORKSPACES // share:,} workspaces", well, "ms", BUDGET, higher_is_better=False),
        Figure(f"status, {name}, all of them behind", behind, "ms", BUDGET, higher_is_better=False),
    ]


def _status(url: str, folder: Path) -> float:
    """Milliseconds of the whole command, the median of some; the first one warms the caches."""
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "overheard.cli", "status"],
            env={**os.environ, "OVERHEARD_DATABASE__URL": url, "OVERHEARD_METRICS__PORT": "0"},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        times.append((time.perf_counter() - began) * 1000)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr)
    return statistics.median(times[1:])


def fill(db: Db, share: int) -> None:
    """A database in which all is well: everybody was looked at in the last minutes, one delivery in fifty waits."""
    migrate.migrate(db)
    now, raw = time.time(), db.peewee
    n = NUMBER
    sizes = (WORKSPACES, CHANNELS, FEEDS, MENTIONS, DELIVERIES, DEAD)
    workspaces, channels, feeds, mentions, deliveries, dead = (size // share for size in sizes)
    with db.session(), db.transaction():
        times = {
            Workspace.created_at: now - 86400.0 * 30,
            Workspace.next_due_at: now + 86400 + _rest(n, 300),
        }
        every = Case(None, [(_rest(n, 4) == 0, "*/5 * * * *"), (_rest(n, 4) == 1, "0 9 * * 1-5")], "5m")
        words = {Workspace.slug: _named("ws", n), Workspace.name: _named("Workspace ", n), Workspace.every: every}
        _insert(
            raw,
            Workspace,
            workspaces,
            {**words, **times, Workspace.active: True, Workspace.timezone: "UTC", Workspace.digest_asked_at: 0.0},
        )
        _insert(
            raw,
            RefreshDemand,
            workspaces,
            {
                RefreshDemand.workspace: n,
                RefreshDemand.source: "reddit",
                RefreshDemand.demanded_at: now - 300 + _rest(n, 299),
                RefreshDemand.served_at: now - 299 + _rest(n, 299),
            },
        )
        kind = Case(None, [(_rest(n, 2) == 0, "posts")], "comments")
        _insert(
            raw,
            FeedGroup,
            feeds,
            {
                FeedGroup.source: "reddit",
                FeedGroup.kind: kind,
                FeedGroup.cursor: "{}",
                FeedGroup.began_at: now - 60,
                FeedGroup.read_at: now - 60,
                FeedGroup.fresh_at: now - 1 - _rest(n, 300),
                FeedGroup.lease_until: 0.0,
            },
        )
        _insert(
            raw,
            Feed,
            feeds,
            {
                Feed.source: "reddit",
                Feed.kind: kind,
                Feed.place: _named("r", n),
                # Most are as fresh as their groups.
                Feed.fresh_at: Case(None, [(_rest(n, 20) == 0, now - 1 - _rest(n, 300))], None),
                Feed.rate: 0.001,
                Feed.rate_seconds: 900.0,
                Feed.rated_at: now - 600,
                Feed.failures: Case(None, [(_rest(n, 500) == 0, 3)], 0),
                Feed.retry_at: 0.0,
                Feed.reason: "private",
                Feed.created_at: now,
                Feed.group: n,
            },
        )
        _insert(
            raw,
            Watch,
            workspaces * 2,
            {
                Watch.workspace: 1 + _rest(n, workspaces),
                Watch.feed: 1 + _rest(n, feeds),
                Watch.created_at: now,
            },
        )
        _insert(raw, Query, workspaces, {Query.workspace: n, Query.name: "q", Query.text: "acme"})
        _insert(
            raw,
            Channel,
            channels,
            {
                Channel.workspace: 1 + _rest(n, workspaces),
                Channel.name: _named("c", n),
                Channel.url: "https://example.org/hook",
                Channel.mode: "instant",
                Channel.created_at: now,
                Channel.failing_since: Case(None, [(_rest(n, 1000) == 0, now - 600)], None),
                Channel.reason: "is down",
            },
        )
        _insert(
            raw,
            StoredItem,
            mentions,
            {
                StoredItem.source: "reddit",
                StoredItem.ref: _named("t3_", n),
                StoredItem.kind: "post",
                StoredItem.place: "python",
                StoredItem.title: "On acme",
                StoredItem.body: "acme " * 60,
                StoredItem.permalink: "/",
                StoredItem.url: "",
                StoredItem.created_at: now,
                StoredItem.stored_at: now,
                StoredItem.checked_at: now,
                StoredItem.lease_until: 0.0,
            },
        )
        _insert(
            raw,
            Mention,
            mentions,
            {
                Mention.workspace: 1 + _rest(n, workspaces),
                Mention.item: n,
                Mention.query_ids: "[]",
                Mention.highlights: "[]",
                Mention.backfilled: False,
                Mention.stored_at: now - _rest(n, 86400),
            },
        )
        _insert(
            raw,
            Delivery,
            deliveries,
            {
                Delivery.id: _named("msg_", n),
                Delivery.channel: 1 + _rest(n, channels),
                Delivery.mention: 1 + (n - 1) / 10,
                Delivery.attempts: 1,
                Delivery.lease_until: 0.0,
                Delivery.state: Case(None, [(_rest(n, 50) == 0, "pending")], "sent"),
                Delivery.due_at: now + 60 + _rest(n, 600),
                Delivery.created_at: now - _rest(n, 86400),
            },
        )
        _insert(
            raw,
            DeadLetter,
            dead,
            {
                DeadLetter.message_id: _named("m", n),
                DeadLetter.stage: "fetch",
                DeadLetter.origin: "nack",
                DeadLetter.reason: "NotFound: no workspace",
                DeadLetter.body: "x" * 2000,
                DeadLetter.created_at: now,
                DeadLetter.lease_until: 0.0,
            },
        )
        Heartbeat.insert(name="tick", at=now + 86400).execute(raw)  # it must not grow old while we measure
    _analyse(db)


def trouble(db: Db) -> None:
    """Nothing has run for an hour: everybody waits, half of the feeds are refused, channels fail, deliveries queue."""
    now, raw = time.time(), db.peewee
    with db.session(), db.transaction():
        RefreshDemand.update(demanded_at=now, served_at=now - 3600, waiting_since=now - 3000).execute(raw)
        Feed.update(failures=5).where(_rest(Feed.id, 2) == 0).execute(raw)
        Channel.update(failing_since=now - 600).where(_rest(Channel.id, 2) == 0).execute(raw)
        Delivery.update(state="pending", due_at=now - 600).execute(raw)
    _analyse(db)


def _named(prefix: str, number: Any) -> Any:
    return Value(prefix).concat(number.cast("text"))


def _rest(number: Any, divisor: int) -> Any:
    # Not %, which is LIKE to peewee.
    return number - number / divisor * divisor


def _insert(raw: Any, table: Any, count: int, columns: dict[Any, Any]) -> None:
    """``count`` rows in one statement; the columns are expressions of ``NUMBER``, from 1 on."""
    source = peewee.Select([LOW, HIGH], [_typed(field, value) for field, value in columns.items()])
    table.insert_from(source.where(count >= NUMBER), list(columns)).execute(raw)


def _typed(field: Any, value: Any) -> Any:
    kinds = {"TEXT": "text", "DOUBLE": "double precision", "BOOL": "boolean"}
    kind = kinds.get(field.field_type, "bigint")
    return (value if isinstance(value, peewee.ColumnBase) else Value(value)).cast(kind)


def _analyse(db: Db) -> None:
    """As autovacuum would have done by then."""
    with db.session():
        if db.sqlite:
            db.peewee.execute_sql("ANALYZE")
        else:
            db.peewee.execute_sql("VACUUM ANALYZE")
    db.release()


if __name__ == "__main__":
    print_table(run(), "Status")
