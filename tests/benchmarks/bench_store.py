"""What store takes for an item, on a PostgreSQL with fsync on, however many queries its workspace has.

And what it takes for items of the sample, and for the end of a reading.

Run: python -m tests.benchmarks.bench_store
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator

from overheard.db import cursors, migrate, storing, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.models import Feed, FeedGroup, Query, Workspace
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, PollPart, PollTarget, SampleDraw, WorkspaceMatch
from overheard.workspaces import ChannelSpec, QuerySpec, WorkspaceSpec
from tests.benchmarks.figures import Figure, print_table
from tests.servers.postgres import PostgresServer

QUERIES, BUDGET_QUERIES = (10, 1_000, 20_000), 20_000
BUDGET_MS = 2.0  # of CPU time, for a part with a single item
PARTS, WARM_PARTS = 60, 5
PART_ITEMS, PART_MATCHES = 100, 10
# How many of a part's items are in the sample: none, in the course of the day, and when it is being filled.
SAMPLED = (0, 1, PART_ITEMS)
# A group that is read by numbers, every few seconds.
FEEDS, FEEDS_WITH_NEWS, READINGS = 2_000, 60, 20
LOG_BUDGET_KB = 200.0  # of a reading: at one every six seconds, 3 GB a day


def run() -> Iterator[Figure]:
    """Figures for each number of queries."""
    with PostgresServer(durable=True) as server:
        for count in QUERIES:
            db = open_database(server.create_database(f"store_{count}"))
            try:
                migrate.migrate(db)
                with db.session():
                    yield measured(db, count)
                    if count == QUERIES[0]:
                        yield from sampled(db)
                        yield from read_by_numbers(db)
            finally:
                db.release()


def measured(db: Db, count: int) -> Figure:
    """CPU milliseconds of this process an item, each in a part of its own, found by two of so many queries."""
    now = time.time()
    match = watching(db, count, now)
    took = []
    for number in range(WARM_PARTS + PARTS):
        message = part(number, match, now)
        began = time.process_time()
        storing.store(db, message, now)
        took.append(1000 * (time.process_time() - began))
    budget = BUDGET_MS if count == BUDGET_QUERIES else None
    name = f"store an item, {count:,} queries of its workspace"
    return Figure(name, statistics.median(took[WARM_PARTS:]), "ms", budget, False)


def sampled(db: Db) -> Iterator[Figure]:
    """Milliseconds that a part of many items takes, most of which match nothing, with PostgreSQL's."""
    now = time.time()
    match = watching(db, QUERIES[0], now)
    took: dict[int, list[float]] = {count: [] for count in SAMPLED}
    for number in range(WARM_PARTS + PARTS):
        for count in SAMPLED:  # in turn, so that all of them meet the same other load
            message = sampled_part(f"{number}-{count}", match, now, count)
            began = time.perf_counter()
            storing.store(db, message, now)
            took[count].append(1000 * (time.perf_counter() - began))
    for count, each in took.items():
        name = f"store {PART_ITEMS} items of which {PART_MATCHES} match, {count} sampled"
        yield Figure(name, statistics.median(each[WARM_PARTS:]), "ms", None, False)


def read_by_numbers(db: Db) -> Iterator[Figure]:
    """Milliseconds that the end of a reading of many feeds takes, most without news, and what PostgreSQL logs of it."""
    raw, now, chance = db.peewee, time.time(), random.Random(2026)
    group = FeedGroup.insert(source="reddit", kind="posts", began_at=now, read_at=now).execute(raw)
    rows = [
        {"source": "reddit", "kind": "posts", "place": f"place{number}", "created_at": now, "group": group}
        for number in range(FEEDS)
    ]
    Feed.insert_many(rows).execute(raw)
    feeds = tuple(feed for (feed,) in Feed.select(Feed.id).where(Feed.group == group).tuples().execute(raw))
    took, logged = [], []
    for number in range(1 + READINGS):  # the first one is different: it makes all feeds fresh
        new = [0] * FEEDS
        for feed in chance.sample(range(FEEDS), FEEDS_WITH_NEWS):
            new[feed] = 1
        at = now + 6.0 * number
        target = PollTarget(group, feeds, "cursor", at, new=tuple(new), seconds=6.0)
        before, began = _log_bytes(db), time.perf_counter()
        with db.transaction():
            cursors.advance(db, f"reading{number}", at, [target], at)
        took.append(1000 * (time.perf_counter() - began))
        logged.append((_log_bytes(db) - before) / 1000)
    name = f"a reading of {FEEDS:,} feeds, {FEEDS_WITH_NEWS} with news, ends"
    yield Figure(name, statistics.median(took[1:]), "ms", None, False)
    yield Figure("… and PostgreSQL logs", statistics.median(logged[1:]), "kB", LOG_BUDGET_KB, False)


def _log_bytes(db: Db) -> int:
    return int(db.peewee.execute_sql("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()[0])


def watching(db: Db, count: int, now: float) -> WorkspaceMatch:
    """Save a workspace with so many queries, and return a match of two of them."""
    queries = tuple(QuerySpec(f"q{number}", f"acme{number}") for number in range(count))
    way = ChannelSpec("team", "https://example.org/hook")
    spec = WorkspaceSpec(
        slug="acme", name="acme", subreddits=("python",), kinds=("posts",), query=queries, channel=(way,)
    )
    workspace_specs.save(db, spec, now, following=lambda schedule, timezone: now + 3600, secret=lambda channel: None)
    workspace = Workspace.select(Workspace.id).scalar(db.peewee)
    found = Query.select(Query.id).order_by(Query.id).limit(2).tuples().execute(db.peewee)
    return WorkspaceMatch(workspace, tuple(query for (query,) in found), (("title", 0, 4),))


def part(number: int, match: WorkspaceMatch, now: float) -> ItemsMatched:
    """A poll with one item, which the match wants."""
    envelope = PollPart(poll=f"poll{number}", part=0, parts=1)
    return ItemsMatched(part=envelope, items=(MatchedItem(post(f"{number:x}", now), (match,)),))


def sampled_part(name: str, match: WorkspaceMatch, now: float, count: int) -> ItemsMatched:
    """A poll with the items that match sends on: those that it wants, and so many for the sample."""
    matches = [MatchedItem(post(f"{name}-{number}", now), (match,)) for number in range(PART_MATCHES)]
    entries = [*matches, *(MatchedItem(post(f"{name}-s{number}", now), ()) for number in range(count - PART_MATCHES))]
    draw = SampleDraw(0.5, 1.0)
    drawn = [MatchedItem(entry.item, entry.matches, draw) for entry in entries[:count]]
    return ItemsMatched(part=PollPart(poll=name, part=0, parts=1), items=(*drawn, *entries[count:]))


def post(name: str, now: float) -> Item:
    return Item(
        source="reddit", id=f"t3_{name}", kind="post", place="python", title="acme", body="b" * 300, created_at=now
    )


if __name__ == "__main__":
    print_table(run(), "Store")
