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
from overheard.config import Config
from overheard.db import budgets, canaries, channels, dead_letters, refreshes, source_health, storing
from overheard.db.database import Db
from overheard.db.models import Budget, Feed, FeedGroup, Workspace
from overheard.db.token_rates import WINDOW_SECONDS, Rate
from overheard.errors import Unavailable
from overheard.messages import NotifyChannel
from overheard.observability.metrics import ProcessMetrics
from overheard.sources.reddit.names import client_key
from overheard.stages import STAGES
from producers import gauges as gauges_module
from producers.gauges import SystemGauges
from tests.fixtures import Clock, World, reddit_with

KEY = client_key("an app")
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
    return SystemGauges(db=db, inspect_queues=bus, config=reddit_with("an app"), clock=clock, metrics=metrics)


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


def test_each_watched_source(
    gauges: SystemGauges, metric: Callable[..., float], world: World, db: Db, clock: Clock
) -> None:
    def shown(source: str = "reddit") -> tuple[float, float, float]:
        gauges.gather()
        names = ("source_up", "source_last_success_timestamp_seconds", "source_failing_seconds")
        return tuple(metric(name, source=source) for name in names)  # type: ignore[return-value]

    acme = world.workspace("acme", subreddits=["python"])
    assert shown() == (1, 0, 0)
    source_health.record_read(db, "canary", clock())
    read_at = clock()
    source_health.record_read(db, "reddit", read_at)
    clock.advance(86_400)
    assert shown() == (1, read_at, 0), "nothing is due"
    source_health.record_failure(db, "reddit", "503", clock(), clock())
    clock.advance(700)
    assert shown() == (0, read_at, 700)
    source_health.record_read(db, "reddit", clock())
    assert shown() == (1, clock(), 0)
    sample = gauges.metrics.registry.get_sample_value
    assert sample("overheard_source_up", {"source": "replay"}) is None, "not watched"
    Workspace.update(active=False).where(Workspace.id == acme).execute(db.peewee)
    gauges.gather()
    assert sample("overheard_source_up", {"source": "reddit"}) is None, "not watched any more"


def test_the_canary_is_not_a_source_that_is_watched(gauges: SystemGauges, world: World, clock: Clock) -> None:
    canaries.ensure(world.db, 300, clock(), lambda *_: clock())
    gauges.gather()
    assert gauges.metrics.registry.get_sample_value("overheard_source_up", {"source": "canary"}) is None


def test_a_refused_login(
    gauges: SystemGauges, metric: Callable[..., float], world: World, db: Db, clock: Clock
) -> None:
    def shown() -> tuple[float, float]:
        gauges.gather()
        return metric("source_failing_seconds", source="reddit"), metric("source_login_refused", source="reddit")

    world.workspace("acme", subreddits=["python"])
    source_health.record_failure(db, "reddit", "503", clock(), clock())
    clock.advance(60)
    assert shown() == (60, 0)
    source_health.record_failure(db, "reddit", "401", clock(), clock() + 3600, revoked=True)
    clock.advance(3600)
    assert shown() == (3660, 1)
    clock.advance(3600)
    assert shown() == (0, 0), "it was not tried any more"


def test_one_of_several_clients_is_refused(
    gauges: SystemGauges, metric: Callable[..., float], db: Db, clock: Clock
) -> None:
    def shown() -> list[float]:
        gauges.gather()
        return [metric("source_client_refused", source="reddit", client=str(number)) for number in (1, 2, 3)]

    gauges.config = reddit_with("a")
    source_health.record_failure(db, client_key("a"), "401", clock(), clock() + 300, revoked=True)
    gauges.gather()
    assert metric("source_client_refused", source="reddit", client="1") == 0, "an only client is its source"
    source_health.record_read(db, client_key("a"), clock())
    gauges.config = reddit_with("a", "b", "c")
    assert shown() == [0, 0, 0]
    source_health.record_failure(db, client_key("b"), "401", clock(), clock() + 300, revoked=True)
    assert shown() == [0, 1, 0]
    clock.advance(86_400)
    assert shown() == [0, 1, 0], "it was not tried since"
    for client in "ac":
        source_health.record_failure(db, client_key(client), "401", clock(), clock() + 300, revoked=True)
    assert shown() == [0, 0, 0], "then the source itself is refused, which is shown as such"
    source_health.record_read(db, client_key("b"), clock())
    assert shown() == [1, 0, 1]


def test_the_budgets_of_all_clients_count(
    gauges: SystemGauges, metric: Callable[..., float], db: Db, clock: Clock
) -> None:
    gauges.config = reddit_with("a", "b", "c")
    limiter = budgets.DatabaseLimiter(db, {"reddit": Rate(60, 1)})
    limiter.observe(client_key("a"), 7.0, 300)
    limiter.observe(client_key("b"), 20.0, 300)
    limiter.block(client_key("a"), 50)
    gauges.gather()
    assert metric("reddit_budget_remaining") == 27
    assert metric("reddit_budget_booked_seconds") == 0, "two can be used"
    limiter.block(client_key("b"), 40)
    source_health.record_failure(db, client_key("c"), "401", clock(), clock() + 300, revoked=True)
    gauges.gather()
    assert metric("reddit_budget_booked_seconds") == pytest.approx(40, abs=5), "the third is refused"


def test_the_lag_of_each_source_and_what_is_overdue(
    gauges: SystemGauges, metric: Callable[..., float], world: World, clock: Clock
) -> None:
    def shown() -> tuple[float, float]:
        gauges.gather()
        return metric("source_lag_seconds", source="reddit"), metric("source_overdue_seconds", source="reddit")

    acme = world.workspace("acme", subreddits=["a", "b"])
    refreshes.mark_served(world.db, acme, "reddit", clock())
    Feed.update(fresh_at=clock() + 1).execute(world.db.peewee)
    clock.advance(3601)
    assert shown() == (3600, 0), "none was demanded since"
    Feed.update(fresh_at=clock() - 50).execute(world.db.peewee)
    refreshes.demand(world.db, [acme], clock())
    clock.advance(3550)
    assert shown() == (3600, 0), "a poll of a moment before served it"
    refreshes.demand(world.db, [acme], clock())
    clock.advance(10)
    assert shown() == (3610, 3610)
    Feed.update(fresh_at=clock()).where(Feed.place == "a").execute(world.db.peewee)
    assert shown() == (3610, 3610), "the least recently read one"
    Feed.update(retry_at=clock() + 60).where(Feed.place == "b").execute(world.db.peewee)
    assert shown() == (0, 0), "its source does not want it to be read yet"


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
    budgets.DatabaseLimiter(world.db, {"reddit": Rate(60, 1)}).block(KEY, 50)
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
    budgets.DatabaseLimiter(db, {"reddit": Rate(95, 5)}).observe(KEY, 7.0, 300)
    assert shown() == 7
    Budget.update(observed_at=Budget.observed_at - WINDOW_SECONDS).execute(db.peewee)
    assert shown() is None
    budgets.DatabaseLimiter(db, {"reddit": Rate(95, 5)}).observe(KEY, 990.0, 600)
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
    def broken(db: Db, config: Config, now: float) -> None:
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
