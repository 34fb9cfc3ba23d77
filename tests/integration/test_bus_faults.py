"""RabbitMQ full, killed and restarted: no confirmed message is lost, and all clients recover by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import pika
import pika.exceptions
import pytest
from prometheus_client import CollectorRegistry

from overheard.bus import amqp
from overheard.bus.confirmed_channel import ConfirmedChannel, Publication
from overheard.bus.dead_letter_collector import collect
from overheard.bus.dead_letters import DeadLetterRecord
from overheard.bus.event_batches import OK, EventOutcome, IncomingEvent
from overheard.bus.event_consumer import IngressConsumer
from overheard.bus.public_exchange import RabbitEvents
from overheard.errors import BudgetExhausted, InvalidInput, Unavailable
from overheard.messages import NotifyChannel
from overheard.observability.metrics import ProcessMetrics
from overheard.stages import STAGES
from tests.servers.bus_rig import PATIENCE, Rig, depth, quick
from tests.servers.fixtures_rabbit import rabbit, rabbit_server  # noqa: F401
from tests.servers.ports import free_ports
from tests.servers.rabbitmq import RabbitServer
from tests.servers.waiting import wait_for

# Fixtures are imported until conftest.py has them.
# ruff: noqa: F811


def test_queues_are_quorum_and_persistent(rabbit: str, rabbit_server: RabbitServer) -> None:
    with Rig(rabbit, quick("notify")) as rig:
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.next()
    found = {each["name"]: each for each in rabbit_server.api("GET", f"/queues/{rabbit.rsplit('/', 1)[1]}")}
    assert found.keys() == {"notify", "notify.DQ", "notify.XQ"}
    assert {each["arguments"]["x-queue-type"] for each in found.values()} == {"quorum"}
    assert found["notify"]["arguments"]["x-delivery-limit"] == 20
    for name in ("notify", "notify.DQ"):  # a parked message is on one of the two queues
        assert found[name]["arguments"]["x-dead-letter-strategy"] == "at-least-once"
        assert found[name]["arguments"]["x-overflow"] == "reject-publish"
    assert "x-delivery-limit" not in found["notify.DQ"]["arguments"]
    assert found["notify.XQ"]["arguments"]["x-message-ttl"] == 7 * 86_400_000


def test_a_queue_with_other_arguments_is_named_with_what_to_do(rabbit: str) -> None:
    connection = pika.BlockingConnection(amqp.parameters(rabbit))
    connection.channel().queue_declare("notify.DQ", durable=True)
    connection.close()
    rig = Rig(rabbit, quick("notify"))
    for _ in range(2):
        with pytest.raises(amqp.QueueMismatch, match=r"queue notify\.DQ .* rabbitmqctl delete_queue notify\.DQ"):
            rig.sender.send(NotifyChannel(channel_id=1))
    with pytest.raises(amqp.QueueMismatch):
        rig._run()
    rig.end_unstarted()


def test_publishing_ends_with_rabbitmqs_answer_for_each_message(rabbit: str) -> None:
    connection = pika.BlockingConnection(amqp.parameters(rabbit))
    connection.channel().queue_declare("there")
    publishing = ConfirmedChannel(connection)
    some = [Publication("", "there", b"1", None), Publication("", "nowhere", b"2", None)]
    for _ in range(2):
        with pytest.raises(pika.exceptions.UnroutableError):
            publishing.publish(some)
    publishing.publish(some[:1])
    connection.close()
    assert depth(rabbit, "there") == 3


def test_an_unreachable_bus_is_unavailable_and_named(rabbit: str) -> None:
    (port,) = free_ports(1)
    rig = Rig(f"amqp://u:hunter2@127.0.0.1:{port}/v", quick("notify"))
    with pytest.raises(Unavailable, match=f"127.0.0.1:{port}") as caught:
        rig.sender.send(NotifyChannel(channel_id=1))
    assert "hunter2" not in str(caught.value)
    wrong = Rig(rabbit.replace("guest:guest", "guest:hunter2"), quick("notify"))
    with pytest.raises(Unavailable, match="refuses the login") as caught:
        wrong.sender.send(NotifyChannel(channel_id=1))
    assert "hunter2" not in str(caught.value)
    gone = Rig(rabbit + "nowhere", quick("notify"))
    with pytest.raises(Unavailable, match=r"refuses the vhost|not found"):
        gone.sender.send(NotifyChannel(channel_id=1))


def test_a_short_lived_thread_leaves_no_connection(rabbit: str) -> None:
    rig = Rig(rabbit, quick("notify"))

    def publish() -> None:
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.broker.release()

    for _ in range(3):
        thread = threading.Thread(target=publish)
        thread.start()
        thread.join(PATIENCE)
    assert rig.broker.connections == set()  # type: ignore[union-attr]
    assert depth(rabbit, "notify") == 3


def test_memory_alarm_publishers_fail_clearly_and_retries_are_not_lost(
    rabbit: str, rabbit_server: RabbitServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Dramatiq alone would swallow the failed publish of the retry, then acknowledge the message."""
    alarm, started = threading.Event(), threading.Event()

    def fail(message: NotifyChannel, slot: object) -> None:
        started.set()
        assert alarm.wait(60)
        if message.channel_id == 2:
            raise BudgetExhausted("reddit", delay=0.1, slot=1.0)
        raise ValueError("handler's own")

    with Rig(rabbit + "?blocked_connection_timeout=5", quick("notify", threads=2), handler=fail) as rig:
        rig.sender.send(NotifyChannel(channel_id=1), message_id="retried")
        rig.sender.send(NotifyChannel(channel_id=2), message_id="postponed")
        assert started.wait(PATIENCE)
        rabbit_server.set_memory_alarm(True)
        try:
            alarm.set()
            recorded = {dead_letter.message_id: dead_letter for dead_letter in (rig.dead_letter(), rig.dead_letter())}
            assert recorded.keys() == {"retried", "postponed"}
            for dead_letter in recorded.values():
                assert dead_letter.reason.startswith("it could not be put back on the bus (BusUnavailable")
                assert "alarm" in dead_letter.reason
            assert recorded["retried"].reason.endswith("; ValueError")
            begun = time.monotonic()
            with pytest.raises(Unavailable, match="memory or disk alarm"):
                rig.sender.send(NotifyChannel(channel_id=3))
            assert time.monotonic() - begun < 9.9  # one timeout, not two or six
        finally:
            rabbit_server.set_memory_alarm(False)
        rig.counted("dead", 2)
        wait_for(lambda: depth(rabbit, "notify.XQ") == 2, "both in .XQ")
        assert rig.health.problems() == []
    assert "after_process_message" in caplog.text
    assert "handler's own" not in caplog.text  # a foreign error may quote an item
    found: list[DeadLetterRecord] = []
    assert collect(rabbit, STAGES.values(), found.extend) == 2
    assert {dead_letter.message_id for dead_letter in found} == {"retried", "postponed"}


def test_kill_9_loses_nothing_that_was_confirmed(rabbit: str, rabbit_server: RabbitServer) -> None:
    rig = Rig(rabbit, quick("notify"))
    confirmed: set[int] = set()
    enough, ended = threading.Event(), threading.Event()

    def publish() -> None:
        try:
            for number in range(1, 100_000):
                rig.sender.send(NotifyChannel(channel_id=number))
                confirmed.add(number)
                if number == 300:
                    enough.set()
        except Unavailable:
            rig.broker.release()
            ended.set()

    thread = threading.Thread(target=publish)
    thread.start()
    assert enough.wait(PATIENCE)
    rabbit_server.kill9()
    assert ended.wait(PATIENCE)
    thread.join(PATIENCE)
    rabbit_server.start()
    with rig:
        seen: set[int] = set()
        while not confirmed <= seen:
            seen.add(rig.next()[0].channel_id)
    assert len(confirmed) >= 300


def test_after_a_restart_consumers_and_publishers_come_back(rabbit: str, rabbit_server: RabbitServer) -> None:
    """A message in progress on the old connection is redelivered, and settles nothing on the new one."""
    started, finish = threading.Event(), threading.Event()

    def slow(message: NotifyChannel, slot: object) -> None:
        if message.channel_id == 1 and not started.is_set():
            started.set()
            assert finish.wait(60)

    with Rig(rabbit, quick("notify", threads=2), handler=slow) as rig:
        rig.sender.send(NotifyChannel(channel_id=1))
        assert started.wait(PATIENCE)
        rabbit_server.kill9()
        wait_for(lambda: any("not connected" in each for each in rig.health.problems()), "the loss to show", PATIENCE)
        rabbit_server.start()
        wait_for(lambda: rig.health.problems() == [], "the consumers", PATIENCE)
        assert rig.exit_code is None
        assert rig.next()[0] == NotifyChannel(channel_id=1)  # delivered again, while its first run still lasts
        finish.set()
        assert rig.next()[0] == NotifyChannel(channel_id=1)
        rig.sender.send(NotifyChannel(channel_id=2))
        rig.sender.send(NotifyChannel(channel_id=3), delay=0.2)
        assert {rig.next()[0].channel_id for _ in range(2)} == {2, 3}
        rig.counted("ok", 4)
        wait_for(lambda: depth(rabbit, "notify") == 0, "an empty queue")


def test_a_settled_message_of_an_old_connection_touches_nothing(rabbit: str) -> None:
    """Delivery tags start at 1 on each connection: Dramatiq alone would acknowledge another message."""
    rig = Rig(rabbit, quick("notify"))
    rig.sender.send(NotifyChannel(channel_id=1))
    old = rig.broker.consume("notify", prefetch=1, timeout=2_000)
    first = next(old)
    old.close()
    new = rig.broker.consume("notify", prefetch=1, timeout=2_000)
    again = next(new)
    assert first is not None
    assert again is not None
    assert first._tag == again._tag
    new.ack(first)
    new.close()
    wait_for(lambda: depth(rabbit, "notify") == 1, "the message to come back")
    rig.end_unstarted()


def test_the_ingress_survives_a_restart(rabbit: str, rabbit_server: RabbitServer) -> None:
    seen: list[bytes] = []
    arrived = threading.Event()

    def handle(arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        seen.extend(arrival.body for arrival in arrivals)
        arrived.set()
        return [OK for _ in arrivals]

    def never(recorded: Sequence[DeadLetterRecord]) -> None:
        raise InvalidInput(recorded[0].reason)

    stop, door = threading.Event(), RabbitEvents(rabbit)
    consumer = IngressConsumer(rabbit, handle, never, metrics=ProcessMetrics(CollectorRegistry()))
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: not consumer.problems(), "the ingress")
        door.publish("item.recheck", {"event_id": "1"})
        assert arrived.wait(PATIENCE)
        rabbit_server.kill9()
        wait_for(consumer.problems, "the loss to show")
        with pytest.raises(Unavailable):
            door.publish("item.recheck", {"event_id": "2"})
        rabbit_server.start()
        arrived.clear()
        wait_for(lambda: not consumer.problems(), "the ingress", PATIENCE)
        door.publish("item.recheck", {"event_id": "3"})
        wait_for(lambda: b'{"event_id":"3"}' in seen, "the event")
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(PATIENCE)
        door.close()
    assert not thread.is_alive()
