"""A spike to one channel, folded and unfolded, many mentions to many channels, and what a delivery costs the database.

Run: python -m tests.benchmarks.bench_delivery   (a real minute each; in ``make bench`` it is ten times as fast)

The notify stage and the tick are the real ones, on memory:// and SQLite in this process, and on RabbitMQ and PostgreSQL
as processes of their own. Receivers are real HTTP servers.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from itertools import pairwise
from typing import Any

from prometheus_client import CollectorRegistry

from actors.store import store
from overheard import schedule
from overheard.channels.signing import new_secret
from overheard.db import deliveries, migrate, workspace_specs
from overheard.db.database import Db, open_database
from overheard.db.models import Channel, Delivery, Query
from overheard.items import Item
from overheard.messages import ItemsMatched, MatchedItem, PollPart, WorkspaceMatch
from overheard.observability import log
from overheard.observability.metrics import ProcessMetrics
from overheard.sending import SendAll
from overheard.workspaces import ChannelSpec, QuerySpec, WorkspaceSpec
from tests.benchmarks.bench_channels import in_one_process, on_servers
from tests.benchmarks.bench_pipeline import resident, servers
from tests.benchmarks.figures import Figure, print_table
from tests.servers.postgres import PostgresServer
from tests.servers.sink import Answer, HttpSink, Request
from tests.servers.waiting import wait_for

MENTIONS, STEPS = 2_000, 60
TIMEOUT = 5.0
PATIENCE_SECONDS = 300.0
ANSWER_SECONDS = 0.005
CHANNELS = 100
WAITING_ROWS = 100_000
FAST = 10.0  # how many times as fast the spike is for ``make bench``
World = Callable[[Any], AbstractContextManager[tuple[Db, SendAll]]]


class Workspaces:
    """Workspaces with one channel each, at one receiver. ``arrived``: (path, time, how many mentions)."""

    def __init__(self, count: int, **pace: Any) -> None:
        self.arrived: list[tuple[str, float, int]] = []
        self.matches: list[dict[str, WorkspaceMatch]] = []
        self._count, self._pace = count, pace
        self._open = ExitStack()
        self._poll = 0

    def __enter__(self) -> Workspaces:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def settle(self, db: Db) -> None:
        """Start the receiver and save the workspaces."""
        sink = HttpSink()
        sink.always = self._takes
        url = self._open.enter_context(sink).url
        self.matches = [self._save(db, number, f"{url}/{number}") for number in range(self._count)]

    def _save(self, db: Db, number: int, url: str) -> dict[str, WorkspaceMatch]:
        channel = ChannelSpec("team", url, "instant", new_secret(), **self._pace)
        queries = (QuerySpec("brand", "x"), QuerySpec("rival", "y"))
        spec = WorkspaceSpec(slug=f"w{number}", subreddits=("all",), every="1d", query=queries, channel=(channel,))
        now = time.time()
        with db.session():
            workspace_specs.save(
                db,
                spec,
                now,
                following=lambda text, zone: schedule.next_due(text, zone, now),
                secret=lambda channel: channel.secret,
            )
            rows = Query.select().order_by(Query.id.desc()).limit(2).execute(db.peewee)
            return {row.name: WorkspaceMatch(row.workspace_id, (row.id,)) for row in rows}

    def _takes(self, request: Request) -> Answer:
        data = request.json["data"]
        single = request.json["type"] == "mention.created"
        count = (
            1 + len(data.get("also", ())) if single else data.get("total") or len(data["mentions"]) + data["omitted"]
        )
        self.arrived.append((request.path, time.time(), count))
        return self.answer(request)

    def answer(self, request: Request) -> Answer:
        """Answer as a healthy receiver."""
        threading.Event().wait(ANSWER_SECONDS)
        return Answer()

    def tell(
        self, db: Db, send_all: SendAll, metrics: ProcessMetrics, *wanted: tuple[int, list[WorkspaceMatch]]
    ) -> None:
        """Store so many items for each of these lists of matches, as one part of a poll."""
        self._poll += 1
        items = []
        for position, (count, matches) in enumerate(wanted):
            for number in range(count):
                key = f"t3_{self._poll}x{position}x{number}"
                item = Item(
                    source="reddit", id=key, kind="post", place="python", author="a", title="x", permalink="/",
                    created_at=time.time(),
                )  # fmt: skip
                items.append(MatchedItem(item, tuple(matches)))
        part = PollPart(poll=f"p{self._poll}", part=0, parts=1)
        with db.session():
            store(
                ItemsMatched(part=part, items=tuple(items)), db=db, send_all=send_all, clock=time.time, metrics=metrics
            )

    def total(self) -> int:
        """Return how many mentions the receiver was told of."""
        return sum(count for _, _, count in self.arrived)


def spike(world: World, where: str, fast: float, weigh: Callable[[], float] | None = None) -> Iterator[Figure]:
    """2,000 mentions within a minute to one channel, and in the middle of it one of another query."""
    with Workspaces(1, summary_every=f"{30 / fast:.0f}s") as town, world(town) as (db, send_all):
        quiet_at, began = _flood(town, db, send_all, fast)
        wait_for(lambda: town.total() >= MENTIONS + 1, "all are told", PATIENCE_SECONDS)
        last = max(at for _, at, _ in town.arrived)
        quiet = _first_single_after(town, quiet_at)
        weight = weigh() if weigh is not None else None
    yield Figure(f"{where}: mentions counted, of {MENTIONS + 1:,}", town.total(), "", MENTIONS + 1)
    yield Figure("… messages", len(town.arrived), "", 25, higher_is_better=False)
    yield Figure("… the last one, after the first mention", (last - began) * fast, "s", 120, higher_is_better=False)
    yield Figure("… another query's mention", quiet, "s", 30, higher_is_better=False)
    if weight is not None:
        yield Figure("… memory of notify", weight, "MB", 90, higher_is_better=False)


def naive(world: World, where: str, fast: float) -> Iterator[Figure]:
    """The same with a message for each mention, for as long as folding takes."""
    with Workspaces(1, max_per_hour=0) as town, world(town) as (db, send_all):
        quiet_at, began = _flood(town, db, send_all, fast)
        wait_for(lambda: time.time() - began > 90 / fast, "a minute and a half", PATIENCE_SECONDS)
        waiting = MENTIONS + 1 - town.total()
        rate = town.total() / (time.time() - began)
        ahead = MENTIONS / 2 - town.total()
    yield Figure(f"{where}, without folding: messages so far", len(town.arrived), "")
    yield Figure("… and still waiting", waiting, "")
    if ahead > 0:
        yield Figure("… another query's mention comes after", (time.time() - quiet_at + ahead / rate) * fast, "s")


def _flood(town: Workspaces, db: Db, send_all: SendAll, fast: float) -> tuple[float, float]:
    """Return when the other query's mention was stored, and when the first one was."""
    metrics = ProcessMetrics(CollectorRegistry())
    [match] = town.matches
    pause, began, quiet_at = threading.Event(), time.time(), 0.0
    bounds = [MENTIONS * step // STEPS for step in range(STEPS + 1)]
    for step, (start, end) in enumerate(pairwise(bounds)):
        pause.wait(max(0.0, began + step * 60 / STEPS / fast - time.time()))
        town.tell(db, send_all, metrics, (end - start, [match["brand"]]))
        if step == STEPS // 2:
            town.tell(db, send_all, metrics, (1, [match["rival"]]))
            quiet_at = time.time()
    return quiet_at, began


def _first_single_after(town: Workspaces, moment: float) -> float:
    return min(
        (at - moment for _, at, count in town.arrived if count == 1 and at >= moment - 0.5), default=float("nan")
    )


class ManyChannels(Workspaces):
    """A hundred channels; with ``faults``, one of them hangs and one is dead."""

    def __init__(self, *, faults: bool) -> None:
        super().__init__(CHANNELS, max_per_hour=0)
        self.faults = faults

    def answer(self, request: Request) -> Answer:
        if self.faults and request.path == "/0":
            return Answer(fault="hang")
        if self.faults and request.path == "/1":
            return Answer(503)
        return super().answer(request)


def many(mentions: int) -> Iterator[Figure]:
    """So many mentions to a hundred channels at once, unfolded; with and without two that do not work."""
    usual: list[float] = []
    for faults in (False, True):
        with ManyChannels(faults=faults) as town, in_one_process(TIMEOUT, town) as (db, send_all):
            each = mentions // CHANNELS
            began = time.time()
            matches = [match["brand"] for match in town.matches]
            for _ in range(each):
                town.tell(db, send_all, ProcessMetrics(CollectorRegistry()), (1, matches))
            healthy = {f"/{number}" for number in range(2, CHANNELS)}
            wanted = each * len(healthy)
            wait_for(lambda: sum(path in healthy for path, _, _ in town.arrived) >= wanted, "all", PATIENCE_SECONDS)  # noqa: B023
            waits = sorted(at - began for path, at, _ in town.arrived if path in healthy)
        name = "beside one that hangs and a dead one" if faults else f"{mentions:,} mentions to {CHANNELS} channels"
        p50, p99 = waits[len(waits) // 2], waits[int(len(waits) * 0.99)]
        yield Figure(f"{name}: deliveries", len(waits) / waits[-1], "/s")
        yield Figure("… p50 of healthy channels, from the first mention", p50, "s")
        yield Figure("… p99", p99, "s", 2 * usual[0] if usual else None, higher_is_better=False)
        usual = [p99]


def statements() -> Iterator[Figure]:
    """Statements of a claim, of its contents and marks, for each message and each mention."""
    for name, pace, mentions in (
        ("a single mention", {}, 1),
        ("a single mention, unfolded", {"max_per_hour": 0}, 1),
        ("each of ten mentions", {}, 10),
        ("each of ten mentions, unfolded", {"max_per_hour": 0}, 10),
    ):
        with tempfile.TemporaryDirectory() as folder:
            db = open_database(f"sqlite:///{folder}/bench.db")
            migrate.migrate(db)
            count = _statements(db, mentions, pace)
            db.release()
        yield Figure(f"statements: {name}", count / mentions, "", 12, higher_is_better=False)


def _nothing(messages: object) -> None:
    pass


def _statements(db: Db, mentions: int, pace: dict[str, Any]) -> int:
    seen: list[str] = []
    with Workspaces(1, **pace) as town:
        town.settle(db)
        town.tell(db, _nothing, ProcessMetrics(CollectorRegistry()), (mentions, [town.matches[0]["brand"]]))
        execute = db.peewee.execute_sql

        def counted(sql: str, *given: Any, **more: Any) -> Any:
            seen.append(sql)
            return execute(sql, *given, **more)

        with db.session():
            db.peewee.execute_sql = counted  # type: ignore[method-assign]
            channel = Channel.select(Channel.id).scalar(db.peewee)
            seen.clear()
            for claimed in deliveries.claim(db, channel, now=time.time(), limit=10, lease=60).deliveries:
                assert deliveries.contents(db, claimed) is not None
                deliveries.mark_sent(db, claimed.id, time.time())
            deliveries.more_due(db, channel, time.time())
            db.peewee.execute_sql = execute  # type: ignore[method-assign]
    return len(seen)


FILL = """INSERT INTO item (source, ref, kind, place, title, body, permalink, url, created_at, stored_at, thread_title,
        texts, lang, nsfw, lookup, checked_at, lease_until)
        SELECT 'reddit', 'x' || g, 'post', 'python', 'x', 'x', '/', '', {now}, {now}, '', '{{}}', '', false, '', 0, 0
        FROM generate_series(1, {rows}) g"""
FILL_MENTIONS = """INSERT INTO mention (workspace_id, item_id, query_ids, highlights, backfilled, stored_at, why,
        read_at)
        SELECT {workspace}, id, '[{query}]', '[]', false, {now}, '[]', 0 FROM item"""
FILL_DELIVERIES = """INSERT INTO delivery (id, kind, channel_id, mention_id, state, query, attempts, due_at,
        lease_until, created_at)
        SELECT 'msg_' || id, 'mention', {channel}, id, 'pending', {query}, 0, at, 0, at
        FROM (SELECT id, {now} + id / 1e5 AS at FROM mention) each"""


def backlog(rows: int = WAITING_ROWS) -> Iterator[Figure]:
    """A claim in a channel with very many waiting mentions, on PostgreSQL."""
    with PostgresServer(durable=True) as server, Workspaces(1) as town:
        db = open_database(server.create_database("backlog"))
        migrate.migrate(db)
        town.settle(db)
        with db.session():
            match, channel = town.matches[0]["brand"], Channel.select(Channel.id).scalar(db.peewee)
            now = time.time()
            values = {"workspace": match.workspace_id, "query": match.query_ids[0], "channel": channel}
            for statement in (FILL, FILL_MENTIONS, FILL_DELIVERIES):
                db.peewee.execute_sql(statement.format(rows=rows, now=now - 5, **values))
            db.peewee.execute_sql("VACUUM ANALYZE delivery")
            yield from _backlog(db, channel, rows, now)
        db.release()


def _backlog(db: Db, channel: int, rows: int, now: float) -> Iterator[Figure]:
    def claim(at: float) -> tuple[float, Sequence[Any]]:
        began = time.perf_counter()
        claimed = deliveries.claim(db, channel, now=at, limit=10, lease=60).deliveries
        took = 1000 * (time.perf_counter() - began)
        for each in claimed:
            deliveries.mark_sent(db, each.id, at)
        return took, claimed

    claim(now)
    took, claimed = claim(now + 1)
    assert not claimed
    yield Figure(f"a claim that waits, {rows:,} waiting", took, "ms", 100, higher_is_better=False)
    took, [summary] = claim(now + 40)
    yield Figure("… that folds what it may", took, "ms", 2_000, higher_is_better=False)
    began = time.perf_counter()
    contents = deliveries.contents(db, summary)
    assert contents is not None
    assert contents.notice.totals is not None
    yield Figure("… the contents of its summary", 1000 * (time.perf_counter() - began), "ms", 1_000, False)
    Delivery.update(state="pending", bundle=None).where(Delivery.state == "bundled").execute(db.peewee)
    Channel.update(max_per_hour=0).execute(db.peewee)
    yield Figure("… of single messages, unfolded", claim(now + 90)[0], "ms", 100, higher_is_better=False)


def run(fast: float = 1.0, mentions: int = 10_000, *, everywhere: bool = True) -> Iterator[Figure]:
    """All figures; with ``fast``, the spike takes less time, and its pace is as much faster."""
    log.configure("ERROR", style="text")
    per_minute = 60 * fast
    here = partial(in_one_process, TIMEOUT, per_minute=per_minute)
    yield from statements()
    yield from backlog()
    if everywhere:
        yield from spike(here, "spike, memory, SQLite", fast)
    yield from naive(here, "spike, memory, SQLite", fast)
    with servers() as (rabbit, postgres):
        pids: list[int] = []
        there = partial(on_servers, rabbit, postgres, TIMEOUT, per_minute=per_minute, started=pids.append)
        yield from spike(there, "spike, RabbitMQ, PostgreSQL", fast, lambda: resident(pids[-1]))
    yield from many(mentions)


if __name__ == "__main__":
    print_table(run(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0), "Delivery")
