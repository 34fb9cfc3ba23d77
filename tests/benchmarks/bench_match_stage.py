"""The match stage itself, with 100,000 queries of 10,000 workspaces in a PostgreSQL with fsync on.

Run: python -m tests.benchmarks.bench_match_stage

Messages are decoded and encoded as on the bus. The first half of the items meets a stage that has just started, and has
seen no word before; the second half, of other items, one that has matched the first. Each item is matched once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import msgspec
from prometheus_client import CollectorRegistry

from actors.match import Matcher
from overheard.db import migrate, queries
from overheard.db.database import Db, open_database
from overheard.db.models import Feed, Query, Watch, WatchChange, Workspace
from overheard.messages import ItemsFetched, ItemsMatched, Message, PollPart
from overheard.observability.metrics import ProcessMetrics
from tests.benchmarks.bench_match import make_queries
from tests.benchmarks.figures import Figure, print_table
from tests.benchmarks.texts import Fields, item_of, load_items
from tests.servers.postgres import PostgresServer

WORKSPACES, QUERIES = 10_000, 10  # of each
PLACES, WATCHED = 95, 3
PART = 100  # items
ROWS = 2_000  # a statement


def run(workspaces: int = WORKSPACES) -> Iterator[Figure]:
    """Load them, match, and change one."""
    chance = random.Random(2026)
    items = load_items(chance)
    with PostgresServer(durable=True) as server:
        db = open_database(server.create_database("match"))
        try:
            migrate.migrate(db)
            with db.session():
                fill(db, make_queries(items, workspaces * QUERIES, chance), chance)
                yield from measured(db, items, workspaces * QUERIES)
        finally:
            db.release()


def measured(db: Db, items: list[Fields], count: int) -> Iterator[Figure]:
    """Seconds until the index is ready, items a second through the stage, seconds until a change is live."""
    sent: list[bytes] = []

    def send(message: Message, *, delay: float | None = None) -> str:
        sent.append(msgspec.json.encode(message))
        return ""

    matcher = Matcher(db=db, send=send, metrics=ProcessMetrics(CollectorRegistry()))
    began = time.perf_counter()
    matcher.load()
    yield Figure(f"ready with {count:,} queries", time.perf_counter() - began, "s", 15, False)
    messages = list(parts(items))
    half = len(messages) // 2
    cold, warm = _rate(matcher, messages[:half]), _rate(matcher, messages[half:])
    hits = sum(len(msgspec.json.decode(message, type=ItemsMatched).items) for message in sent)
    yield Figure(f"match stage, {count:,} queries, just started", cold, "items/s")
    yield Figure("… other items, after those", warm, "items/s", 15_000)
    yield Figure("… and of an item, how often somebody wants it", hits / (len(messages) * PART), "")
    with db.transaction():
        workspace, revision = Workspace.select(Workspace.id).scalar(db.peewee), queries.next_revision(db)
        Query.insert(workspace=workspace, name="new", text="acmedb", revision=revision).execute(db.peewee)
    began = time.perf_counter()
    matcher.refresh()
    yield Figure("a change is live", time.perf_counter() - began, "s", 5, False)


def _rate(matcher: Matcher, messages: list[bytes]) -> float:
    """Items a second of one core's time, whatever else runs on it."""
    began = time.process_time()
    for message in messages:
        matcher.match(msgspec.json.decode(message, type=ItemsFetched))
    return len(messages) * PART / (time.process_time() - began)


def fill(db: Db, texts: list[str], chance: random.Random) -> None:
    """Workspaces with their queries, each on some of the places."""
    raw, now = db.peewee, time.time()
    count = len(texts) // QUERIES
    own = {"name": "w", "every": "5m", "created_at": now, "next_due_at": now + 86400}
    with db.transaction():
        for some in batched([{"slug": f"w{number}", **own} for number in range(count)]):
            Workspace.insert_many(some).execute(raw)
        feeds = [
            {"source": "reddit", "kind": kind, "place": place, "created_at": now} for place in PLACE for kind in KINDS
        ]
        Feed.insert_many(feeds).execute(raw)
        by_place: dict[str, list[tuple[int, str]]] = {place: [] for place in PLACE}
        for feed, kind, place in Feed.select(Feed.id, Feed.kind, Feed.place).tuples().execute(raw):
            by_place[place].append((feed, KINDS[kind]))
        revision = queries.next_revision(db)
        ids = [row for (row,) in Workspace.select(Workspace.id).order_by(Workspace.id).tuples().execute(raw)]
        watches = [
            {"workspace": row, "feed": feed, "kinds": kind, "created_at": now}
            for row in ids
            for place in chance.sample(PLACE, WATCHED)
            for feed, kind in by_place[place]
        ]
        wanted = [
            {"workspace": ids[number // QUERIES], "name": f"q{number}", "text": text, "revision": revision}
            for number, text in enumerate(texts)
        ]
        for some in batched(watches):
            Watch.insert_many(some).execute(raw)
        for some in batched(wanted):
            Query.insert_many(some).execute(raw)
        for some in batched([{"workspace_id": row, "revision": revision} for row in ids]):
            WatchChange.insert_many(some).execute(raw)


def parts(items: list[Fields]) -> Iterator[bytes]:
    """Parts of a reading, of items anywhere, as on the bus."""
    chance = random.Random(3)
    now = time.time()
    made = [
        msgspec.structs.replace(item_of(fields, number, chance.choice(PLACE)), created_at=now)
        for number, fields in enumerate(items)
    ]
    for start in range(0, len(made), PART):
        some = tuple(made[start : start + PART])
        yield msgspec.json.encode(ItemsFetched(part=PollPart(poll="bench", part=0), items=some))


def batched(rows: list[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    return (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))


KINDS = {"posts": "post", "comments": "comment"}
PLACE = [f"place{number}" for number in range(PLACES)]


if __name__ == "__main__":
    print_table(run(), "The match stage")
