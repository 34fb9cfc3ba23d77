"""Forgetting and rechecks on a large PostgreSQL: how long the slowest statement of each takes.

Rows are locked, and others wait, for as long as a statement takes. ``python -m tests.benchmarks.bench_retention``
makes a million items, mentions and deliveries, which takes a minute; or as many as its argument says.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overheard.db import erasure, erasure_requests, migrate, rechecks, retention
from overheard.db.database import Db, open_database
from overheard.db.retention import DAY_SECONDS, RetentionAges
from tests.benchmarks.figures import Figure, print_table
from tests.servers.postgres import PostgresServer

NOW = 1_800_000_000.0
SLOWEST = 250.0  # milliseconds that one statement may take
ROWS = 1_000_000
# As they were before 0002. {rows} of them over the last hundred days, one in a hundred seconds or so.
FILL = (
    """INSERT INTO workspace (slug, name, timezone, every, active, created_at, next_due_at, demanded_at, served_at,
           digest_asked_at) SELECT 'w' || g, 'w', 'UTC', '5m', true, 0, 0, 0, 0, 0 FROM generate_series(1, 100) g""",
    """INSERT INTO channel (workspace_id, name, url, mode, created_at)
           SELECT id, 'c', 'https://x', 'instant', 0 FROM workspace""",
    """INSERT INTO feed (source, kind, name, fresh_at, lease_until, failures, retry_at, gaps, created_at)
           SELECT 'reddit', 'posts', 's' || g, 0, 0, 0, 0, 0, 0 FROM generate_series(1, {rows} / 50) g""",
    """INSERT INTO item (name, kind, subreddit, author, title, body, permalink, url, created_at, stored_at)
           SELECT 't3_' || g, 'post', 'python', 'Author' || mod(g, {rows} / 5), 'a title of the usual length',
           repeat('some text ', 30), 'https://www.reddit.com/r/python/comments/x/', '', at, at
           FROM (SELECT g, {now} - 8640000 + g * 8640000.0 / {rows} AS at FROM generate_series(1, {rows}) g) each""",
    """INSERT INTO mention (workspace_id, item_id, queries, highlights, silent, stored_at)
           SELECT mod(id, 100) + 1, id, '["q"]', '[]', false, stored_at FROM item""",
    """INSERT INTO delivery (id, channel_id, mention_id, state, attempts, due_at, lease_until, created_at)
           SELECT 'msg_' || id, workspace_id, id, 'sent', 1, 0, 0, stored_at FROM mention""",
    """INSERT INTO dead_letter (message_id, stage, origin, reason, body, created_at)
           SELECT 'm' || g, 'notify', 'nack', 'E: x', '{{"args":[{{"channel_id":' || g || '}}]}}', {now} - g * 30
           FROM generate_series(1, {rows} / 1000) g""",
)


class Slowest:
    """Times every statement of a database. ``of(name)`` makes a figure of the slowest within its block."""

    def __init__(self, db: Db) -> None:
        self.figures: list[Figure] = []
        self._worst = (0.0, "")
        self._execute = db.peewee.execute_sql
        db.peewee.execute_sql = self._timed  # type: ignore[method-assign]

    def _timed(self, sql: str, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return self._execute(sql, *args, **kwargs)
        finally:
            self._worst = max(self._worst, (time.perf_counter() - began, sql))

    @contextmanager
    def of(self, name: str, budget: float | None = SLOWEST) -> Iterator[None]:
        self._worst = (0.0, "")
        yield
        milliseconds = 1000 * self._worst[0]
        self.figures.append(Figure(name, milliseconds, "ms", budget, higher_is_better=False))
        if budget is not None and milliseconds > budget:
            print(f"{name}: {milliseconds:.0f} ms: {self._worst[1][:300]}")


def run(rows: int = ROWS) -> list[Figure]:
    """Fill a database as 0001 made it, migrate it, and forget and recheck in it."""
    with PostgresServer(durable=True) as server:
        db = open_database(server.create_database("large"))
        try:
            _fill(db, rows)
            began = time.perf_counter()
            migrate.migrate(db)
            migration = Figure(f"migrating {rows:,} items from 0001", time.perf_counter() - began, "s")
            with db.session():
                db.peewee.execute_sql("VACUUM ANALYZE")
                return [migration, *_measured(db)]
        finally:
            db.release()


def _fill(db: Db, rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder, db.session():
        first = "0001_initial.py"
        (Path(folder) / first).write_text((migrate.DIRECTORY / first).read_text())
        shipped, migrate.DIRECTORY = migrate.DIRECTORY, Path(folder)
        try:
            migrate.migrate(db)
        finally:
            migrate.DIRECTORY = shipped
        for statement in FILL:
            db.peewee.execute_sql(statement.format(rows=rows, now=NOW))


def _measured(db: Db) -> list[Figure]:
    slowest = Slowest(db)
    with slowest.of("retention, 40 rounds with a batch of everything to do"):
        for _ in range(40):
            retention.prune(db, RetentionAges(90, 30, 90), NOW)
    with slowest.of("retention of items by age, 40 rounds"):
        for _ in range(40):
            retention.prune(db, RetentionAges(0, 0, 0, items=80), NOW)
    with slowest.of("retention with nothing to do"):
        for _ in range(20):
            retention.prune(db, RetentionAges(200, 200, 200, items=200), NOW)
    batches = []
    with slowest.of("a tick's claim of 500 items, 20 times"):
        for _ in range(20):
            rechecks.due(db, "reddit", NOW - DAY_SECONDS / 2, NOW)
            batches += rechecks.claim(db, "reddit", size=100, before=NOW - DAY_SECONDS / 2, now=NOW, requests=5)
    with slowest.of("a recheck of 100 items, 50 times"):
        for batch in batches[:50]:
            stored, _ = rechecks.take_over(db, batch, NOW)
            rechecks.mark_present(db, [item.id for item in stored], NOW)
    with slowest.of("counting what is overdue, nearly everything (locks nothing)", 1000):
        rechecks.overdue(db, ["reddit"], NOW - DAY_SECONDS)
    with slowest.of("erasing 100 items, 10 times"):
        for batch in batches[50:60]:
            erasure.erase_items(db, batch.item_ids, NOW)
    with slowest.of("an account that is gone, 20 times"):
        for number in range(20):
            erasure.erase_items(db, [], NOW, nameless=[("reddit", f"author{number}")])
    with slowest.of("forget --author"):
        erasure_requests.erase_author(db, "reddit", "AUTHOR99", NOW)
    workspace_id = _a_workspace(db)
    with slowest.of("forget --workspace, of a hundredth of everything"):
        erasure_requests.erase_workspace(db, workspace_id, NOW)
    return slowest.figures


def _a_workspace(db: Db) -> int:
    ((workspace_id,),) = db.peewee.execute_sql("SELECT max(workspace_id) FROM mention").fetchall()
    return int(workspace_id)


if __name__ == "__main__":
    print_table(run(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS), "The slowest statement on PostgreSQL")
