"""Stages on RabbitMQ and in memory: each trap of docs/dramatiq.md has its test here or in another test_bus_* file."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dramatiq
import pika
import pytest
from pydantic import SecretStr

from overheard.bus import amqp, consumer, public_exchange
from overheard.bus import dead_letter_collector as drain_module
from overheard.bus.dead_letter_collector import collect
from overheard.bus.dead_letters import DeadLetterRecord
from overheard.bus.envelope import ENVELOPE_MAX_BYTES, StrictEncoder, pack
from overheard.config import Config, DatabaseSettings
from overheard.db import dead_letters
from overheard.errors import BudgetExhausted, InvalidInput, PermanentError, RetryableError, Unavailable
from overheard.items import Item
from overheard.messages import ItemsFetched, ItemsMatched, MatchedItem, NotifyChannel, PollPart, WorkspaceMatch
from overheard.observability import log as logs
from overheard.outcomes import Later, Rejected
from overheard.permits import Slot
from overheard.process import RunningProcess
from overheard.stages import STAGES
from tests.servers import odd_headers
from tests.servers.bus_rig import PATIENCE, Rig, depth, quick
from tests.servers.fixtures_rabbit import rabbit, rabbit_server  # noqa: F401
from tests.servers.malformed import GOOD, MALFORMED
from tests.servers.waiting import wait_for


@pytest.fixture(params=["rabbitmq", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    """Both buses have the same contract."""
    return str(request.getfixturevalue("rabbit")) if request.param == "rabbitmq" else "memory://"


def test_a_message_reaches_its_handler_typed(url: str) -> None:
    with Rig(url, quick("notify")) as rig:
        sent = rig.sender.send(NotifyChannel(channel_id=5), message_id="mine")
        assert (sent, rig.next()) == ("mine", (NotifyChannel(channel_id=5), None))
        rig.counted("ok")
        assert rig.idle.wait(PATIENCE)
        assert rig.health.problems() == []
        assert rig.end() == 0


def test_each_worker_thread_calls_on_thread_end_itself(url: str) -> None:
    worked: set[int] = set()

    def note(message: NotifyChannel, slot: object) -> None:
        worked.add(threading.get_ident())

    with Rig(url, quick("notify"), handler=note) as rig:
        rig.sender.send(NotifyChannel(channel_id=5))
        rig.counted("ok")
        assert rig.ended.empty()
        assert rig.end() == 0
    ended = {rig.ended.get(timeout=PATIENCE) for _ in range(STAGES["notify"].threads)}
    assert worked <= ended
    assert len(ended) == STAGES["notify"].threads


def test_failures_are_retried_then_parked_with_their_reason(url: str) -> None:
    def fail(message: NotifyChannel, slot: object) -> None:
        raise ValueError(f"no {message.channel_id}")

    with Rig(url, quick("notify", max_retries=2), handler=fail) as rig:
        rig.sender.send(NotifyChannel(channel_id=5), message_id="m")
        dead_letter = rig.dead_letter()
        found = (dead_letter.message_id, dead_letter.stage, dead_letter.queue, dead_letter.origin)
        assert found == ("m", "notify", "notify.XQ", "nack")
        assert dead_letter.reason == "ValueError (after 3 tries)"
        assert re.search(r"integration/test_bus_stages\.py:\d+ fail\nValueError$", dead_letter.traceback)
        rig.counted("dead")
        assert rig.count("retried") == 2


def test_hopeless_errors_are_parked_at_once_and_can_be_replayed(url: str) -> None:
    broken = threading.Event()
    broken.set()

    def refuse(message: NotifyChannel, slot: object) -> None:
        if broken.is_set():
            raise PermanentError("the channel is gone")

    with Rig(url, quick("notify"), handler=refuse) as rig:
        rig.sender.send(NotifyChannel(channel_id=5), message_id="m")
        dead_letter = rig.dead_letter()
        assert dead_letter.reason == "PermanentError: the channel is gone"
        assert rig.count("retried") == 0
        broken.clear()
        assert rig.sender.replay(dead_letter.body) == "m"
        assert rig.next()[0] == NotifyChannel(channel_id=5)
        with pytest.raises(InvalidInput, match="cannot be replayed"):
            rig.sender.replay(b"{}")


def test_a_message_rejected_by_its_handler_is_a_dead_letter_at_once(url: str) -> None:
    with Rig(url, quick("notify"), handler=lambda message, slot: Rejected("no such channel")) as rig:
        rig.sender.send(NotifyChannel(channel_id=5), message_id="m")
        dead_letter = rig.dead_letter()
        assert (dead_letter.message_id, dead_letter.reason, dead_letter.origin) == ("m", "no such channel", "nack")
        rig.counted("dead")
        assert rig.count("retried") == 0


def test_a_retryable_error_waits_for_its_delay(url: str) -> None:
    times: list[float] = []

    def busy(message: NotifyChannel, slot: object) -> None:
        times.append(time.monotonic())
        if len(times) == 1:
            raise RetryableError("busy", delay=0.4)

    with Rig(url, quick("notify"), handler=busy) as rig:
        rig.sender.send(NotifyChannel(channel_id=5))
        rig.next()
        assert 0.39 <= times[1] - times[0] < 10.0


@pytest.mark.parametrize("ahead", [3600.0, -3600.0])
def test_a_delay_is_by_the_shared_clock_and_not_by_the_machine_s(rabbit: str, ahead: float) -> None:  # noqa: F811
    """The shared clock is an hour ahead of this machine's, or behind it."""
    with Rig(rabbit, quick("notify")) as rig:
        rig.broker.clock = lambda: time.time() + ahead  # type: ignore[union-attr]
        began = time.monotonic()
        rig.sender.send(NotifyChannel(channel_id=5), delay=1.0)
        assert rig.next()[0] == NotifyChannel(channel_id=5)
        assert time.monotonic() - began >= 0.99


def test_no_delay_is_longer_than_the_bus_delays(rabbit: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(consumer, "MAX_DELAY_SECONDS", 0.2)
    with Rig(rabbit, quick("notify")) as rig:
        rig.broker.enqueue(pack(NotifyChannel(channel_id=5)), delay=7_200_000)
        assert rig.next()[0] == NotifyChannel(channel_id=5)
        assert rig.recorded.empty()


def test_postponed_blocks_nothing_uses_no_retry_and_keeps_its_slot(url: str) -> None:
    """With one thread and no retries: a postponed message comes back, and others are handled meanwhile."""
    seen: list[tuple[int, object]] = []

    def take_turns(message: NotifyChannel, slot: object) -> Later | None:
        seen.append((message.channel_id, slot))
        if message.channel_id == 1 and slot is None:
            return Later(0.5, NotifyChannel(channel_id=3), Slot("reddit", 123.25))
        return None

    with Rig(url, quick("notify", max_retries=0, threads=1), handler=take_turns) as rig:
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.sender.send(NotifyChannel(channel_id=2))
        rig.next(), rig.next()
        assert seen == [(1, None), (2, None), (3, ("reddit", 123.25))]
        rig.counted("ok", 2)
        assert (rig.count("postponed"), rig.count("retried"), rig.count("dead")) == (1, 0, 0)


def test_a_slot_is_dropped_after_an_ordinary_failure(url: str) -> None:
    slots: list[object] = []

    def handler(message: NotifyChannel, slot: object) -> None:
        slots.append(slot)
        match len(slots):
            case 1:
                raise BudgetExhausted("reddit", delay=0, slot=1.0)
            case 2:
                raise ValueError

    with Rig(url, quick("notify"), handler=handler) as rig:
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.next()
        assert slots == [None, ("reddit", 1.0), None]


def test_a_postponement_without_a_slot_is_left_to_the_sweep(url: str) -> None:
    def far(message: NotifyChannel, slot: object) -> None:
        raise BudgetExhausted("reddit", delay=900, slot=None)

    with Rig(url, quick("notify"), handler=far) as rig:
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.counted("postponed")
        wait_for(lambda: rig.idle.is_set(), "the acknowledgement")
    assert rig.recorded.empty()


def test_a_time_limit_ends_the_handler_and_the_message_is_retried(url: str) -> None:
    calls: list[int] = []

    def slow(message: NotifyChannel, slot: object) -> None:
        calls.append(1)
        until = time.monotonic() + (PATIENCE if len(calls) == 1 else 0)
        while time.monotonic() < until:
            threading.Event().wait(0.01)

    with Rig(url, quick("notify", time_limit=2000), handler=slow) as rig:
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.next()
        rig.counted("retried")
    assert len(calls) == 2


def test_logs_never_hold_the_text_of_an_item(url: str) -> None:
    stream = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    logs.configure("INFO", style="json", stream=stream)
    item = Item(
        source="reddit",
        id="t3_a",
        kind="post",
        place="python",
        author="bob",
        title="private words",
        body="private words",
        created_at=1.0,
    )

    def fail(message: ItemsFetched, slot: object) -> None:
        raise ValueError(f"bad item {message.items[0].title}")

    try:
        with Rig(url, quick("match", max_retries=1), handler=fail) as rig:
            rig.sender.send(ItemsFetched(part=PollPart(poll="p", part=1), items=(item,)), message_id="m")
            assert rig.dead_letter().reason == "ValueError (after 2 tries)"
    finally:
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)
    text = stream.getvalue()
    assert "private" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    ends = [line for line in lines if line.get("outcome")]
    assert [(line["outcome"], line["stage"], line["message_id"]) for line in ends] == [
        ("retried", "match", "m"),
        ("dead", "match", "m"),
    ]
    assert all(line["error"] == "ValueError" and line["at"].endswith(" fail") and line["ms"] >= 0 for line in ends)


@pytest.mark.parametrize("stage", ["match", "store"])
def test_no_text_of_an_item_gets_into_the_dead_letters(url: str, stage: str, tmp_path: Path) -> None:
    """Recorded by its stage or collected from the bus; decodable or not."""
    running = RunningProcess(Config(database=DatabaseSettings(url=SecretStr(f"sqlite:///{tmp_path}/overheard.db"))))
    running.ready_database()
    item = Item(
        source="reddit", id="t3_a", kind="post", place="python", author="quill", title="private words",
        body="private words", created_at=1.0,
    )  # fmt: skip
    message: Any = (
        ItemsFetched(part=PollPart(poll="p", part=1), items=(item,))
        if stage == "match"
        else ItemsMatched(part=PollPart(poll="p", part=1), items=(MatchedItem(item, (WorkspaceMatch(1, (1,)),)),))
    )

    def fail(message: Any, slot: object) -> None:
        try:
            raise KeyError(message)
        except KeyError:
            raise ValueError(item.body) from None if stage == "match" else KeyError(item.author)

    def stored() -> dict[str, dead_letters.DeadLetterRow]:
        with running.db.session():
            rows = [dead_letters.get(running.db, row.id) for row in dead_letters.listing(running.db)]
            dead_letters.drop(running.db, dead_letters.ALL)
        assert "private" not in str(rows)
        assert "quill" not in str(rows)
        return {row.message_id: row for row in rows if row is not None}

    cut = StrictEncoder().encode(pack(message).asdict())[:-10]
    with Rig(url, quick(stage, max_retries=1), handler=fail) as rig:
        rig.sender.send(message, message_id="m")
        recorded = [rig.dead_letter()]
        put(rig.broker, url, stage, cut)
        if url == "memory://":
            recorded.append(rig.dead_letter())
        else:
            wait_for(lambda: depth(url, f"{stage}.XQ") == 2, "both in .XQ")
    if url != "memory://":
        assert collect(url, [STAGES[stage]], running.record_collected) == 2
        assert depth(url, f"{stage}.XQ") == 0
        found = stored()
        assert len(found) == 2
        assert json.loads(found["m"].body)["names"] == ["t3_a"]
    for dead_letter in recorded:
        running.record_dead([dead_letter])
    recorded = stored()
    assert len(recorded) == len(recorded)
    assert recorded["m"].reason == "ValueError (after 2 tries)"
    assert " fail\nValueError" in str(recorded["m"].traceback)
    running.db.release()


def test_a_worker_consumes_no_other_stages_queue(url: str) -> None:
    """Sending to a queue must not start a consumer for it (dramatiq #670)."""
    with Rig(url, quick("notify")) as rig:
        rig.sender.send(ItemsFetched(part=PollPart(poll="p", part=1), items=()))
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.next()
        (worker,) = rig.health._workers
        assert worker.consumers.keys() == {"notify", "notify.DQ"}


def test_stop_lets_the_work_in_progress_finish(url: str) -> None:
    started, finish = threading.Event(), threading.Event()

    def slow(message: NotifyChannel, slot: object) -> None:
        started.set()
        assert finish.wait(PATIENCE)

    with Rig(url, quick("notify", threads=1), handler=slow) as rig:
        rig.sender.send(NotifyChannel(channel_id=1))
        assert started.wait(PATIENCE)
        rig.stop.set()
        finish.set()
        assert rig.end() == 0
        assert rig.handled.get_nowait()[0] == NotifyChannel(channel_id=1)
        assert rig.count("ok") == 1


@pytest.mark.parametrize("role", ["workers", "consumers"])
def test_a_dead_thread_ends_the_process_with_1(url: str, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overheard.bus.worker.CHECK_SECONDS", 0.05)
    with Rig(url, quick("notify")) as rig:
        (worker,) = rig.health._workers
        threads = worker.workers if role == "workers" else list(worker.consumers.values())
        threads[0].stop()  # the thread ends while the process goes on
        threads[0].join(PATIENCE)
        assert any("is dead" in problem for problem in rig.health.problems())
        rig._thread.join(PATIENCE)
        assert rig.end() == 1


def test_a_stuck_consumer_is_a_problem(url: str) -> None:
    with Rig(url, quick("notify")) as rig:
        rig.health._stuck_after = -1.0
        assert any("is stuck" in problem for problem in rig.health.problems())


def test_malformed_envelopes_stall_nothing(url: str) -> None:
    """On RabbitMQ they are collected from .XQ, in memory recorded at once; a valid message behind them is handled."""
    bodies = {**{name: body for name, (body, _) in MALFORMED.items()}, "other queue": OTHER_QUEUE}
    recorded: list[DeadLetterRecord] = []
    with Rig(url, quick("notify", threads=2), quick("match")) as rig:
        for body in bodies.values():
            put(rig.broker, url, "notify", body)
        put(rig.broker, url, "notify", json.dumps(GOOD).encode())
        assert rig.next()[0] == NotifyChannel(channel_id=7)
        if url == "memory://":
            recorded = [rig.dead_letter() for _ in bodies]
            rig.broker.join("notify", timeout=5_000)
        else:
            wait_for(
                lambda: collect(url, [STAGES["notify"]], recorded.extend) >= 0 and len(recorded) >= len(bodies),
                "parking",
            )
        assert rig.health.problems() == []
    reasons = {dead_letter.body: dead_letter.reason for dead_letter in recorded}
    assert reasons.keys() == set(bodies.values())
    for name, (body, where) in MALFORMED.items():
        assert where in reasons[body], name
    assert "addressed to match, but found on notify" in reasons[OTHER_QUEUE]
    assert len({dead_letter.message_id for dead_letter in recorded}) == len(bodies)


OTHER_QUEUE = StrictEncoder().encode(pack(ItemsFetched(part=PollPart(poll="p", part=1), items=())).asdict())


def drained(url: str, recorded: list[DeadLetterRecord]) -> int:
    collect(url, [STAGES["notify"]], recorded.extend)
    return len(recorded)


def put(broker: dramatiq.Broker, url: str, queue: str, body: bytes) -> None:
    """Put bytes on a stage's queue, as a foreign client would."""
    if url == "memory://":
        broker.queues[queue].put(body)
        return
    connection = pika.BlockingConnection(amqp.parameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_publish("", queue, body)
    connection.close()


def test_the_memory_bus_keeps_no_dead_letters_in_memory() -> None:
    def refuse(message: NotifyChannel, slot: object) -> None:
        raise PermanentError("no")

    with Rig("memory://", quick("notify"), handler=refuse) as rig:
        for number in range(20):
            rig.sender.send(NotifyChannel(channel_id=number + 1))
        assert {rig.dead_letter().reason for _ in range(20)} == {"PermanentError: no"}
        assert rig.broker.dead_letters == []  # type: ignore[union-attr]
        rig.broker.join("notify", timeout=5_000)
        rig.broker.join("notify", timeout=5_000)


def test_a_failing_recorder_leaves_the_dead_letter_on_rabbitmq(rabbit: str) -> None:  # noqa: F811
    def refuse(message: NotifyChannel, slot: object) -> None:
        raise PermanentError("no")

    def fail(dead_letter: DeadLetterRecord) -> None:
        raise Unavailable("database away")

    with Rig(rabbit, quick("notify"), handler=refuse) as rig:
        rig.recorded.put = fail  # type: ignore[method-assign]
        next(each for each in rig.broker.middleware if hasattr(each, "_record"))._record = fail  # type: ignore[attr-defined]
        rig.sender.send(NotifyChannel(channel_id=1), message_id="m")
        rig.counted("dead")
        wait_for(lambda: depth(rabbit, "notify.XQ") == 1, "the dead letter")
    assert collect(rabbit, STAGES.values(), fail) == 0
    recorded: list[DeadLetterRecord] = []
    wait_for(lambda: drained(rabbit, recorded), "the dead letter to come back")  # RabbitMQ puts it back in its own time
    assert collect(rabbit, STAGES.values(), recorded.extend) == 0
    (dead_letter,) = recorded
    assert (dead_letter.message_id, dead_letter.origin, dead_letter.queue) == ("m", "xq", "notify.XQ")
    assert "rejected by a worker" in dead_letter.reason


def put_odd(url: str, queue: str, body: bytes, **properties: Any) -> None:
    with odd_headers.writable(), pika.BlockingConnection(amqp.parameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", queue, body, pika.BasicProperties(**properties))


@pytest.mark.parametrize("queue", ["match.XQ", "overheard.rejected"])
def test_an_odd_dead_letter_is_kept_and_stops_no_other(rabbit: str, queue: str) -> None:  # noqa: F811
    with Rig(rabbit, quick("match")), pika.BlockingConnection(amqp.parameters(rabbit)) as connection:
        public_exchange.declare(connection.channel())
    for name, headers in odd_headers.ODD.items():
        put_odd(rabbit, queue, name.encode(), headers=headers)
    put_odd(rabbit, queue, b"an id", message_id=b"\xff")
    put_odd(rabbit, queue, b"large" * 1_000_000)
    put_odd(rabbit, queue, b"good", message_id="m")
    recorded: list[DeadLetterRecord] = []
    assert collect(rabbit, STAGES.values(), recorded.extend) == len(odd_headers.ODD) + 3
    assert depth(rabbit, queue) == 0
    bodies = [dead_letter.body for dead_letter in recorded]
    assert bodies == [
        *(name.encode() for name in odd_headers.ODD),
        b"an id",
        (b"large" * 1_000_000)[: ENVELOPE_MAX_BYTES if queue == "overheard.rejected" else None],
        b"good",
    ]
    for dead_letter in recorded:
        assert isinstance(dead_letter.message_id, str)
        assert dead_letter.reason
        assert len(dead_letter.reason) <= 2_000
        assert dead_letter.routing_key is None


def test_an_unreadable_or_unstorable_dead_letter_is_recorded_as_a_placeholder(
    rabbit: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Rig(rabbit, quick("match")):
        pass
    for body in (b"one", b"unreadable", b"unkept", b"two"):
        put_odd(rabbit, "match.XQ", body)
    found = drain_module.problem

    def problem(body: bytes, **more: Any) -> str | None:
        if body == b"unreadable":
            raise ZeroDivisionError("nobody has thought of this")
        return found(body, **more)

    monkeypatch.setattr(drain_module, "problem", problem)
    kept: list[DeadLetterRecord] = []

    def record(recorded: Sequence[DeadLetterRecord]) -> None:
        for dead_letter in recorded:
            if dead_letter.body == b"unkept" and "kept" not in dead_letter.reason:
                raise ValueError("an unforeseen body")
        kept.extend(recorded)

    assert collect(rabbit, [STAGES["match"]], record) == 4
    assert [dead_letter.body for dead_letter in kept] == [b"one", b"unreadable", b"unkept", b"two"]
    assert (kept[1].reason, kept[2].reason) == ("cannot be read: ZeroDivisionError", "cannot be kept as it was")
    assert depth(rabbit, "match.XQ") == 0
