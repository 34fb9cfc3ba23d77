"""tick: finds what is due or was left behind, once, and again when nobody heard of it (I1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from peewee import SQL, Case

from overheard import schedule
from overheard.bus.events import encode
from overheard.bus.queue_depths import PublicQueueDepths
from overheard.config import TickSettings
from overheard.db import dead_letters, digests, heartbeats, refreshes, storing, workspace_specs
from overheard.db.database import Db
from overheard.db.models import Workspace
from overheard.db.retention import RetentionAges
from overheard.errors import Unavailable
from overheard.messages import NotifyChannel
from producers import tick as tick_module
from producers.gauges import SystemGauges
from producers.tick import Ticker, TickReport, run
from producers.wiring import tick_problems

DAY = 86400.0


class Events:
    """The door: takes what the real one takes, and notes it."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.failure: Exception | None = None
        self.fail_after = 0

    def publish(self, type: str, body: dict[str, Any]) -> str:
        encode(type, body)  # raises for what the ingress would refuse
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
def gauges(db: Db, clock: Any, metrics: Any) -> SystemGauges:
    return SystemGauges(
        db=db, look=lambda: ([], PublicQueueDepths(0, 0)), budget="reddit:test", clock=clock, metrics=metrics
    )


@pytest.fixture
def make(db: Db, events: Events, sent: Any, clock: Any, metrics: Any, gauges: SystemGauges) -> Callable[..., Ticker]:
    def ticker(**rules: Any) -> Ticker:
        return Ticker(
            db=db,
            events=events,
            sender=sent,
            drain=lambda: 0,
            waiting=lambda: 0,
            clock=clock,
            rules=TickSettings(**rules),
            ages=RetentionAges(90, 30, 90),
            metrics=metrics,
            gauges=gauges,
        )

    return ticker


def due(workspace_id: int, reason: str = "due") -> tuple[str, dict[str, Any]]:
    source = {"source": "reddit"} if reason == "sweep" else {}
    return ("workspace.due", {"workspace": workspace_id, **source, "reason": reason})


def test_a_due_workspace_is_asked_for_once(world: Any, make: Any, events: Events, clock: Any) -> None:
    acme = world.workspace()
    ticker = make(jitter=0)
    assert ticker.tick().due == 1
    assert events.take() == [due(acme)]
    assert ticker.tick() == TickReport()
    clock.advance(299)
    refreshes.mark_taken_up(world.db, acme, "reddit", clock())
    assert ticker.tick() == TickReport()
    clock.advance(1)
    assert ticker.tick().due == 1


def test_two_ticks_side_by_side_share_the_work(world: Any, make: Any, events: Events) -> None:
    ids = [world.workspace(f"w{number}", channels={}) for number in range(120)]
    one, two = make(), make()
    assert (one.tick().due, two.tick().due) == (120, 0)
    assert sorted(body["workspace"] for _, body in events.take()) == ids


def test_a_batch_is_a_limit(world: Any, make: Any, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_module, "CLAIM_WORKSPACES", 4)
    ids = [world.workspace(f"w{number:02}", channels={}) for number in range(10)]
    ticker = make(batch=8)
    assert [ticker.tick().due for _ in range(3)] == [8, 2, 0]
    assert sorted(body["workspace"] for _, body in events.take()) == ids


@pytest.mark.parametrize(
    ("every", "spread"), [("5m", 10.0), ("30s", 3.0), ("10s", 1.0), ("*/5 * * * *", 10.0), ("1d", 10.0)]
)
def test_due_times_are_spread_a_little(world: Any, make: Any, clock: Any, every: str, spread: float) -> None:
    acme = world.workspace(every=every)
    ticker = make(jitter=10)
    following = schedule.next_due(every, "UTC", clock())
    found = set()
    for _ in range(40):
        Workspace.update(next_due_at=clock()).execute(world.db.peewee)
        ticker.tick()
        found.add(world.row(Workspace, acme).next_due_at)
    assert len(found) > 20
    assert min(found) >= following
    assert max(found) <= following + spread
    assert max(found) > following + spread / 3


@pytest.mark.parametrize("every", ["1h", "0 * * * *", "*/5 * * * *"])
def test_what_was_missed_becomes_one_run(world: Any, make: Any, events: Events, clock: Any, every: str) -> None:
    acme = world.workspace(every=every, channels={})
    ticker = make(jitter=0)
    ticker.tick()
    refreshes.mark_taken_up(world.db, acme, "reddit", clock())
    events.take()
    clock.advance(7 * 3600 + 11)
    assert ticker.tick().due == 1
    assert events.take() == [due(acme)]
    assert ticker.tick().due == 0
    assert world.row(Workspace, acme).next_due_at > clock()


def test_a_clock_that_was_set_back_causes_no_storm(world: Any, make: Any, clock: Any) -> None:
    world.workspace()
    ticker = make()
    ticker.tick()
    clock.advance(-3600)
    assert [ticker.tick().due for _ in range(5)] == [0] * 5


def test_a_tick_that_never_succeeds_is_late(make: Any, clock: Any) -> None:
    ticker = make(interval=20)
    assert tick_problems(ticker, clock.advance(60)) == []
    assert tick_problems(ticker, clock.advance(1)) == ["no tick has succeeded since the start, 61 s ago"]
    ticker.tick()
    assert tick_problems(ticker, clock.advance(60)) == []
    assert tick_problems(ticker, clock.advance(1)) == ["the last successful tick was 61 s ago"]


def test_a_server_that_stays_away_is_named(make: Any, clock: Any) -> None:
    ticker = make(interval=20)
    ticker.tick()
    ticker.failing_since, ticker.failure = clock(), "RabbitMQ at 127.0.0.1:5672: Connection refused"
    assert tick_problems(ticker, clock.advance(4)) == [], "it may be over by the next tick"
    [told] = tick_problems(ticker, clock.advance(2))
    assert told == "the tick has failed for 6 s: RabbitMQ at 127.0.0.1:5672: Connection refused"


def test_a_digest_is_asked_for_with_its_period(world: Any, make: Any, events: Events, clock: Any) -> None:
    acme = world.workspace(channels={"daily": "digest"}, digest="0 9 * * *")
    end = clock() + 86_400  # the world's
    ticker = make()
    ticker.tick()
    refreshes.mark_taken_up(world.db, acme, "reddit", clock() + 10**7)
    events.take()
    clock.advance(86_400 + 3)
    assert ticker.tick().digests == 1
    assert ("workspace.digest", {"workspace": acme, "period_end": end}) in events.take()
    assert ticker.tick().digests == 0
    assert world.row(Workspace, acme).next_digest_at == end + 86_400, "tomorrow at nine"


def test_everybodys_digest_is_asked_for_in_one_tick(world: Any, make: Any, clock: Any) -> None:
    for number in range(tick_module.CLAIM_WORKSPACES + 1):
        world.workspace(f"ws{number}")
    clock.advance(86_400 + 3)
    assert make().tick().digests == tick_module.CLAIM_WORKSPACES + 1


def test_a_digest_nobody_composed_is_asked_for_again(world: Any, make: Any, events: Events, clock: Any) -> None:
    acme = world.workspace(channels={"daily": "digest"})
    ticker = make(sweep_after=60)
    clock.advance(86_400)
    ticker.tick()
    asked = [event for event in events.take() if event[0] == "workspace.digest"]
    refreshes.mark_taken_up(world.db, acme, "reddit", clock() + 10**7)
    clock.advance(61)
    assert ticker.tick().swept_digests == 1
    assert [event for event in events.take() if event[0] == "workspace.digest"] == asked
    digests.compose(world.db, acme, asked[0][1]["period_end"], clock())
    clock.advance(61)
    assert ticker.tick().swept_digests == 0


def test_a_schedule_that_cannot_be_read_stops_nobody_else(world: Any, make: Any, events: Events, clock: Any) -> None:
    spoilt, acme = world.workspace("spoilt"), world.workspace("acme")
    Workspace.update(every="whenever", digest="61 * * * *", timezone="Mars/Olympus", next_digest_at=clock()).where(
        Workspace.id == spoilt
    ).execute(world.db.peewee)
    found = make().tick()
    assert (found.due, found.digests) == (2, 1)
    assert due(acme) in events.take()
    row = world.row(Workspace, spoilt)
    assert row.next_due_at >= clock() + 3600
    assert row.next_digest_at == clock() + DAY, "at 9:00 UTC, as it is now"


@pytest.mark.parametrize("every", ["whenever", "0 0 30 2 *", "* * * *", "0 22-4 * * *", ""])
def test_nor_does_one_of_which_the_libraries_say_something_else(
    world: Any, make: Any, events: Events, clock: Any, every: str
) -> None:
    spoilt, acme = world.workspace("spoilt"), world.workspace("acme")
    Workspace.update(every=every).where(Workspace.id == spoilt).execute(world.db.peewee)
    found = make().tick()
    assert (found.due, found.broken) == (2, 0)
    assert due(acme) in events.take()
    assert world.row(Workspace, spoilt).next_due_at >= clock() + 3600


def test_a_digest_that_cannot_be_asked_for_stops_nobody_elses(
    world: Any, make: Any, events: Events, clock: Any
) -> None:
    spoilt, acme = world.workspace("spoilt"), world.workspace("acme")
    Workspace.update(next_digest_at=Case(None, [(Workspace.id == spoilt, -1.0)], clock())).execute(world.db.peewee)
    ticker = make(sweep_after=60)
    asked = ("workspace.digest", {"workspace": acme, "period_end": clock()})
    assert (ticker.tick().digests, asked in events.take()) == (2, True)
    clock.advance(61)
    found = ticker.tick()
    assert (found.swept_digests, found.broken, asked in events.take()) == (2, 0, True)


def broken(*_: Any) -> Any:
    raise ZeroDivisionError("nobody has thought of this")


def spoil_workspace(ticker: Ticker) -> None:
    Workspace.update(timezone=SQL("x'ff'")).where(Workspace.slug == "spoilt").execute(ticker.db.peewee)


FAULTS: dict[str, Callable[[Ticker], None]] = {
    "a row that cannot be read": spoil_workspace,
    "drain": lambda ticker: setattr(ticker, "drain", broken),
    "waiting": lambda ticker: setattr(ticker, "waiting", broken),
    "recheck": lambda ticker: setattr(ticker, "recheck", broken),
    "canary": lambda ticker: setattr(ticker, "canary", SimpleNamespace(step=broken)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_step_that_breaks_stops_no_other(
    world: Any, make: Any, events: Events, sent: Any, clock: Any, db: Db, fault: str
) -> None:
    """What is due, what was left behind, and what is too old: all of it is done but for the one."""
    world.workspace("spoilt", channels={})
    acme = world.workspace(channels={"team": "instant", "daily": "digest"})
    Workspace.update(digest_end=clock() - 1000, digest_asked_at=clock() - 1000).where(Workspace.id == acme).execute(
        db.peewee
    )
    storing.store(db, world.matched((world.item(), (acme,))), clock() - 1000)
    dead_letters.record(db, message_id="m", stage="fetch", origin="nack", reason="", traceback=None, body="", now=0.0)
    ticker = make()
    rechecked: list[int] = []
    ticker.drain, ticker.recheck = (lambda: 3), (lambda: rechecked.append(1) or 1)
    FAULTS[fault](ticker)
    found = ticker.tick()
    done = {
        "a row that cannot be read": found.due == 2,
        "drain": found.dead_letters == 3,
        "recheck": found.rechecks == 1,
        "digests": found.swept_digests == 1,
        "channels": sent.take() == [NotifyChannel(channel_id=world.channel(acme))],
        "old rows": dead_letters.count(db) == 0,
    }
    assert [name for name, right in done.items() if not right] == ([fault] if fault in done else [])
    assert (found.broken, ticker.last_success, heartbeats.last_at(db, "tick")) == (1, None, None)


def test_what_broke_is_tried_again_by_the_next_tick(make: Any, db: Db, clock: Any) -> None:
    ticker = make(sweep_after=600)
    ticker.drain = broken
    assert [ticker.tick().broken for _ in range(2)] == [1, 1]
    ticker.drain = lambda: 3
    assert ticker.tick() == TickReport(dead_letters=3)
    assert heartbeats.last_at(db, "tick") == clock()


# -- what was left behind


def test_when_the_bus_is_away_everything_is_found_later(world: Any, make: Any, events: Events, clock: Any) -> None:
    ids = [world.workspace(f"w{number}", channels={}) for number in range(5)]
    ticker = make(sweep_after=60)
    events.failure, events.fail_after = Unavailable("the bus"), 2
    with pytest.raises(Unavailable):
        ticker.tick()
    assert ticker.last_success is None
    assert heartbeats.last_at(world.db, "tick") is None
    heard = [body["workspace"] for _, body in events.take()]
    for workspace in heard:
        refreshes.mark_taken_up(world.db, workspace, "reddit", clock())

    events.failure = None
    ticker.tick()
    assert events.take() == [], "they were just asked for: give them time"
    clock.advance(60)
    found = ticker.tick()
    assert found.swept_workspaces == 3
    assert sorted(events.take(), key=str) == [due(each, "sweep") for each in ids if each not in heard]
    clock.advance(60)
    assert ticker.tick().swept_workspaces == 3, "and again, until somebody serves them"


def test_a_poll_that_was_left_behind_is_asked_for(world: Any, make: Any, events: Events, clock: Any) -> None:
    acme = world.workspace()
    ticker = make()
    ticker.tick()
    world.claim("p")
    refreshes.mark_taken_up(world.db, acme, "reddit", clock())
    events.take()
    clock.advance(121)
    found = ticker.tick()
    assert (found.swept_polls, found.swept_workspaces) == (1, 0)
    assert events.take() == [due(acme, "sweep")]
    assert ticker.tick().swept_polls == 0


def test_forgotten_deliveries_wake_their_channel(world: Any, make: Any, sent: Any, clock: Any) -> None:
    acme = world.workspace()
    storing.store(world.db, world.matched((world.item(), (acme,))), clock())
    ticker = make(sweep_after=60)
    ticker.tick()
    assert sent.take() == []
    clock.advance(60)
    assert ticker.tick().swept_channels == 1
    assert sent.take() == [NotifyChannel(channel_id=world.channel(acme))]
    clock.advance(59)
    assert ticker.tick().swept_channels == 0, "it was just woken"
    clock.advance(1)
    assert ticker.tick().swept_channels == 1


def test_what_waits_in_a_long_queue_is_not_asked_for_again(world: Any, make: Any, events: Events, clock: Any) -> None:
    acme = world.workspace()
    ticker = make(sweep_after=60)
    ticker.tick()
    events.take()
    clock.advance(61)
    ticker.waiting = lambda: 1
    assert ticker.tick() == TickReport()
    ticker.waiting = lambda: 0
    assert ticker.tick().swept_workspaces == 1
    assert events.take() == [due(acme, "sweep")]


def test_a_ticks_own_demands_do_not_keep_it_from_sweeping(world: Any, make: Any, events: Events, clock: Any) -> None:
    lost = world.workspace("lost", every="1d")
    ticker = make(sweep_after=60)
    ticker.tick()
    events.take()
    clock.advance(61)
    busy = world.workspace("busy")
    ticker.waiting = lambda: len(events.published)
    assert ticker.tick().swept_workspaces == 1
    assert events.take() == [due(busy), due(lost, "sweep")]


def test_where_a_queue_is_never_empty_a_few_of_what_was_lost_long_ago_are_asked_for(
    world: Any, make: Any, events: Events, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_module, "BUSY_SWEEP_MAX", 2)
    for number in range(5):
        world.workspace(f"w{number}", every="1d", subreddits=[f"sub{number}"], channels={})
    ticker = make(sweep_after=60)
    ticker.tick()
    for each in range(1, 4):
        world.claim(f"p{each}", f"sub{each - 1}", lease=60 + each)
        refreshes.mark_taken_up(world.db, each, "reddit", clock() + 1)
    events.take()
    ticker.waiting = lambda: 1
    clock.advance(299)
    assert ticker.tick() == TickReport()
    clock.advance(1)
    assert (ticker.tick().swept_workspaces, ticker.tick().swept_workspaces) == (2, 0), "4 and 5"
    assert sorted(event[1]["workspace"] for event in events.take()) == [4, 5]
    clock.advance(64)
    assert [ticker.tick().swept_polls for _ in range(3)] == [2, 1, 0]
    assert [event[1]["workspace"] for event in events.take()] == [1, 2, 3]


def test_a_paused_workspace_is_left_alone(world: Any, make: Any, events: Events, clock: Any) -> None:
    acme = world.workspace()
    workspace_specs.set_active(world.db, acme, False)
    clock.advance(10**6)
    make().tick()
    assert events.take() == []


# -- what it tells


def test_the_beat(world: Any, make: Any, clock: Any, metric: Any, db: Db) -> None:
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


def test_drained_letters_and_forgotten_rows_are_told(world: Any, make: Any, clock: Any) -> None:
    ticker = make()
    ticker.drain = lambda: 3
    dead_letters.record(
        world.db, message_id="m", stage="fetch", origin="nack", reason="", traceback=None, body="", now=0.0
    )
    found = ticker.tick()
    assert (found.dead_letters, found.forgotten) == (3, 1)


def test_the_loop_survives_a_server_that_is_away_and_stops_when_told(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticker = make()
    stop = threading.Event()
    results: list[Any] = [Unavailable("the bus"), TickReport(due=500), TickReport(broken=1), TickReport()]
    waits = []
    told: list[bool] = []
    ticker.alerts = SimpleNamespace(step=lambda *, failed: told.append(failed))

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
    assert told == [True, False, True, False]
    assert waits == [5, 0.0, 5, 5], "a full batch is followed by the next at once"
    assert gathered == [0, 1, 2, 3], "after each, whether or not it succeeded"
