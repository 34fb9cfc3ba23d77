"""The gauges of the whole system: their values, and what they show while a server is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from overheard.bus.broker import open_broker
from overheard.bus.queue_depths import PublicQueueDepths, QueueDepth
from overheard.bus.sender import Sender
from overheard.db import budgets, channels, dead_letters, refreshes, source_health, storing
from overheard.db.database import Db
from overheard.db.models import Budget, Feed, FeedGroup, Workspace
from overheard.errors import Unavailable
from overheard.messages import NotifyChannel
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.reddit.names import budget_key
from overheard.stages import STAGES
from producers import gauges as gauges_module
from producers.gauges import SystemGauges
from tests.fixtures import Clock, World

KEY = budget_key("an app")
QUEUES = [
    QueueDepth("overheard.ingress", 1, 0, 0, 1),
    QueueDepth("fetch", 7, 2, 3, 4),
    QueueDepth("match", 0, 0, 0, None),
]


class Bus:
    """Return or raise what the test sets, as ``inspect_queues``."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def __call__(self) -> tuple[list[QueueDepth], PublicQueueDepths]:
        if self.failure is not None:
            raise self.failure
        return QUEUES, PublicQueueDepths(unrouted=5, rejected=6)


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def gauges(db: Db, bus: Bus, clock: Clock, metrics: ProcessMetrics, monkeypatch: pytest.MonkeyPatch) -> SystemGauges:
    monkeypatch.setattr(gauges_module, "MAX_GATHER_SHARE", float("inf"))  # no rest
    return SystemGauges(db=db, inspect_queues=bus, budget=KEY, clock=clock, metrics=metrics)


def test_the_queues(gauges: SystemGauges, metric: Callable[..., float]) -> None:
    gauges.gather()
    fetch = [metric("queue_messages", queue="fetch", state=state) for state in ("ready", "delayed", "dead")]
    assert fetch == [7, 2, 3]
    assert [metric("queue_consumers", queue=name) for name in ("overheard.ingress", "fetch", "match")] == [1, 4, 0]
    aside = [metric("queue_messages", queue=f"overheard.{name}", state="dead") for name in ("unrouted", "rejected")]
    assert aside == [5, 6]


def test_the_oldest_work(gauges: SystemGauges, metric: Callable[..., float], world: World, clock: Clock) -> None:
    gauges.gather()
    works = ("run", "poll", "delivery", "digest")
    value = gauges.metrics.registry.get_sample_value
    assert [value("overheard_oldest_work_seconds", {"work": work}) for work in works] == [0] * 4, "shown, at 0"

    acme = world.workspace(channels={"team": "instant", "daily": "digest"})
    clock.advance(100)
    world.claim("p", lease=9)
    clock.advance(20)
    storing.store(world.db, world.matched((world.item(), (acme,))), clock())
    Workspace.update(next_digest_at=clock() - 1).execute(world.db.peewee)
    clock.advance(3)
    gauges.gather()
    assert [metric("oldest_work_seconds", work=work) for work in works] == [123, 23, 3, 4]
    refreshes.mark_served(world.db, acme, "reddit", clock())
    Workspace.update(next_due_at=clock() + 1).execute(world.db.peewee)
    gauges.gather()
    assert metric("oldest_work_seconds", work="run") == 0


def test_reddit(gauges: SystemGauges, metric: Callable[..., float], db: Db, clock: Clock) -> None:
    def shown() -> tuple[float, float]:
        gauges.gather()
        return metric("reddit_last_success_timestamp_seconds"), metric("reddit_failing_seconds")

    assert shown() == (0, 0)
    source_health.record_read(db, "canary", clock())
    assert shown() == (0, 0), "the canary is not of Reddit"
    read_at = clock()
    source_health.record_read(db, "reddit", read_at)
    clock.advance(86_400)
    assert shown() == (read_at, 0), "nothing is watched"
    source_health.record_failure(db, "reddit", "503", clock(), clock())
    clock.advance(700)
    assert shown() == (read_at, 700)
    source_health.record_read(db, "reddit", clock())
    assert shown() == (clock(), 0)


def test_a_refused_login(gauges: SystemGauges, metric: Callable[..., float], db: Db, clock: Clock) -> None:
    def shown() -> tuple[float, float]:
        gauges.gather()
        return metric("reddit_failing_seconds"), metric("reddit_login_refused")

    source_health.record_failure(db, "reddit", "503", clock(), clock())
    clock.advance(60)
    assert shown() == (60, 0)
    source_health.record_failure(db, "reddit", "401", clock(), clock() + 3600, revoked=True)
    clock.advance(3600)
    assert shown() == (3660, 1)
    clock.advance(3600)
    assert shown() == (0, 0), "nothing of it is watched any more"


def test_the_counts(gauges: SystemGauges, metric: Callable[..., float], world: World, clock: Clock) -> None:
    acme = world.workspace(subreddits=["a", "b", "c"], channels={"a": "instant", "b": "instant", "c": "instant"})
    Feed.update(fresh_at=clock() - 100).where(Feed.place == "a").execute(world.db.peewee)
    FeedGroup.update(cursor="x").where(FeedGroup.id == world.group("a").id).execute(world.db.peewee)
    Feed.update(failures=1).where(Feed.place == "b").execute(world.db.peewee)
    storing.store(world.db, world.matched((world.item(place="a"), (acme,))), clock())
    channels.record_failure(world.db, world.channel(acme, "a"), "away", clock())
    channels.disable(world.db, world.channel(acme, "b"), "gone", clock())
    dead_letters.record(
        world.db, message_id="m", stage="fetch", origin="nack", reason="", traceback=None, body="", now=clock()
    )
    budgets.DatabaseLimiter(world.db, {"reddit": budgets.Rate(60, 1)}).block(KEY, 50)
    gauges.gather()
    assert [metric("feeds", state=state) for state in ("ok", "failing", "new")] == [1, 1, 1]
    assert [metric("channels", state=state) for state in ("ok", "failing", "disabled")] == [1, 1, 1]
    assert metric("feed_lag_seconds") == 100
    assert (metric("deliveries_pending"), metric("dead_letters")) == (2, 1)
    assert metric("reddit_budget_booked_seconds") == pytest.approx(50, abs=5), "on the database's own clock"


def test_the_remaining_budget_is_shown_only_within_its_window(gauges: SystemGauges, db: Db) -> None:
    """It comes from the database: a process with rare requests must not export an old count until the next one."""

    def shown() -> float | None:
        gauges.gather()
        return gauges.metrics.registry.get_sample_value("overheard_reddit_budget_remaining")

    assert shown() is None, "no answer yet"
    budgets.DatabaseLimiter(db, {}).observe(KEY, 7.0, 300)
    assert shown() == 7
    Budget.update(observed_at=Budget.observed_at - budgets.MAX_WINDOW_SECONDS).execute(db.peewee)
    assert shown() is None
    budgets.DatabaseLimiter(db, {}).observe(KEY, 990.0, 600)
    assert shown() == 990


@pytest.mark.parametrize("failure", [Unavailable("the bus is away"), ZeroDivisionError("a fault of ours")])
def test_an_unavailable_bus_does_not_hide_the_database_gauges(
    gauges: SystemGauges, bus: Bus, metric: Callable[..., float], clock: Clock, failure: Exception
) -> None:
    assert metric("gauges_last_success_timestamp_seconds", of="bus") == 0
    gauges.gather()
    first = clock()
    bus.failure = failure
    clock.advance(60)
    structlog.contextvars.clear_contextvars()
    with capture_logs() as lines:
        gauges.gather()
    assert [(entry["event"], entry["of"]) for entry in lines] == [("gauges not gathered", "bus")]
    assert metric("gauges_last_success_timestamp_seconds", of="bus") == first
    assert metric("gauges_last_success_timestamp_seconds", of="database") == clock()
    assert metric("queue_messages", queue="fetch", state="ready") == 7, "the last known value"


def test_an_unavailable_database_does_not_hide_the_bus_gauges(
    gauges: SystemGauges, metric: Callable[..., float], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(db: Db, budget: str, now: float) -> None:
        Workspace.select().where("no such thing").get(db.peewee)

    monkeypatch.setattr(gauges_module, "vital_signs", broken)
    with capture_logs() as lines:
        gauges.gather()
    assert [entry["of"] for entry in lines] == ["database"]
    assert metric("gauges_last_success_timestamp_seconds", of="database") == 0
    assert metric("gauges_last_success_timestamp_seconds", of="bus") == clock()


def test_slow_gathering_is_done_less_often(gauges: SystemGauges, monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = [1000.0], []

    def inspect_queues() -> tuple[list[QueueDepth], PublicQueueDepths]:
        looks.append(now[0])
        now[0] += 0.5
        return [], PublicQueueDepths(0, 0)

    monkeypatch.setattr(gauges_module, "MAX_GATHER_SHARE", 0.05)
    gauges.timer = lambda: now[0]
    gauges.inspect_queues = inspect_queues
    for _ in range(40):
        gauges.gather()
        now[0] += 1
    assert len(looks) == 4
    assert looks[1] - looks[0] == pytest.approx(10, abs=1)


def test_the_memory_broker_reports_its_own_depths(metrics: ProcessMetrics) -> None:
    broker: Any = open_broker(
        "memory://", stages=STAGES.values(), metrics=metrics, record_dead=lambda dead_letters: None
    )
    sender = Sender(broker)
    sender.send(NotifyChannel(channel_id=1))
    sender.send(NotifyChannel(channel_id=2))
    sender.send(NotifyChannel(channel_id=3), delay=60)
    consumer = broker.consume("notify")
    seen = {queue.name: queue for queue in broker.inspect()[0]}
    assert set(seen) == set(STAGES)
    assert seen["notify"] == QueueDepth("notify", waiting=2, delayed=1, dead=0, workers=1)
    assert seen["fetch"] == QueueDepth("fetch", 0, 0, 0, 0)
    next(consumer)
    assert {queue.name: queue.waiting for queue in broker.inspect()[0]}["notify"] == 1
