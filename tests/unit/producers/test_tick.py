"""The tick publishes due and lost work once, and again if it was not served (I1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from peewee import SQL

from overheard import schedule
from overheard.bus.events import encode
from overheard.bus.queue_depths import PublicQueueDepths
from overheard.config import Config, TickSettings
from overheard.db import dead_letters, digests, heartbeats, refreshes, storing, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Delivery, Workspace
from overheard.db.retention import RetentionAges
from overheard.errors import Unavailable
from overheard.messages import NotifyChannel
from overheard.observability.metrics import ProcessMetrics
from producers import due_work
from producers import sweeps as sweeps_module
from producers.due_work import DueWork
from producers.gauges import SystemGauges
from producers.sweeps import Sweeps
from producers.tick import Ticker, run
from producers.tick_steps import TickReport, TickStep, counted, uncounted
from producers.tidying import Tidying
from producers.wiring import tick_problems
from tests.fixtures import Clock, Metric, Sent, World

DAY = 86400.0


class Events:
    """A publisher that accepts what the real one accepts, and records it."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.failure: Exception | None = None
        self.fail_after = 0

    def publish(self, type: str, body: dict[str, Any]) -> str:
        encode(type, body)  # raises InvalidInput as the real publisher does
        if self.failure is not None:
            if self.fail_after == 0:
                raise self.failure
            self.fail_after -= 1
        self.published.append((type, body))
        return "id"

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        taken, self.published = self.published, []
        return taken


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def gauges(db: Db, clock: Clock, metrics: ProcessMetrics) -> SystemGauges:
    return SystemGauges(
        db=db, inspect_queues=lambda: ([], PublicQueueDepths(0, 0)), config=Config(), clock=clock, metrics=metrics
    )


@pytest.fixture
def bus() -> SimpleNamespace:
    """What the tick's steps ask of the bus, and of parts of their own."""
    return SimpleNamespace(waiting=lambda: 0, collect=lambda: 0, recheck=lambda: 0, canary=lambda: None)


@pytest.fixture
def make(
    db: Db,
    events: Events,
    sent: Sent,
    clock: Clock,
    metrics: ProcessMetrics,
    gauges: SystemGauges,
    bus: SimpleNamespace,
) -> Callable[..., Ticker]:
    def ticker(**settings: Any) -> Ticker:
        tick_settings = TickSettings(**settings)
        due = DueWork(db=db, events=events, clock=clock, settings=tick_settings)  # type: ignore[arg-type]
        sweeps = Sweeps(
            db=db, events=events, sender=sent, waiting=lambda: bus.waiting(), clock=clock, settings=tick_settings
        )  # type: ignore[arg-type]  # fmt: skip
        tidying = Tidying(
            db=db, clock=clock, every=tick_settings.sweep_after, collect=lambda: bus.collect(),
            ages=RetentionAges(90, 30, 90), metrics=metrics,
        )  # fmt: skip
        steps = (
            TickStep("canary", uncounted(lambda: bus.canary())),
            TickStep("check_queues", uncounted(sweeps.check_queues)),
            TickStep("due", due.workspaces),
            TickStep("digests", due.digests),
            TickStep("sweep_demands", sweeps.demands),
            TickStep("sweep_digests", counted("swept_digests", sweeps.digests)),
            TickStep("sweep_channels", counted("swept_channels", sweeps.channels)),
            TickStep("recheck", counted("rechecks", lambda: bus.recheck())),
            TickStep("collect_dead_letters", counted("dead_letters", tidying.collect_dead_letters)),
            TickStep("prune", counted("pruned", tidying.prune)),
        )
        return Ticker(steps, db=db, clock=clock, settings=tick_settings, metrics=metrics, gauges=gauges)

    return ticker


def due(workspace_id: int, reason: str = "due") -> tuple[str, dict[str, Any]]:
    source = {"source": "reddit"} if reason == "sweep" else {}
    return ("workspace.due", {"workspace": workspace_id, **source, "reason": reason})


def test_a_due_workspace_is_published_once(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock
) -> None:
    acme = world.workspace()
    ticker = make(jitter=0)
    assert ticker.tick().due == 1
    assert events.take() == [due(acme)]
    assert ticker.tick() == TickReport()
    clock.advance(299)
    refreshes.mark_served(world.db, acme, "reddit", clock())
    assert ticker.tick() == TickReport()
    clock.advance(1)
    assert ticker.tick().due == 1


def test_two_ticks_side_by_side_share_the_work(world: World, make: Callable[..., Ticker], events: Events) -> None:
    ids = [world.workspace(f"w{number}", channels={}) for number in range(120)]
    one, two = make(), make()
    assert (one.tick().due, two.tick().due) == (120, 0)
    assert sorted(body["workspace"] for _, body in events.take()) == ids


def test_a_tick_stops_at_its_batch(
    world: World, make: Callable[..., Ticker], events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_work, "CLAIM_WORKSPACES", 4)
    ids = [world.workspace(f"w{number:02}", channels={}) for number in range(10)]
    ticker = make(batch=8)
    assert [ticker.tick().due for _ in range(3)] == [8, 2, 0]
    assert sorted(body["workspace"] for _, body in events.take()) == ids


@pytest.mark.parametrize(
    ("every", "spread"), [("5m", 10.0), ("30s", 3.0), ("10s", 1.0), ("*/5 * * * *", 10.0), ("1d", 10.0)]
)
def test_due_times_are_spread_a_little(
    world: World, make: Callable[..., Ticker], clock: Clock, every: str, spread: float
) -> None:
    acme = world.workspace(every=every)
    ticker = make(jitter=10)
    following = schedule.next_due(every, "UTC", clock())
    due_times = set()
    for _ in range(40):
        Workspace.update(next_due_at=clock()).execute(world.db.peewee)
        ticker.tick()
        due_times.add(world.row(Workspace, acme).next_due_at)
    assert len(due_times) > 20
    assert min(due_times) >= following
    assert max(due_times) <= following + spread
    assert max(due_times) > following + spread / 3


@pytest.mark.parametrize("every", ["1h", "0 * * * *", "*/5 * * * *"])
def test_missed_runs_become_one_run(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock, every: str
) -> None:
    acme = world.workspace(every=every, channels={})
    ticker = make(jitter=0)
    ticker.tick()
    refreshes.mark_served(world.db, acme, "reddit", clock())
    events.take()
    clock.advance(7 * 3600 + 11)
    assert ticker.tick().due == 1
    assert events.take() == [due(acme)]
    assert ticker.tick().due == 0
    assert world.row(Workspace, acme).next_due_at > clock()


def test_a_clock_that_was_set_back_causes_no_storm(world: World, make: Callable[..., Ticker], clock: Clock) -> None:
    world.workspace()
    ticker = make()
    ticker.tick()
    clock.advance(-3600)
    assert [ticker.tick().due for _ in range(5)] == [0] * 5


def test_a_tick_that_never_succeeds_is_late(make: Callable[..., Ticker], clock: Clock) -> None:
    ticker = make(interval=20)
    assert tick_problems(ticker, clock.advance(60)) == []
    assert tick_problems(ticker, clock.advance(1)) == ["no tick has succeeded since the start, 61 s ago"]
    ticker.tick()
    assert tick_problems(ticker, clock.advance(60)) == []
    assert tick_problems(ticker, clock.advance(1)) == ["the last successful tick was 61 s ago"]


def test_a_server_that_stays_away_is_named(make: Callable[..., Ticker], clock: Clock) -> None:
    ticker = make(interval=20)
    ticker.tick()
    ticker.failing_since, ticker.failure = clock(), "RabbitMQ at 127.0.0.1:5672: Connection refused"
    assert tick_problems(ticker, clock.advance(4)) == [], "the next tick may succeed"
    [problem] = tick_problems(ticker, clock.advance(2))
    assert problem == "the tick has failed for 6 s: RabbitMQ at 127.0.0.1:5672: Connection refused"


def test_a_due_digest_is_published_with_its_period(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock
) -> None:
    acme = world.workspace(channels={"daily": "digest"}, digest="0 9 * * *")
    end = clock() + 86_400  # the world's
    ticker = make()
    ticker.tick()
    refreshes.mark_served(world.db, acme, "reddit", clock() + 10**7)
    events.take()
    clock.advance(86_400 + 3)
    assert ticker.tick().digests == 1
    assert ("workspace.digest", {"workspace": acme, "period_end": end}) in events.take()
    assert ticker.tick().digests == 0
    assert world.row(Workspace, acme).next_digest_at == end + 86_400, "tomorrow at nine"


def test_all_due_digests_are_published_in_one_tick(world: World, make: Callable[..., Ticker], clock: Clock) -> None:
    for number in range(due_work.CLAIM_WORKSPACES + 1):
        world.workspace(f"ws{number}")
    clock.advance(86_400 + 3)
    assert make().tick().digests == due_work.CLAIM_WORKSPACES + 1


def test_a_digest_that_was_not_composed_is_published_again(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock
) -> None:
    acme = world.workspace(channels={"daily": "digest"})
    ticker = make(sweep_after=60)
    clock.advance(86_400)
    ticker.tick()
    asked = [event for event in events.take() if event[0] == "workspace.digest"]
    refreshes.mark_served(world.db, acme, "reddit", clock() + 10**7)
    clock.advance(61)
    assert ticker.tick().swept_digests == 1
    assert [event for event in events.take() if event[0] == "workspace.digest"] == asked
    digests.compose(world.db, acme, asked[0][1]["period_end"], clock())
    clock.advance(61)
    assert ticker.tick().swept_digests == 0


def test_an_unreadable_schedule_stops_no_other_workspace(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock
) -> None:
    spoilt, acme = world.workspace("spoilt"), world.workspace("acme")
    Workspace.update(every="whenever", digest="61 * * * *", timezone="Mars/Olympus", next_digest_at=clock()).where(
        Workspace.id == spoilt
    ).execute(world.db.peewee)
    report = make().tick()
    assert (report.due, report.digests) == (2, 1)
    assert due(acme) in events.take()
    row = world.row(Workspace, spoilt)
    assert row.next_due_at >= clock() + 3600
    assert row.next_digest_at == clock() + DAY, "at 9:00 UTC, as it is now"


@pytest.mark.parametrize("every", ["whenever", "0 0 30 2 *", "* * * *", "0 22-4 * * *", ""])
def test_a_schedule_on_which_a_library_fails_stops_no_other_workspace(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock, every: str
) -> None:
    spoilt, acme = world.workspace("spoilt"), world.workspace("acme")
    Workspace.update(every=every).where(Workspace.id == spoilt).execute(world.db.peewee)
    report = make().tick()
    assert (report.due, report.broken) == (2, 0)
    assert due(acme) in events.take()
    assert world.row(Workspace, spoilt).next_due_at >= clock() + 3600


def test_a_digest_that_cannot_be_published_stops_no_other(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock
) -> None:
    spoilt, acme = world.workspace("spoilt"), world.workspace("acme")
    spoilt_digest = {"next_digest_at": -1.0, "digest": "61 * * * *"}  # else the periods that were missed would be one
    Workspace.update(next_digest_at=clock()).execute(world.db.peewee)
    Workspace.update(spoilt_digest).where(Workspace.id == spoilt).execute(world.db.peewee)
    ticker = make(sweep_after=60)
    asked = ("workspace.digest", {"workspace": acme, "period_end": clock()})
    assert (ticker.tick().digests, asked in events.take()) == (2, True)
    clock.advance(61)
    report = ticker.tick()
    assert (report.swept_digests, report.broken, asked in events.take()) == (2, 0, True)


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("unforeseen")


def spoil_workspace(ticker: Ticker) -> None:
    Workspace.update(timezone=SQL("x'ff'")).where(Workspace.slug == "spoilt").execute(ticker.db.peewee)


FAULTS = ("a row that cannot be read", "collect", "waiting", "recheck", "canary")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_step_stops_no_other(
    world: World,
    make: Callable[..., Ticker],
    events: Events,
    sent: Sent,
    clock: Clock,
    db: Db,
    bus: SimpleNamespace,
    fault: str,
) -> None:
    """Due, lost and old rows are all handled, except by the failing step."""
    world.workspace("spoilt", channels={})
    acme = world.workspace(channels={"team": "instant", "daily": "digest"})
    Workspace.update(digest_end=clock() - 1000, digest_asked_at=clock() - 1000).where(Workspace.id == acme).execute(
        db.peewee
    )
    storing.store(db, world.matched((world.item(), (acme,))), clock() - 1000)
    dead_letters.record(db, message_id="m", stage="fetch", origin="nack", reason="", traceback=None, body="", now=0.0)
    ticker = make()
    rechecked: list[int] = []
    bus.collect, bus.recheck = (lambda: 3), (lambda: rechecked.append(1) or 1)
    if hasattr(bus, fault):
        setattr(bus, fault, broken)
    else:
        spoil_workspace(ticker)
    report = ticker.tick()
    done = {
        "a row that cannot be read": report.due == 2,
        "collect": report.dead_letters == 3,
        "recheck": report.rechecks == 1,
        "digests": report.swept_digests == 1,
        "channels": sent.take() == [NotifyChannel(channel_id=world.channel(acme))],
        "old rows": dead_letters.count(db) == 0,
    }
    assert [name for name, right in done.items() if not right] == ([fault] if fault in done else [])
    assert (report.broken, ticker.last_success, heartbeats.last_at(db, "tick")) == (1, None, None)


def test_a_failed_step_is_retried_by_the_next_tick(
    make: Callable[..., Ticker], db: Db, clock: Clock, bus: SimpleNamespace
) -> None:
    ticker = make(sweep_after=600)
    bus.collect = broken
    assert [ticker.tick().broken for _ in range(2)] == [1, 1]
    bus.collect = lambda: 3
    assert ticker.tick() == TickReport(dead_letters=3)
    assert heartbeats.last_at(db, "tick") == clock()


# -- what was left behind


def test_work_claimed_during_an_outage_of_the_bus_is_swept(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock
) -> None:
    ids = [world.workspace(f"w{number}", channels={}) for number in range(5)]
    ticker = make(sweep_after=60)
    events.failure, events.fail_after = Unavailable("the bus"), 2
    with pytest.raises(Unavailable):
        ticker.tick()
    assert ticker.last_success is None
    assert heartbeats.last_at(world.db, "tick") is None
    published = [body["workspace"] for _, body in events.take()]
    for workspace in published:
        refreshes.mark_served(world.db, workspace, "reddit", clock())

    events.failure = None
    ticker.tick()
    assert events.take() == [], "they were just published: give them time"
    clock.advance(60)
    report = ticker.tick()
    assert report.swept_workspaces == 3
    assert sorted(events.take(), key=str) == [due(each, "sweep") for each in ids if each not in published]
    clock.advance(60)
    assert ticker.tick().swept_workspaces == 3, "and again, until they are served"


def test_an_abandoned_poll_is_swept(world: World, make: Callable[..., Ticker], events: Events, clock: Clock) -> None:
    acme = world.workspace()
    ticker = make()
    ticker.tick()
    world.claim("p")
    refreshes.mark_served(world.db, acme, "reddit", clock())
    events.take()
    clock.advance(121)
    report = ticker.tick()
    assert (report.swept_polls, report.swept_workspaces) == (1, 0)
    assert events.take() == [due(acme, "sweep")]
    assert ticker.tick().swept_polls == 0


def test_overdue_deliveries_prompt_their_channel(
    world: World, make: Callable[..., Ticker], sent: Sent, clock: Clock
) -> None:
    acme = world.workspace()
    storing.store(world.db, world.matched((world.item(), (acme,))), clock())
    ticker = make(sweep_after=60)
    ticker.tick()
    assert sent.take() == []
    clock.advance(60)
    assert ticker.tick().swept_channels == 1
    assert sent.take() == [NotifyChannel(channel_id=world.channel(acme))]
    clock.advance(59)
    assert ticker.tick().swept_channels == 0, "it was just prompted"
    clock.advance(1)
    assert ticker.tick().swept_channels == 1


def test_a_channel_is_prompted_when_a_long_wait_ends(
    world: World, make: Callable[..., Ticker], sent: Sent, clock: Clock
) -> None:
    """Nothing on the bus waits until the end of quiet hours, a Retry-After of ten minutes or a retry by hand."""
    acme = world.workspace()
    storing.store(world.db, world.matched((world.item(), (acme,))), clock())
    Delivery.update(due_at=clock() + 3600).execute(world.db.peewee)
    ticker = make(sweep_after=60)
    clock.advance(3599)
    assert ticker.tick().swept_channels == 0
    clock.advance(1)
    assert ticker.tick().swept_channels == 1
    assert sent.take() == [NotifyChannel(channel_id=world.channel(acme))]
    clock.advance(5)
    assert ticker.tick().swept_channels == 0, "it was just prompted"


def test_demands_in_a_long_queue_are_not_swept(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock, bus: SimpleNamespace
) -> None:
    acme = world.workspace()
    ticker = make(sweep_after=60)
    ticker.tick()
    events.take()
    clock.advance(61)
    bus.waiting = lambda: 1
    assert ticker.tick() == TickReport()
    bus.waiting = lambda: 0
    assert ticker.tick().swept_workspaces == 1
    assert events.take() == [due(acme, "sweep")]


def test_a_ticks_own_demands_do_not_stop_its_sweep(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock, bus: SimpleNamespace
) -> None:
    lost = world.workspace("lost", every="1d")
    ticker = make(sweep_after=60)
    ticker.tick()
    events.take()
    clock.advance(61)
    busy = world.workspace("busy")
    bus.waiting = lambda: len(events.published)
    assert ticker.tick().swept_workspaces == 1
    assert events.take() == [due(busy), due(lost, "sweep")]


def test_while_queues_are_busy_a_few_long_lost_demands_are_swept(
    world: World,
    make: Callable[..., Ticker],
    events: Events,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    bus: SimpleNamespace,
) -> None:
    monkeypatch.setattr(sweeps_module, "BUSY_SWEEP_MAX", 2)
    for number in range(5):
        world.workspace(f"w{number}", every="1d", subreddits=[f"sub{number}"], channels={})
    ticker = make(sweep_after=60)
    ticker.tick()
    for each in range(1, 4):
        world.claim(f"p{each}", f"sub{each - 1}", lease=60 + each)
        refreshes.mark_served(world.db, each, "reddit", clock() + 1)
    events.take()
    bus.waiting = lambda: 1
    clock.advance(299)
    assert ticker.tick() == TickReport()
    clock.advance(1)
    assert (ticker.tick().swept_workspaces, ticker.tick().swept_workspaces) == (2, 0), "4 and 5"
    assert sorted(event[1]["workspace"] for event in events.take()) == [4, 5]
    clock.advance(64)
    assert [ticker.tick().swept_polls for _ in range(3)] == [2, 1, 0]
    assert [event[1]["workspace"] for event in events.take()] == [1, 2, 3]


def test_a_paused_workspace_is_left_alone(
    world: World, make: Callable[..., Ticker], events: Events, clock: Clock
) -> None:
    acme = world.workspace()
    workspace_specs.set_active(world.db, acme, False)
    clock.advance(10**6)
    make().tick()
    assert events.take() == []


# -- what it tells


def test_a_successful_tick_records_its_heartbeat(
    world: World, make: Callable[..., Ticker], clock: Clock, metric: Metric, db: Db
) -> None:
    world.workspace()
    ticker = make()
    ticker.tick()
    assert metric("due_workspaces") == 1
    assert (
        metric("tick_last_success_timestamp_seconds")
        == clock()
        == ticker.last_success
        == heartbeats.last_at(db, "tick")
    )


def test_a_clock_that_was_set_back_does_not_suspend_tidying(
    make: Callable[..., Ticker], bus: SimpleNamespace, clock: Clock
) -> None:
    bus.collect = lambda: 3
    ticker = make()
    assert ticker.tick().dead_letters == 3
    assert ticker.tick().dead_letters == 0
    clock.advance(-3600)
    assert ticker.tick().dead_letters == 3


def test_collected_dead_letters_and_pruned_rows_are_reported(
    world: World, make: Callable[..., Ticker], clock: Clock, bus: SimpleNamespace
) -> None:
    ticker = make()
    bus.collect = lambda: 3
    dead_letters.record(
        world.db, message_id="m", stage="fetch", origin="nack", reason="", traceback=None, body="", now=0.0
    )
    report = ticker.tick()
    assert (report.dead_letters, report.pruned) == (3, 1)


def test_the_loop_survives_a_server_that_is_away_and_stops_when_told(
    make: Callable[..., Ticker], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticker = make()
    stop = threading.Event()
    results: list[Any] = [Unavailable("the bus"), TickReport(due=500), TickReport(broken=1), TickReport()]
    waits = []
    failed_ticks: list[bool] = []
    ticker.alerts = SimpleNamespace(step=lambda *, failed: failed_ticks.append(failed))

    def tick() -> TickReport:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def wait(seconds: float | None = None) -> bool:
        waits.append(seconds)
        if not results:
            stop.set()
        return stop.is_set()

    monkeypatch.setattr(ticker, "tick", tick)
    monkeypatch.setattr(stop, "wait", wait)
    gathered = []
    monkeypatch.setattr(ticker.gauges, "gather", lambda: gathered.append(len(waits)))
    run(ticker, stop)
    assert failed_ticks == [True, False, True, False]
    assert waits == [5, 0.0, 5, 5], "a full batch is followed by the next at once"
    assert gathered == [0, 1, 2, 3], "after each tick, failed or not"
