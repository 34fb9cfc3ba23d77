"""The operator's alerts: together, not often, never in the way of the work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from overheard.channels import Channel
from overheard.config import AlertsSettings, Config
from overheard.db import budgets, canaries, heartbeats, incidents, source_health
from overheard.db.database import Db
from overheard.db.models import Budget
from overheard.errors import InvalidInput, PermanentError, RetryableError, Unavailable
from overheard.notices import Notice
from overheard.operations.operator_alert import alert_channel, alert_error, compose
from producers.alerts import FAILING_TICKS, OperatorAlerts

Metric = Callable[..., float]


class Operator:
    """The operator's channel. ``failure`` is raised instead of taking what comes."""

    kind = "test"

    def __init__(self) -> None:
        self.got: list[Notice] = []
        self.failure: Exception | None = None
        self.during: Callable[[], object] = lambda: None

    def send(self, notice: Notice) -> None:
        self.during()
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        self.got.append(notice)

    def told(self) -> list[list[tuple[str, int]]]:
        return [[(each.kind, each.count) for each in notice.alert.incidents] for notice in self.got if notice.alert]


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def make(db: Db, clock: Any, metrics: Any, operator: Operator) -> Callable[..., OperatorAlerts]:
    def alerts(open: Callable[[], Channel] | None = lambda: operator, **more: Any) -> OperatorAlerts:
        more.setdefault("start", lambda work: work())
        return OperatorAlerts(db=db, clock=clock, every=300, open=open, metrics=metrics, **more)

    return alerts


@pytest.fixture
def next_slot(db: Db) -> Callable[[], object]:
    """Let the database's clock be past the slot that was taken."""
    return lambda: Budget.update(tat=db.now - 1).execute(db.peewee)


def test_what_happened_is_told_together(make: Any, db: Db, clock: Any, operator: Operator, metric: Metric) -> None:
    alerts = make()
    alerts.step()
    assert operator.told() == []
    for stage in ("fetch", "store", "fetch"):
        incidents.record(db, "dead letter", stage, clock())
    incidents.record(db, "channel disabled", "acme/team", clock())
    alerts.step()
    assert operator.told() == [[("channel disabled", 1), ("dead letter", 3)]]
    assert incidents.unreported(db) == []
    alerts.step()
    assert len(operator.got) == 1
    assert metric("alerts_total", outcome="sent") == 1


def test_the_next_waits_for_its_time(
    make: Any, db: Db, clock: Any, operator: Operator, metric: Metric, next_slot: Any
) -> None:
    one, two = make(), make()
    incidents.record(db, "dead letter", "fetch", clock())
    one.step()
    for _ in range(3):
        incidents.record(db, "dead letter", "store", clock())
        one.step()
        one.step()
        two.step()
    assert len(operator.got) == 1
    assert metric("alerts_total", outcome="held back") >= 3
    next_slot()
    two.step()
    assert operator.told()[1:] == [[("dead letter", 3)]]


def test_a_channel_that_is_down_loses_nothing_and_makes_no_incident(
    make: Any, db: Db, clock: Any, operator: Operator, metric: Metric, next_slot: Any
) -> None:
    failures = [RetryableError("down"), PermanentError("refused"), InvalidInput("url: wrong"), ValueError("ours")]
    incidents.record(db, "dead letter", "fetch", clock())
    before = incidents.unreported(db)
    for number, operator.failure in enumerate(failures, start=1):
        make().step()
        make().step()
        assert metric("alerts_total", outcome="failed") == number, "one try each time"
        assert incidents.unreported(db) == before
        next_slot()
    operator.failure = None
    make().step()
    assert operator.told() == [[("dead letter", 1)]]


def test_what_happens_while_it_is_sent_is_told_next(
    make: Any, db: Db, clock: Any, operator: Operator, next_slot: Any
) -> None:
    incidents.record(db, "dead letter", "fetch", clock())
    operator.during = lambda: incidents.record(db, "dead letter", "fetch", clock())
    make().step()
    operator.during = lambda: None
    next_slot()
    make().step()
    assert operator.told() == [[("dead letter", 1)], [("dead letter", 1)]]


def test_no_tick_waits_for_a_receiver_that_hangs(
    make: Any, db: Db, clock: Any, operator: Operator, next_slot: Any
) -> None:
    asked, answered, finished = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        assert answered.wait(30)

    def start(work: Callable[[], None]) -> None:
        def run() -> None:
            work()
            db.release()
            finished.set()

        threading.Thread(target=run).start()

    operator.during = hang
    alerts = make(start=start)
    incidents.record(db, "dead letter", "fetch", clock())
    alerts.step()
    assert asked.wait(30)
    next_slot()
    alerts.step()  # neither waits nor sends a second one beside it
    answered.set()
    assert finished.wait(30)
    assert len(operator.got) == 1


def test_the_thread_that_tells_leaves_no_connection_behind(make: Any, db: Db, clock: Any, operator: Operator) -> None:
    closed: list[bool] = []

    def start(work: Callable[[], None]) -> None:
        thread = threading.Thread(target=lambda: (work(), closed.append(db.peewee.is_closed())))
        thread.start()
        thread.join()

    incidents.record(db, "dead letter", "fetch", clock())
    make(start=start).step()
    assert len(operator.got) == 1
    assert closed == [True]


def test_with_nobody_to_tell_old_ones_are_forgotten(make: Any, db: Db, clock: Any) -> None:
    alerts = make(open=None)
    incidents.record(db, "dead letter", "fetch", clock())
    alerts.step()
    assert len(incidents.unreported(db)) == 1, "who turns alerts on now is told"
    clock.advance(86_401)
    alerts.step()
    assert incidents.unreported(db) == []


def test_a_late_canary_is_told_once_a_silence(
    make: Any, db: Db, clock: Any, operator: Operator, next_slot: Any
) -> None:
    canaries.ensure(db, 300, clock(), lambda text, zone: clock() + 300)
    for _ in range(3):
        make().step()
        clock.advance(600)
        next_slot()
    assert operator.told() == [[("canary late", 1)]]
    heartbeats.record(db, canaries.BEAT, clock())
    for _ in range(3):
        make().step()
        clock.advance(600)
        next_slot()
    assert operator.told() == [[("canary late", 1)]] * 2


def test_that_reddit_is_away_is_told_once_an_outage(
    make: Any, db: Db, clock: Any, operator: Operator, next_slot: Any
) -> None:
    def outage(minutes: int) -> None:
        for _ in range(minutes):
            source_health.record_failure(db, "reddit", "Reddit answers 403 (new) with a web page", clock(), clock())
            make().step()
            next_slot()
            clock.advance(60)

    outage(11)
    assert operator.told() == [], "it may pass by"
    outage(30)
    assert operator.told() == [[("reddit away", 1)]]
    assert operator.got[0].alert is not None
    assert operator.got[0].alert.incidents[0].where == ("Reddit answers 403 (new) with a web page",)
    source_health.record_read(db, "reddit", clock())
    outage(5)
    source_health.record_read(db, "reddit", clock())
    outage(12)
    assert operator.told() == [[("reddit away", 1)]] * 2


def test_a_refused_login_is_told_as_such_and_beside_an_outage(
    make: Any, db: Db, clock: Any, operator: Operator, next_slot: Any
) -> None:
    def failing(minutes: int, *, revoked: bool) -> None:
        for _ in range(minutes):
            source_health.record_failure(
                db, "reddit", "Reddit refuses the login (401)", clock(), clock() + 300, revoked=revoked
            )
            make().step()
            next_slot()
            clock.advance(60)

    failing(11, revoked=True)
    assert operator.told() == [], "it may pass by"
    failing(30, revoked=True)
    assert operator.told() == [[("reddit login refused", 1)]]
    assert operator.got[0].alert is not None
    assert "https://www.reddit.com/prefs/apps" in operator.got[0].alert.incidents[0].do
    failing(5, revoked=False)
    assert operator.told() == [[("reddit login refused", 1)], [("reddit away", 1)]], "which is another thing"


def test_a_tick_that_fails_again_and_again_is_told_once(make: Any, operator: Operator, next_slot: Any) -> None:
    alerts = make()
    for failed in [True] * (FAILING_TICKS - 1) + [False] + [True] * (FAILING_TICKS + 5):
        alerts.step(failed=failed)
        next_slot()
    assert operator.told() == [[("tick failing", 1)]]


def test_a_database_that_is_away_fails_nothing(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for failure in (Unavailable("away"), RuntimeError("a fault of ours")):

        def fail(db: Db, failure: Exception = failure) -> None:
            raise failure

        monkeypatch.setattr(incidents, "unreported", fail)
        make().step()


def test_a_fault_before_it_is_sent_silences_no_later_one(
    make: Any, db: Db, clock: Any, operator: Operator, monkeypatch: pytest.MonkeyPatch, next_slot: Any
) -> None:
    """The database is locked for a moment as the slot is taken; the machine has no thread to spare."""
    starts: list[Exception] = [Unavailable("locked"), RuntimeError("can't start new thread")]

    def start(work: Callable[[], None]) -> None:
        if len(starts) == 1:
            raise starts.pop()
        work()

    alerts = make(start=start)
    incidents.record(db, "dead letter", "fetch", clock())
    with monkeypatch.context() as patched:

        def locked(*_: object) -> bool:
            raise starts.pop(0)

        patched.setattr(budgets, "claim_slot", locked)
        alerts.step()
    alerts.step()
    assert (operator.told(), starts) == ([], [])
    next_slot()
    alerts.step()
    assert operator.told() == [[("dead letter", 1)]]


def test_the_channel_has_rules_of_its_own() -> None:
    def config(**rules: Any) -> Config:
        return Config.model_validate({"alerts": AlertsSettings.model_validate(rules)})

    with pytest.raises(InvalidInput) as error:
        alert_channel(config(url="http://127.0.0.1/hunter2", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    assert "[alerts] allow_private" in alert_error(error.value)
    assert "hunter2" not in alert_error(error.value)
    allowed = config(url="http://127.0.0.1/x", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", allow_private=True)
    assert alert_channel(allowed).kind == "webhook"
    assert alert_channel(config(url="null://")).kind == "null"


def test_every_kind_says_what_to_do() -> None:
    from typing import get_args

    kinds = get_args(incidents.IncidentKind)
    notice = compose([incidents.IncidentCount(kind, "x", 1, 0.0) for kind in kinds])
    assert notice.alert is not None
    assert sorted(kinds) == [each.kind for each in notice.alert.incidents]
    assert all(each.do for each in notice.alert.incidents)
