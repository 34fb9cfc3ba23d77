"""What store takes for an item, on a PostgreSQL with fsync on, however many queries its workspace has.

Run: python -m tests.benchmarks.bench_store
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from overheard.db import migrate, storing, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.models import Query, Workspace
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from overheard.workspaces import ChannelSpec, QuerySpec, WorkspaceSpec
from tests.benchmarks.figures import Figure, print_table
from tests.servers.postgres import PostgresServer

QUERIES, BUDGET_QUERIES = (10, 1_000, 20_000), 20_000
BUDGET_MS = 2.0  # of CPU time, for a part with a single item
PARTS, WARM_PARTS = 60, 5


def run() -> Iterator[Figure]:
    """Figures for each number of queries."""
    with PostgresServer(durable=True) as server:
        for count in QUERIES:
            db = open_database(server.create_database(f"store_{count}"))
            try:
                migrate.migrate(db)
                with db.session():
                    yield measured(db, count)
            finally:
                db.release()


def measured(db: Db, count: int) -> Figure:
    """CPU milliseconds of this process an item, each in a part of its own, found by two of so many queries."""
    now = time.time()
    queries = tuple(QuerySpec(f"q{number}", f"acme{number}") for number in range(count))
    way = ChannelSpec("team", "https://example.org/hook")
    spec = WorkspaceSpec(
        slug="acme", name="acme", subreddits=("python",), kinds=("posts",), query=queries, channel=(way,)
    )
    workspace_specs.save(db, spec, now, following=lambda schedule, timezone: now + 3600, secret=lambda channel: None)
    workspace = Workspace.select(Workspace.id).scalar(db.peewee)
    found = Query.select(Query.id).order_by(Query.id).limit(2).tuples().execute(db.peewee)
    match = WorkspaceMatch(workspace, tuple(query for (query,) in found), (("title", 0, 4),))
    took = []
    for number in range(WARM_PARTS + PARTS):
        message = part(number, match, now)
        began = time.process_time()
        storing.store(db, message, now)
        took.append(1000 * (time.process_time() - began))
    budget = BUDGET_MS if count == BUDGET_QUERIES else None
    name = f"store an item, {count:,} queries of its workspace"
    return Figure(name, statistics.median(took[WARM_PARTS:]), "ms", budget, False)


def part(number: int, match: WorkspaceMatch, now: float) -> ItemsMatched:
    """A poll with one item, which the match wants."""
    item = Item(
        source="reddit", id=f"t3_{number:x}", kind="post", place="python", title="acme", body="b" * 300, created_at=now
    )
    envelope = PollPart(poll=f"poll{number}", part=0, parts=1)
    return ItemsMatched(part=envelope, items=(MatchedItem(item, (match,)),))


if __name__ == "__main__":
    print_table(run(), "Store")
