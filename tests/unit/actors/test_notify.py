"""notify: claim, send, mark; a failing channel costs one thread and one message at a time (I4, I6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, cast

import pytest

from actors.notify.attempts import FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS, backoff
from actors.notify.notifier import WAKE_MARGIN_SECONDS, Notifier
from overheard import canary
from overheard.channels import Pace
from overheard.channels.preview import MessagePreview
from overheard.config import NotifySettings
from overheard.db import canaries, channels, deliveries, delivery_backlog, digests, storing, workspaces
from overheard.db.database import Db
from overheard.db.models import Channel, Delivery, FailedTry, StoredItem
from overheard.errors import (
    BudgetExhausted,
    ChannelGone,
    DeliveryRefused,
    InvalidInput,
    PartlyRefused,
    PermanentError,
    RetryableError,
)
from overheard.messages import ItemsMatched, MatchedItem, NotifyChannel, PollPart, WorkspaceMatch
from overheard.notices import Notice
from overheard.observability.metrics import ProcessMetrics
from overheard.outcomes import Later
from overheard.permits import Slot
from overheard.sources import ReadRequest
from overheard.sources.canary import CanarySource
from tests.fixtures import Clock, Metric, Sent, World

DAY = 86_400.0


class Receiver:
    """A channel in memory, and the opener of all channels. ``answers``: one for each attempt, None for success."""

    kind = "memory"
    pace: Pace | None = None

    def __init__(self) -> None:
        self.answers: list[Exception | None] = []
        self.always: Exception | None = None
        self.tried: list[str] = []
        self.got: list[Notice] = []
        self.before: Callable[[], None] = lambda: None
        self.broken: Exception | None = None

    def open(self, row: Any) -> Receiver:
        if self.broken is not None:
            raise self.broken
        return self

    def preview(self, notice: Notice) -> MessagePreview:
        raise NotImplementedError

    def send(self, notice: Notice) -> None:
        self.before()
        self.tried.append(notice.id)
        answer = self.answers.pop(0) if self.answers else self.always
        if answer is not None:
            raise answer.with_traceback(None)  # one object is raised again and again
        self.got.append(notice)


class Turns:
    """The channel's budget, with ``left`` tokens."""

    def __init__(self, left: int = 10_000, slot: float | None = 1000.0) -> None:
        self.left = left
        self.slot = slot

    def acquire(self) -> None:
        if self.left == 0:
            raise BudgetExhausted("channel:1", delay=40.0, slot=self.slot)
        self.left -= 1


@pytest.fixture
def db(sqlite_db: Db) -> Db:
    return sqlite_db


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def rules() -> NotifySettings:
    return NotifySettings(batch=4, give_up_after=5 * DAY)


@pytest.fixture
def notifier(
    db: Db, sent: Sent, receiver: Receiver, clock: Clock, rules: NotifySettings, metrics: ProcessMetrics
) -> Notifier:
    return Notifier(db=db, send=sent, open_transport=receiver.open, clock=clock, rules=rules, metrics=metrics)


@pytest.fixture
def notify(notifier: Notifier, sent: Sent) -> Callable[..., list[Any]]:
    """Handle a channel or a message; return (message, delay) of everything sent or rescheduled."""

    def run(what: int | NotifyChannel, turns: Any = None) -> list[Any]:
        message = NotifyChannel(channel_id=what) if isinstance(what, int) else what
        later = notifier.notify(message, turns or Turns())
        delays = list(sent.delays)
        back = [(later.message or message, later.delay)] if isinstance(later, Later) else []
        return [*zip(sent.take(), delays, strict=True), *back]

    return run


@pytest.fixture
def told(world: World, db: Db, clock: Clock) -> Callable[[int], int]:
    """Make a workspace with ``count`` mentions to send; return its channel."""

    def make(count: int) -> int:
        acme = world.workspace()
        for number in range(count):
            storing.store(db, world.matched((world.item(number + 1), (acme,)), poll=str(number)), clock.advance(1))
        return int(world.channel(acme))

    return make


def states(db: Db) -> list[str]:
    rows = Delivery.select(Delivery.state).order_by(Delivery.created_at).tuples().execute(db.peewee)
    return [state for (state,) in rows]


def test_deliveries_are_sent_once_oldest_first(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    metric: Metric,
) -> None:
    channel = told(3)
    clock.advance(10)
    assert notify(channel) == []
    assert [notice.mentions[0].item for notice in receiver.got] == ["t3_1", "t3_2", "t3_3"]
    assert states(db) == ["sent"] * 3
    assert notify(channel) == []
    assert len(receiver.tried) == 3
    assert metric("deliveries_total", channel_kind="memory", outcome="sent") == 3
    assert metric("item_to_delivered_seconds_count") == 3


def test_more_than_a_batch_requests_another_round(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver
) -> None:
    channel = told(6)
    assert notify(channel) == [(NotifyChannel(channel_id=channel), None)]
    assert len(receiver.got) == 4
    assert notify(channel) == []
    assert len(receiver.got) == 6


def test_a_delivery_stored_during_a_round_is_left_to_the_next_round(
    world: World, told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, db: Db, clock: Clock
) -> None:
    """The delivery's own message finds the channel claimed, and has nothing to do."""
    channel = told(1)
    inner: list[Any] = []

    def meanwhile() -> None:
        receiver.before = lambda: None
        storing.store(db, world.matched((world.item(50), (1,)), poll="meanwhile"), clock())
        inner.append(deliveries.claim(db, channel, now=clock(), limit=9, lease=60).deliveries)

    receiver.before = meanwhile
    assert notify(channel) == [(NotifyChannel(channel_id=channel), None)]
    assert inner == [[]]
    notify(channel)
    assert len(receiver.got) == 2


def test_a_slow_round_extends_its_claim(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    rules: NotifySettings,
) -> None:
    """A lease covers killed processes: a running round keeps its deliveries, however slow the receiver is."""
    channel = told(4)
    stolen: list[Any] = []

    def slow() -> None:
        clock.advance(rules.timeout)
        stolen.append(deliveries.claim(db, channel, now=clock(), limit=9, lease=60).deliveries)

    receiver.before = slow
    assert 4 * rules.timeout > rules.lease
    assert notify(channel) == []
    assert stolen == [[]] * 4
    assert len(receiver.got) == 4
    assert states(db) == ["sent"] * 4


def test_a_round_whose_lease_expired_ends(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    rules: NotifySettings,
) -> None:
    """After a machine stood still, another round has taken over the rest and sends it."""
    channel = told(3)
    others: list[Any] = []

    def stand_still() -> None:
        clock.advance(rules.lease + 1)
        others.extend(deliveries.claim(db, channel, now=clock(), limit=9, lease=60).deliveries)

    receiver.before = stand_still
    assert notify(channel) == []
    assert len(others) == 3
    assert len(receiver.got) == 1
    assert states(db) == ["sent", "pending", "pending"]
    assert deliveries.claim(db, channel, now=clock() + 60, limit=9, lease=60).deliveries == [], (
        "the other round's claim holds"
    )


def test_an_attempt_that_fails_after_its_lease_does_not_touch_the_new_claim(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    rules: NotifySettings,
) -> None:
    channel = told(3)
    until = 0.0

    def stand_still() -> None:
        nonlocal until
        until = clock.advance(rules.lease + 1) + 60
        assert len(deliveries.claim(db, channel, now=clock(), limit=9, lease=60).deliveries) == 3

    receiver.before = stand_still
    receiver.answers = [RetryableError("timed out")]
    notify(channel)
    rows = Delivery.select(Delivery.state, Delivery.lease_until).tuples().execute(db.peewee)
    assert list(rows) == [("pending", until)] * 3


@pytest.mark.parametrize("given", [None, 17.0])
def test_a_passing_fault_is_tried_again_later_with_the_same_id(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    metric: Metric,
    given: float | None,
) -> None:
    channel = told(1)
    receiver.answers = [RetryableError("503", delay=given)]
    [(message, delay)] = notify(channel)
    assert message == NotifyChannel(channel_id=channel)
    assert delay == pytest.approx(given or FIRST_RETRY_SECONDS, rel=0.21)
    row = channels.get(db, channel)
    assert row is not None
    assert (row.failing_since, row.reason) == (clock(), "503")
    clock.advance(delay - 0.1)
    assert notify(channel) == []
    assert len(receiver.tried) == 1
    clock.advance(0.2)
    assert notify(channel) == []
    assert len(set(receiver.tried)) == 1
    assert len(receiver.got) == 1
    row = channels.get(db, channel)
    assert row is not None
    assert row.failing_since is None
    assert metric("deliveries_total", channel_kind="memory", outcome="retried") == 1


def test_one_failure_ends_the_round_and_pauses_the_channel(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    channel = told(4)
    prompt = NotifyChannel(channel_id=channel)
    receiver.answers = [None, RetryableError("503")]
    [(message, pause)] = notify(channel)
    assert (message, pause) == (prompt, pytest.approx(FIRST_RETRY_SECONDS, rel=0.21))
    assert len(receiver.tried) == 2
    attempts = [row.attempts for row in Delivery.select().order_by(Delivery.created_at).execute(db.peewee)]
    assert attempts == [1, 1, 0, 0], "a released delivery has lost no attempt"
    clock.advance(pause - 0.1)
    assert notify(channel) == []
    assert len(receiver.tried) == 2, "too early"
    clock.advance(0.2)
    assert notify(channel) == [(prompt, None)]
    assert len(receiver.tried) == 3, "one probe"
    assert notify(channel) == []
    assert [notice.mentions[0].item for notice in receiver.got] == ["t3_1", "t3_3", "t3_4", "t3_2"]
    assert states(db) == ["sent"] * 4


def test_a_failing_channel_is_attempted_half_as_often_each_time_and_recovers_at_once(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    channel = told(40)
    receiver.always = RetryableError("timed out")
    pauses = []
    for number in range(1, 7):
        [(_, pause)] = notify(channel)
        assert len(set(receiver.tried)) == number, "one at a time, a different one each time"
        pauses.append(pause / FIRST_RETRY_SECONDS)
        clock.advance(pause)
    assert pauses == [pytest.approx(2**number, rel=0.21) for number in range(6)]
    receiver.always = None
    while notify(channel):
        pass
    assert states(db) == ["sent"] * 40
    row = channels.get(db, channel)
    assert row is not None
    assert (row.failures, row.not_before, row.failing_since) == (0, 0, None)


def test_a_receiver_gets_one_request_per_retry_after_period(
    world: World, told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    """Whatever becomes due, is stored, swept or resumed meanwhile, and whatever each delivery's own attempts were."""
    channel, began = told(50), clock()
    receiver.always = RetryableError("429", delay=20)
    for second in range(60):
        notify(channel)
        notify(NotifyChannel(channel_id=channel, lease=clock() + 5))
        storing.store(db, world.matched((world.item(100 + second), (1,)), poll=f"more {second}"), clock.advance(1))
    assert clock() - began == 60
    assert len(receiver.tried) == 3


def test_a_round_that_returns_to_a_paused_channel_releases_its_claim(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    channel = told(2)
    [(resume, delay)] = notify(channel, Turns(0))
    assert delay == 40
    channels.postpone(db, channel, clock() + 100)
    clock.advance(40)
    assert notify(resume) == []
    assert receiver.tried == []
    rows = Delivery.select(Delivery.attempts, Delivery.lease_until).tuples().execute(db.peewee)
    assert list(rows) == [(0, 0)] * 2


def test_a_refused_delivery_delays_no_other(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    channel = told(4)
    receiver.answers = [None, DeliveryRefused("400")]
    [(_, pause)] = notify(channel)
    assert states(db) == ["sent", "pending", "sent", "sent"]
    assert pause == pytest.approx(FIRST_RETRY_SECONDS, rel=0.21), "its own next attempt is requested"
    clock.advance(pause)
    receiver.answers = [DeliveryRefused("400")]
    [(_, pause)] = notify(channel)
    assert pause == pytest.approx(2 * FIRST_RETRY_SECONDS, rel=0.21)
    row = channels.get(db, channel)
    assert row is not None
    assert row.not_before <= clock(), "a second refusal of one delivery says nothing about the channel"


def test_a_channel_of_which_some_recipients_refuse_works_and_the_delivery_is_tried_again(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    channel = told(3)
    receiver.always = PartlyRefused("2 of 3 recipients have it")
    [(_, pause)] = notify(channel)
    assert len(receiver.tried) == 3, "the others do not wait"
    assert pause == pytest.approx(FIRST_RETRY_SECONDS, rel=0.21)
    row = channels.get(db, channel)
    assert row is not None
    assert (row.failing_since, row.failures, row.not_before) == (None, 0, 0.0)
    receiver.always = None
    clock.advance(2 * FIRST_RETRY_SECONDS)
    notify(channel)
    assert states(db) == ["sent"] * 3


def test_a_receiver_that_refuses_everything_is_attempted_ever_less_often(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock
) -> None:
    """Its token has expired, say: otherwise it would get as many requests as its budget allows, for days."""
    channel, began = told(200), clock()
    receiver.always = DeliveryRefused("401")
    while clock() - began < 3600:
        notify(channel)
        clock.advance(1)
    assert len(receiver.tried) <= 15


def test_many_refused_deliveries_delay_no_deliverable_one(
    world: World, told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    """More of them become due in an hour than rounds that end with one of them can attempt."""
    channel = told(200)
    bad = {delivery_id for (delivery_id,) in world.rows(Delivery, "id")}
    Delivery.update(attempts=20).execute(db.peewee)
    send = receiver.send

    def picky(notice: Notice) -> None:
        receiver.answers = [DeliveryRefused("400")] if notice.id in bad else [None]
        send(notice)

    receiver.send = picky  # type: ignore[method-assign]
    for number in range(3):
        storing.store(db, world.matched((world.item(500 + number), (1,)), poll=f"good {number}"), clock())
    notify(channel)
    assert [notice.mentions[0].item for notice in receiver.got] == [world.item(500 + n).id for n in range(3)]
    assert len(receiver.tried) == 4, "and one of the refused ones gets its attempt"
    clock.advance(FIRST_RETRY_SECONDS)
    storing.store(db, world.matched((world.item(600), (1,)), poll="shaky"), clock())
    receiver.send = send  # type: ignore[method-assign]
    receiver.answers = [RetryableError("503")]
    notify(channel)
    receiver.send = picky  # type: ignore[method-assign]
    clock.advance(FIRST_RETRY_SECONDS * 1.2)
    notify(channel)
    assert receiver.got[-1].mentions[0].item == world.item(600).id, "one attempt counts less than twenty"


def test_a_dead_receiver_has_one_message_in_flight_however_many_deliveries_wait(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock
) -> None:
    channel = told(40)
    receiver.always = RetryableError("timed out")
    for tried in range(6):
        [(message, delay)] = notify(channel)
        assert len(receiver.tried) == tried + 1
        for _ in range(3):  # from the sweep, and from what is stored meanwhile
            assert notify(channel) == []
        clock.advance(delay)
        assert message == NotifyChannel(channel_id=channel)
    assert len(set(receiver.tried)) == 6


def test_a_long_wait_is_left_to_the_sweep(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    channel = told(1)
    receiver.answers = [RetryableError("Retry-After: 3600", delay=3600)]
    assert notify(channel) == []
    assert list(delivery_backlog.channels_to_prompt(db, clock() + 3599, 60, 5)) == []
    assert list(delivery_backlog.channels_to_prompt(db, clock() + 3600, 60, 5)) == [channel]


def test_an_undeliverable_delivery_fails_alone(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, db: Db, metric: Metric
) -> None:
    channel = told(3)
    receiver.answers = [None, PermanentError("400: too long"), None]
    assert notify(channel) == []
    assert states(db) == ["sent", "failed", "sent"]
    assert metric("deliveries_total", channel_kind="memory", outcome="failed") == 1
    row = channels.get(db, channel)
    assert row is not None
    assert (row.failing_since, row.reason) == (None, None), "it accepted the next one: it is healthy"


def test_a_failure_of_long_ago_does_not_disable_the_channel(
    world: World, told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    """One was given up and the next one accepted; a week later a single failure is a first failure."""
    channel = told(2)
    receiver.answers = [PermanentError("400"), None]
    notify(channel)
    clock.advance(7 * DAY)
    storing.store(db, world.matched((world.item(70), (1,)), poll="later"), clock())
    receiver.answers = [RetryableError("503")]
    notify(channel)
    row = channels.get(db, channel)
    assert row is not None
    assert (row.disabled_at, row.failing_since) == (None, clock())


def test_a_channel_is_disabled_when_its_receiver_is_gone(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    metric: Metric,
) -> None:
    channel = told(3)
    receiver.answers = [None, ChannelGone("410: gone")]
    assert notify(channel) == []
    row = channels.get(db, channel)
    assert row is not None
    assert (row.disabled_at, row.reason) == (clock(), "410: gone")
    assert states(db) == ["sent", "held", "held"]
    attempts = Delivery.select(Delivery.attempts).order_by(Delivery.created_at).tuples().execute(db.peewee)
    assert list(attempts) == [(1,), (1,), (0,)], "what was not tried may be folded when the channel is enabled"
    assert notify(channel) == []
    assert len(receiver.tried) == 2
    assert metric("deliveries_total", channel_kind="memory", outcome="disabled") == 1


def test_a_channel_is_disabled_after_five_days_of_failures_only(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    channel = told(1)
    receiver.always = RetryableError("refused")
    began = clock()
    while True:
        notify(channel)
        row = channels.get(db, channel)
        assert row is not None
        if row.disabled_at is not None:
            break
        clock.advance(LONGEST_RETRY_SECONDS * 1.2)
    assert 5 * DAY <= row.disabled_at - began <= 5 * DAY + 2 * LONGEST_RETRY_SECONDS
    assert row.reason == "nothing could be delivered for 5 days: refused"
    assert states(db) == ["held"]


def test_a_delivery_that_always_fails_is_given_up_while_others_succeed(
    world: World,
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    metric: Metric,
) -> None:
    """Each success shows that the channel is healthy: the one that it cannot take never disables it."""
    channel, began = told(1), clock()
    bad = world.rows(Delivery, "id")[0][0]
    receiver.answers = [RetryableError("500: always the same")]
    notify(channel)
    number = 100
    while world.row(Delivery, bad).state == "pending":
        clock.advance(LONGEST_RETRY_SECONDS * 1.2)
        number += 1
        storing.store(db, world.matched((world.item(number), (1,)), poll=str(number)), clock())
        receiver.answers = [None, RetryableError("500: always the same")]
        notify(channel)
        assert clock() - began < 6 * DAY
    row = world.row(Delivery, bad)
    assert (row.state, row.error) == ("failed", "500: always the same")
    assert clock() - began >= 5 * DAY
    assert metric("deliveries_total", channel_kind="memory", outcome="failed") == 1
    assert len(receiver.got) == number - 100
    state = channels.get(db, channel)
    assert state is not None
    assert state.disabled_at is None


def test_a_delivery_that_waited_for_days_is_not_given_up_at_its_first_failure(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    """The machine was switched off, and the receiver is not up yet."""
    channel = told(2)
    clock.advance(6 * DAY)
    receiver.always = RetryableError("503")
    for _ in range(4):
        notify(channel)
        clock.advance(LONGEST_RETRY_SECONDS)
    receiver.always = None
    while notify(channel):
        pass
    assert states(db) == ["sent"] * 2


def test_a_channel_that_cannot_be_opened_is_disabled(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, db: Db, metrics: ProcessMetrics
) -> None:
    channel = told(2)
    receiver.broken = InvalidInput("url: no such scheme")
    series = "overheard_deliveries_total", {"channel_kind": "invalid", "outcome": "disabled"}
    assert metrics.registry.get_sample_value(*series) == 0, (
        "the series exists before the first one, so that it is a rise"
    )
    assert notify(channel) == []
    assert states(db) == ["held", "held"]
    assert metrics.registry.get_sample_value(*series) == 1


def test_the_canary_is_delivered_and_not_counted(
    world: World, notify: Callable[..., list[Any]], receiver: Receiver, db: Db, clock: Clock, metrics: ProcessMetrics
) -> None:
    canaries.ensure(db, 300, clock(), lambda text, zone: clock() + 300)
    workspace = workspaces.by_name(db, canary.WORKSPACE).id
    [post] = (
        CanarySource(clock=clock).read(ReadRequest(kind="posts", places=(canary.PLACE,)), budget=cast(Any, None)).items
    )
    entry = MatchedItem(post, (WorkspaceMatch(workspace, (world.query(workspace, "canary"),)),))
    storing.store(db, ItemsMatched(part=PollPart(poll="p", part=0, parts=1), items=(entry,)), clock())
    notify(world.channel(workspace, "null"))
    assert [notice.mentions[0].item for notice in receiver.got] == [post.id]
    (counted,) = metrics.deliveries.collect()
    assert not any(sample.value for sample in counted.samples if sample.name.endswith("_total"))


def test_without_budget_a_round_waits_on_the_bus_and_nobody_begins_another(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    rules: NotifySettings,
) -> None:
    channel = told(6)
    [(resume, delay)] = notify(channel, Turns(1))
    assert delay == 40, "the bus delivers the message again for its reserved slot"
    assert resume == NotifyChannel(channel_id=channel, lease=clock() + 40 + rules.lease)
    for _ in range(3):  # from the sweep, and from what is stored meanwhile
        assert notify(channel) == []
    clock.advance(40 + 25)
    assert notify(channel) == []
    assert len(receiver.tried) == 1
    assert notify(resume) == [(NotifyChannel(channel_id=channel), None)], "the round ends, and requests the next"
    assert states(db) == ["sent"] * 4 + ["pending"] * 2
    assert notify(resume) == [], "a duplicate works like any other message"
    assert states(db) == ["sent"] * 6
    attempts = Delivery.select(Delivery.attempts).distinct().tuples().execute(db.peewee)
    assert list(attempts) == [(1,)], "waiting does not count as an attempt"


def test_a_round_that_waited_longer_than_its_claim_starts_over(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    rules: NotifySettings,
) -> None:
    channel = told(2)
    [(resume, delay)] = notify(channel, Turns(0))
    assert delay == 40
    clock.advance(40 + rules.lease + 1)
    others = deliveries.claim(db, channel, now=clock(), limit=1, lease=60).deliveries
    assert notify(resume) == []
    assert receiver.tried == [], "another round holds the channel"
    deliveries.mark_sent(db, others[0].id, clock())
    notify(resume)
    assert states(db) == ["sent"] * 2


def test_a_round_that_was_taken_over_while_it_waited_for_a_thread_does_not_come_back(
    told: Callable[[int], int], notify: Callable[..., list[Any]], clock: Clock, db: Db
) -> None:
    channel = told(2)

    class Paused(Turns):
        def acquire(self) -> None:
            clock.advance(61)
            deliveries.claim(db, channel, now=clock(), limit=5, lease=60)
            super().acquire()

    assert notify(channel, Paused(0)) == []


def test_without_a_reserved_slot_the_claim_is_released(
    told: Callable[[int], int], notify: Callable[..., list[Any]], clock: Clock, db: Db
) -> None:
    """The bus drops such a message: the sweep finds the channel."""
    channel = told(2)
    [(_, delay)] = notify(channel, Turns(0, slot=None))
    assert delay == math.inf
    rows = Delivery.select(Delivery.attempts, Delivery.due_at, Delivery.lease_until).tuples().execute(db.peewee)
    assert list(rows) == [(0, clock() + 40, 0)] * 2


@contextmanager
def full_thread_share(notifier: Notifier, channel: int) -> Iterator[None]:
    """Let other channels of the workspace hold all threads of its share."""
    row = channels.get(notifier.db, channel)
    assert row is not None
    with notifier.shares.held(row), notifier.shares.held(row):
        yield


def test_a_round_without_a_free_thread_is_rescheduled_once(
    told: Callable[[int], int],
    notifier: Notifier,
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
) -> None:
    channel = told(2)
    with full_thread_share(notifier, channel):
        [(message, delay)] = notify(channel)
        assert message == NotifyChannel(channel_id=channel)
        assert 0 < delay < 1
        for _ in range(3):  # from the sweep, and from what is stored meanwhile
            assert notify(channel) == []
        clock.advance(delay)
        assert len(notify(channel)) == 1, "the share is still full"
        assert receiver.tried == []
    clock.advance(1)
    assert notify(channel) == []
    assert states(db) == ["sent"] * 2
    attempts = Delivery.select(Delivery.attempts).distinct().tuples().execute(db.peewee)
    assert list(attempts) == [(1,)], "waiting does not count as an attempt"
    with full_thread_share(notifier, channel):
        assert notify(channel) == [], "nothing is due"


def test_a_resumed_round_without_a_free_thread_keeps_its_claim(
    told: Callable[[int], int],
    notifier: Notifier,
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    db: Db,
    rules: NotifySettings,
) -> None:
    channel = told(2)
    [(resume, delay)] = notify(channel, Turns(0))
    assert delay == 40
    clock.advance(40 + rules.lease)
    with full_thread_share(notifier, channel):
        [(message, delay)] = notify(resume)
    assert message.lease == pytest.approx(clock() + delay + rules.lease)
    clock.advance(delay)
    assert notify(channel) == [], "a message of another origin finds the channel claimed"
    assert receiver.tried == []
    assert notify(message) == []
    assert states(db) == ["sent"] * 2
    attempts = Delivery.select(Delivery.attempts).distinct().tuples().execute(db.peewee)
    assert list(attempts) == [(1,)]


def test_a_receivers_failure_and_recovery_apply_to_all_its_channels(
    world: World, notifier: Notifier, notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    made = [world.workspace(slug) for slug in ("acme", "bolt", "coda", "duet")]
    storing.store(db, world.matched(*((world.item(number), (each,)) for number, each in enumerate(made, 1))), clock())
    one, two, three, four = (row for each in made if (row := channels.get(db, world.channel(each))))
    for answer, room in ((RetryableError("503"), False), (RetryableError("429", delay=9), False), (None, True)):
        receiver.answers = [answer]
        notify(one.id)
        clock.advance(10)
        with notifier.shares.held(two), notifier.shares.held(three), notifier.shares.held(four) as wait_seconds:
            assert (wait_seconds is None) is room


def test_a_deleted_mention_is_not_sent(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, db: Db
) -> None:
    channel = told(2)
    StoredItem.delete().where(StoredItem.ref == "t3_1").execute(db.peewee)
    notify(channel)
    assert [notice.mentions[0].item for notice in receiver.got] == ["t3_2"]


def test_a_digest_whose_mentions_were_deleted_is_not_sent(
    world: World, notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    acme = world.workspace(channels={"team": "digest"})
    storing.store(db, world.matched((world.item(), (acme,))), clock())
    digests.compose(db, acme, clock(), clock())
    StoredItem.delete().execute(db.peewee)
    notify(world.channel(acme))
    assert receiver.tried == []
    assert states(db) == ["failed"]


def test_an_unexpected_error_delays_only_its_own_delivery(
    told: Callable[[int], int],
    notify: Callable[..., list[Any]],
    receiver: Receiver,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = told(3)
    receiver.answers = [ZeroDivisionError()]
    notify(channel)
    assert (len(receiver.tried), len(receiver.got)) == (3, 2)
    clock.advance(6.1)
    notify(channel)
    assert len(receiver.got) == 3


@pytest.mark.parametrize("how", ["gone", "disabled"])
def test_a_deleted_or_disabled_channel_is_not_an_error(
    told: Callable[[int], int], notify: Callable[..., list[Any]], db: Db, how: str
) -> None:
    channel = told(1)
    if how == "gone":
        Channel.delete().execute(db.peewee)
    else:
        Channel.update(disabled_at=1.0).execute(db.peewee)
    assert notify(channel) == []


def test_the_backoff_doubles_up_to_an_hour_with_jitter() -> None:
    for attempts in range(1, 40):
        middle = min(FIRST_RETRY_SECONDS * 2 ** (attempts - 1), LONGEST_RETRY_SECONDS)
        waits = {backoff(attempts) for _ in range(20)}
        assert len(waits) > 1
        assert all(0.8 * middle <= wait <= 1.2 * middle for wait in waits)


def test_a_channel_that_has_to_wait_is_notified_at_that_time_and_once(
    world: World, notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock
) -> None:
    acme = world.workspace(pace={"min_gap": "1m"})
    channel, prompt = world.channel(acme), NotifyChannel(channel_id=world.channel(acme))
    for number in range(3):
        storing.store(world.db, world.matched((world.item(number, url=""), (acme,)), poll=str(number)), clock())
    assert notify(channel) == [(prompt, None)], "one message, and another round"
    assert notify(channel) == [(prompt, 60 + WAKE_MARGIN_SECONDS)]
    for _ in range(3):
        assert notify(channel) == [], "that message is under way"
    clock.advance(60 + WAKE_MARGIN_SECONDS)
    assert notify(channel) == [(prompt, None)]
    assert len(receiver.got) == 2


def test_what_waits_for_longer_than_the_bus_can_delay_is_found_by_the_tick_in_time(
    world: World, notify: Callable[..., list[Any]], receiver: Receiver, clock: Clock, db: Db
) -> None:
    acme = world.workspace(pace={"min_gap": "10m"})
    channel = world.channel(acme)
    for number in range(2):
        storing.store(db, world.matched((world.item(number, url=""), (acme,)), poll=str(number)), clock())
    began = clock()
    notify(channel)
    assert notify(channel) == []
    assert list(delivery_backlog.channels_to_prompt(db, began + 599, 60, 5)) == []
    assert list(delivery_backlog.channels_to_prompt(db, began + 600, 60, 5)) == [channel], "and not a minute later"
    clock.advance(600)
    notify(channel)
    assert len(receiver.got) == 2


class ServiceTurns:
    """A permit of a channel and of its service's budget, which has ``left`` tokens."""

    def __init__(self, left: int, held: Slot | None = None) -> None:
        self.left, self.held = left, held
        self.key, self.channel_tokens = "", 0

    def paced(self, name: str, rate: tuple[float, int]) -> ServiceTurns:
        service = copy(self)
        service.key, service.acquire = f"service:{name}", self.take  # type: ignore[method-assign]
        return service

    def acquire(self) -> None:
        self.channel_tokens += 1

    def take(self) -> None:
        if self.left == 0:
            raise BudgetExhausted("service:chat", delay=7.0, slot=1000.0)
        self.left -= 1
        self.held = None


def test_a_round_respects_the_pace_of_its_service(
    told: Callable[[int], int], notify: Callable[..., list[Any]], notifier: Notifier, receiver: Receiver, clock: Clock
) -> None:
    channel = told(3)
    receiver.pace = Pace("chat", 20.0, 2)
    turns = ServiceTurns(2)
    outcome = notifier.notify(NotifyChannel(channel_id=channel), turns)  # type: ignore[arg-type]
    assert isinstance(outcome, Later)
    assert (outcome.delay, outcome.slot) == (7.0, Slot("service:chat", 1000.0))
    assert (len(receiver.got), turns.channel_tokens) == (2, 3)
    clock.advance(7)
    turns = ServiceTurns(1, held=outcome.slot)
    assert notify(outcome.message, turns) == []
    assert (len(receiver.got), turns.channel_tokens) == (3, 0), "its token of the channel is spent already"


def test_a_failed_try_is_recorded(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, world: World
) -> None:
    told(3)
    receiver.answers = [PermanentError("413"), DeliveryRefused("400"), ChannelGone("410")]
    notify(world.channel(1))
    assert [error for (error,) in world.rows(FailedTry, "error")] == ["413", "400", "410"]


def test_items_erased_during_a_round_are_not_sent(
    told: Callable[[int], int], notify: Callable[..., list[Any]], receiver: Receiver, db: Db, metric: Metric
) -> None:
    """A round takes minutes: each notice has the contents that are stored when it is sent."""
    channel = told(3)

    def erase() -> None:
        receiver.before = lambda: None
        StoredItem.delete().where(StoredItem.ref == "t3_2").execute(db.peewee)
        StoredItem.update(author=None, body="taken back").where(StoredItem.ref == "t3_3").execute(db.peewee)

    receiver.before = erase
    assert notify(channel) == []
    assert [notice.mentions[0].item for notice in receiver.got] == ["t3_1", "t3_3"]
    assert (receiver.got[1].mentions[0].author, receiver.got[1].mentions[0].body) == (None, "taken back")
    assert states(db) == ["sent", "sent"]
    assert metric("deliveries_total", channel_kind="memory", outcome="failed") == 0
