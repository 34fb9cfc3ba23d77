"""The operator's alerts: grouped, rate-limited, and never in the way of the tick."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from overheard.channels import Transport
from overheard.channels.preview import MessagePreview
from overheard.config import AlertsSettings, Config
from overheard.db import budgets, canaries, heartbeats, incidents, source_health
from overheard.db.database import Db
from overheard.db.models import Budget
from overheard.errors import InvalidInput, PermanentError, RetryableError, Unavailable
from overheard.notices import Notice
from overheard.observability.metrics import ProcessMetrics
from overheard.operations.operator_alert import alert_channel, alert_error, compose
from overheard.sources.reddit.names import client_key
from producers.alerts import FAILING_TICKS, OperatorAlerts
from tests.fixtures import Clock, reddit_with

Metric = Callable[..., float]


class Operator:
    """The operator's channel. If ``failure`` is set, ``send`` raises it."""

    kind = "test"

    def __init__(self) -> None:
        self.got: list[Notice] = []
        self.failure: Exception | None = None
        self.during: Callable[[], object] = lambda: None

    def preview(self, notice: Notice) -> MessagePreview:
        raise NotImplementedError

    def send(self, notice: Notice) -> None:
        self.during()
        if self.failure is not None:
            raise self.failure.with_traceback(None)
        self.got.append(notice)

    def sent(self) -> list[list[tuple[str, int]]]:
        return [[(each.kind, each.count) for each in notice.alert.incidents] for notice in self.got if notice.alert]


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def make(db: Db, clock: Clock, metrics: ProcessMetrics, operator: Operator) -> Callable[..., OperatorAlerts]:
    def alerts(open_transport: Callable[[], Transport] | None = lambda: operator, **more: Any) -> OperatorAlerts:
        more.setdefault("start", lambda work: work())
        more.setdefault("config", Config())
        return OperatorAlerts(db=db, clock=clock, open_transport=open_transport, metrics=metrics, **more)

    return alerts


@pytest.fixture
def next_slot(db: Db) -> Callable[[], object]:
    """Return a function that moves the rate limit's last slot into the past."""
    return lambda: Budget.update(tat=db.now - 1).execute(db.peewee)


def test_incidents_are_sent_in_one_alert(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator, metric: Metric
) -> None:
    alerts = make()
    alerts.step()
    assert operator.sent() == []
    for stage in ("fetch", "store", "fetch"):
        incidents.record(db, "dead letter", stage, clock())
    incidents.record(db, "channel disabled", "acme/team", clock())
    alerts.step()
    assert operator.sent() == [[("channel disabled", 1), ("dead letter", 3)]]
    assert incidents.unreported(db) == []
    alerts.step()
    assert len(operator.got) == 1
    assert metric("alerts_total", outcome="sent") == 1


def test_the_next_alert_waits_for_its_slot(
    make: Callable[..., OperatorAlerts],
    db: Db,
    clock: Clock,
    operator: Operator,
    metric: Metric,
    next_slot: Callable[[], object],
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
    assert operator.sent()[1:] == [[("dead letter", 3)]]


def test_a_channel_that_is_down_loses_nothing_and_makes_no_incident(
    make: Callable[..., OperatorAlerts],
    db: Db,
    clock: Clock,
    operator: Operator,
    metric: Metric,
    next_slot: Callable[[], object],
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
    assert operator.sent() == [[("dead letter", 1)]]


def test_an_incident_during_a_send_is_in_the_next_alert(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator, next_slot: Callable[[], object]
) -> None:
    incidents.record(db, "dead letter", "fetch", clock())
    operator.during = lambda: incidents.record(db, "dead letter", "fetch", clock())
    make().step()
    operator.during = lambda: None
    next_slot()
    make().step()
    assert operator.sent() == [[("dead letter", 1)], [("dead letter", 1)]]


def test_no_tick_waits_for_a_receiver_that_hangs(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator, next_slot: Callable[[], object]
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
    alerts.step()  # neither waits nor sends a second alert meanwhile
    answered.set()
    assert finished.wait(30)
    assert len(operator.got) == 1


def test_the_sending_thread_leaves_no_connection(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator
) -> None:
    closed: list[bool] = []

    def start(work: Callable[[], None]) -> None:
        thread = threading.Thread(target=lambda: (work(), closed.append(db.peewee.is_closed())))
        thread.start()
        thread.join()

    incidents.record(db, "dead letter", "fetch", clock())
    make(start=start).step()
    assert len(operator.got) == 1
    assert closed == [True]


def test_without_a_channel_old_incidents_are_deleted(make: Callable[..., OperatorAlerts], db: Db, clock: Clock) -> None:
    alerts = make(open_transport=None)
    incidents.record(db, "dead letter", "fetch", clock())
    alerts.step()
    assert len(incidents.unreported(db)) == 1, "alerts turned on now report it"
    clock.advance(86_401)
    alerts.step()
    assert incidents.unreported(db) == []


def test_a_late_canary_is_reported_once_per_outage(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator, next_slot: Callable[[], object]
) -> None:
    canaries.ensure(db, 300, clock(), lambda text, zone: clock() + 300)
    for _ in range(3):
        make().step()
        clock.advance(600)
        next_slot()
    assert operator.sent() == [[("canary late", 1)]]
    heartbeats.record(db, canaries.BEAT, clock())
    for _ in range(3):
        make().step()
        clock.advance(600)
        next_slot()
    assert operator.sent() == [[("canary late", 1)]] * 2


def test_an_outage_of_reddit_is_reported_once(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator, next_slot: Callable[[], object]
) -> None:
    def outage(minutes: int) -> None:
        for _ in range(minutes):
            source_health.record_failure(db, "reddit", "Reddit answers 403 (new) with a web page", clock(), clock())
            make().step()
            next_slot()
            clock.advance(60)

    outage(11)
    assert operator.sent() == [], "it may be short"
    outage(30)
    assert operator.sent() == [[("reddit away", 1)]]
    assert operator.got[0].alert is not None
    assert operator.got[0].alert.incidents[0].where == ("Reddit answers 403 (new) with a web page",)
    source_health.record_read(db, "reddit", clock())
    outage(5)
    source_health.record_read(db, "reddit", clock())
    outage(12)
    assert operator.sent() == [[("reddit away", 1)]] * 2


def test_a_refused_login_is_reported_apart_from_an_outage(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator, next_slot: Callable[[], object]
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
    assert operator.sent() == [], "it may be short"
    failing(30, revoked=True)
    assert operator.sent() == [[("reddit login refused", 1)]]
    assert operator.got[0].alert is not None
    assert "https://www.reddit.com/prefs/apps" in operator.got[0].alert.incidents[0].do
    failing(5, revoked=False)
    assert operator.sent() == [[("reddit login refused", 1)], [("reddit away", 1)]], "which is another thing"


def test_each_refused_client_is_reported_once_and_sources_apart(
    make: Callable[..., OperatorAlerts], db: Db, clock: Clock, operator: Operator, next_slot: Callable[[], object]
) -> None:
    config = reddit_with("a", "b", "c")
    for _ in range(30):
        for client in "ab":
            source_health.record_failure(db, client_key(client), "401", clock(), clock() + 3600, revoked=True)
        source_health.record_read(db, client_key("c"), clock())
        source_health.record_failure(db, "hackernews", "it answers with HTTP 503", clock(), clock())
        make(config=config).step()
        next_slot()
        clock.advance(60)
    assert operator.sent() == [[("reddit client refused", 2), ("source away", 1)]]
    assert operator.got[0].alert is not None
    refused, away = operator.got[0].alert.incidents
    assert refused.where == ("client 1 of 3", "client 2 of 3")
    assert away.where == ("hackernews: it answers with HTTP 503",)


def test_a_tick_that_keeps_failing_is_reported_once(
    make: Callable[..., OperatorAlerts], operator: Operator, next_slot: Callable[[], object]
) -> None:
    alerts = make()
    for failed in [True] * (FAILING_TICKS - 1) + [False] + [True] * (FAILING_TICKS + 5):
        alerts.step(failed=failed)
        next_slot()
    assert operator.sent() == [[("tick failing", 1)]]


def test_a_database_that_is_away_fails_nothing(
    make: Callable[..., OperatorAlerts], monkeypatch: pytest.MonkeyPatch
) -> None:
    for failure in (Unavailable("away"), RuntimeError("a fault of ours")):

        def fail(db: Db, failure: Exception = failure) -> None:
            raise failure

        monkeypatch.setattr(incidents, "unreported", fail)
        make().step()


def test_a_failure_before_sending_silences_no_later_alert(
    make: Callable[..., OperatorAlerts],
    db: Db,
    clock: Clock,
    operator: Operator,
    monkeypatch: pytest.MonkeyPatch,
    next_slot: Callable[[], object],
) -> None:
    """The database fails while the slot is claimed, or no thread can be started."""
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
    assert (operator.sent(), starts) == ([], [])
    next_slot()
    alerts.step()
    assert operator.sent() == [[("dead letter", 1)]]


def test_the_alert_channel_is_validated() -> None:
    def config(**rules: Any) -> Config:
        return Config.model_validate({"alerts": AlertsSettings.model_validate(rules)})

    with pytest.raises(InvalidInput) as error:
        alert_channel(config(url="http://127.0.0.1/hunter2", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    assert "[alerts] allow_private" in alert_error(error.value)
    assert "hunter2" not in alert_error(error.value)
    allowed = config(url="http://127.0.0.1/x", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", allow_private=True)
    assert alert_channel(allowed).kind == "webhook"
    assert alert_channel(config(url="null://")).kind == "null"


def test_every_kind_of_incident_has_an_instruction() -> None:
    from typing import get_args

    kinds = get_args(incidents.IncidentKind)
    notice = compose([incidents.IncidentCount(kind, "x", 1, 0.0) for kind in kinds])
    assert notice.alert is not None
    assert sorted(kinds) == [each.kind for each in notice.alert.incidents]
    assert all(each.do for each in notice.alert.incidents)
