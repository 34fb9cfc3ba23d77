"""The result of a soak, read from the database and the logs."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from overheard.bus.public_exchange import REJECTED, UNROUTED
from overheard.db import gaps
from overheard.db.models import DeadLetter, Delivery, Mention, StoredItem, Workspace
from tests.servers.farm import Farm
from tests.servers.postgres import PostgresServer
from tests.soak.gauges import DEAD, Gauges, Reads
from tests.soak.killer import Killer
from tests.soak.oracle import Books, Pair
from tests.soak.plan import Plan

SLOW = 250  # milliseconds from which PostgreSQL logs a statement


@dataclass(frozen=True)
class Left:
    """Unfinished work. ``gaps`` counts polls that could not reach back to the previous one."""

    gaps: int
    dead: int
    aside: int  # events that were rejected or have an unknown routing key
    undelivered: int


@dataclass(frozen=True)
class Looks:
    """Second looks that were made, and the pages that they read."""

    done: int
    pages: int


@dataclass(frozen=True)
class HackerNewsReading:
    """What was told on Hacker News, and the requests to it."""

    said: int
    requests: int
    statuses: dict[int, int]
    endpoints: dict[str, int]


@dataclass
class Result:
    """``complete`` is False if the soak was interrupted: missing mentions may have been on their way.

    ``said`` to ``window`` are of Reddit; the books are of both sources.
    """

    plan: Plan
    complete: bool
    said: int
    books: Books
    forged: int
    killer: Killer
    gauges: Gauges
    reads: Reads
    statuses: dict[int, int]
    requests: int
    window: tuple[int, int]  # most requests in any ten minutes, and how many Reddit allows
    left: Left
    database_mb: float
    slow: list[float]  # milliseconds
    errors: Counter[str]
    looks: Looks = Looks(0, 0)
    gaps: Counter[str] = field(default_factory=Counter)  # all that were recorded, by their state at the end
    hackernews: HackerNewsReading | None = None
    queries: int = 0
    imported: float = 0.0  # seconds
    seconds: float = 0.0  # of traffic
    elapsed: float = 0.0  # of traffic, and of waiting for what was under way
    drained: float | None = None  # seconds from the last item until all had arrived; None: they did not
    digests: set[str] = field(default_factory=set)  # who gets digests


def stored(farm: Farm) -> Counter[Pair]:
    """Return the mentions in the database that are not backfilled."""
    rows = (
        Mention.select(Workspace.slug, StoredItem.ref)
        .join(Workspace, on=(Mention.workspace == Workspace.id))
        .switch(Mention)
        .join(StoredItem, on=(Mention.item == StoredItem.id))
        .where(~Mention.backfilled)
    )
    with farm.db.session():
        found = Counter((str(slug), str(name)) for slug, name in rows.tuples().execute(farm.db.peewee))
        farm.db.release()
    return found


def left(farm: Farm, depth: dict[str, int]) -> Left:
    """``depth``: messages on each queue."""
    parked = sum(count for name, count in depth.items() if name.endswith(DEAD))
    with farm.db.session():
        undelivered = Delivery.select().where(Delivery.state.in_(["pending", "held", "failed"]))
        found = Left(
            gaps=gaps.count_open(farm.db),
            dead=DeadLetter.select().count(farm.db.peewee) + parked,
            aside=sum(depth.get(queue, 0) for queue in (REJECTED, UNROUTED)),
            undelivered=undelivered.count(farm.db.peewee),
        )
        farm.db.release()
    return found


def gap_states(farm: Farm) -> Counter[str]:
    """Return how many gaps were recorded, by their state."""
    with farm.db.session():
        found = Counter(row.state for row in gaps.listing(farm.db, limit=1_000_000))
        farm.db.release()
    return found


def looks(folder: Path) -> Looks:
    """Return the second looks that fetch has logged."""
    lines = (folder / "fetch.log").read_text().splitlines()
    pages = [json.loads(line)["pages"] for line in lines if '"second look read"' in line]
    return Looks(len(pages), sum(pages))


def errors(folder: Path) -> Counter[str]:
    """Return the processes' error log lines, and tracebacks outside of log lines."""
    found: Counter[str] = Counter()
    for path in folder.glob("*.log"):
        for line in path.read_text().splitlines():
            if re.search(r'"level": ?"(error|critical)"|^Traceback', line):
                found[f"{path.stem}: {line[:300]}"] += 1
    return found


def note_slow(postgres: PostgresServer, database: str) -> None:
    """Make PostgreSQL log slow statements in this database."""
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("ALTER DATABASE {} SET log_min_duration_statement = {}").format(
                sql.Identifier(database), sql.Literal(SLOW)
            )
        )


def slow(postgres: PostgresServer, farm: Farm) -> list[float]:
    """Return the durations of the logged statements, in milliseconds."""
    assert postgres.home
    database = farm.database.rpartition("/")[2]
    pattern = re.compile(rf"\] {re.escape(database)} LOG:  duration: ([0-9.]+) ms")
    return [float(found[1]) for found in pattern.finditer((postgres.home / "server.log").read_text())]
