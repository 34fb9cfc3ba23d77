"""Public events on a real RabbitMQ, as foreign clients publish them (docs/dramatiq.md)."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pika
import pytest
from prometheus_client import CollectorRegistry

from overheard.bus import amqp
from overheard.bus.dead_letters import DeadLetterRecord
from overheard.bus.event_batches import OK, EventOutcome, IncomingEvent, refused
from overheard.bus.event_consumer import IngressConsumer
from overheard.bus.events import message_id_of, parse
from overheard.bus.public_exchange import EXCHANGE, INGRESS, REJECTED, UNROUTED, RabbitEvents, declare
from overheard.errors import InvalidInput, NotFound, Unavailable
from overheard.observability.metrics import EVENT_OUTCOMES, ProcessMetrics
from tests.servers import odd_headers
from tests.servers.bus_rig import PATIENCE, depth
from tests.servers.fixtures_rabbit import rabbit, rabbit_server  # noqa: F401
from tests.servers.rabbitmq import RabbitServer
from tests.servers.waiting import wait_for

# ruff: noqa: F811

BODIES = [
    b'{"workspace": "acme"}',
    b'{"workspace": 7, "event_id": "e"}',
    b"{bad json",
    b'{"workspace": "\xff"}',
    b"[" * 50_000,
    b"true",
    b'{"workspace": NaN}',
    b'{"workspace": "a", "reason": "' + b"x" * 70_000 + b'"}',
    b'{"workspace": true}',
    b"{}",
]


class Ingress:
    """A running ingress whose handler parses the events and then does what the test sets."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.handled: list[tuple[str, bytes, str | None]] = []
        self.recorded: list[DeadLetterRecord] = []
        self.fails: list[Exception] = []
        self.record_fails: Exception | None = None
        self.stop = threading.Event()
        self.metrics = ProcessMetrics(CollectorRegistry())
        self.consumer = IngressConsumer(url, self.handle_all, self.record, metrics=self.metrics)
        self.thread = threading.Thread(target=self.consumer.run, args=(self.stop,))
        self.connection = pika.BlockingConnection(amqp.parameters(url))
        self.channel = self.connection.channel()
        declare(self.channel)
        self.channel.confirm_delivery()

    def handle_all(self, arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        if self.fails and isinstance(self.fails[0], Unavailable):
            raise self.fails.pop(0)
        return [self.settled_of(arrival) for arrival in arrivals]

    def settled_of(self, arrival: IncomingEvent) -> EventOutcome:
        try:
            self.handle(arrival.key, arrival.body, arrival.message_id)
        except (InvalidInput, NotFound) as error:
            return refused(error)
        return OK

    def handle(self, key: str, body: bytes, message_id: str | None) -> None:
        parse(key, body)
        if self.fails:
            raise self.fails.pop(0)
        self.handled.append((key, body, message_id))

    def record(self, recorded: Sequence[DeadLetterRecord]) -> None:
        if self.record_fails is not None:
            raise self.record_fails
        self.recorded += recorded

    def counted(self) -> dict[str, float]:
        """Return the counts of its events by outcome, from the metrics, once all are handled."""
        value = self.metrics.registry.get_sample_value
        wait_for(lambda: value("overheard_stage_in_progress", {"stage": "ingress"}) == 0, "the last event", PATIENCE)
        labels = [{"stage": "ingress", "outcome": outcome} for outcome in EVENT_OUTCOMES]
        return {each["outcome"]: value("overheard_stage_messages_total", each) or 0.0 for each in labels}

    def put(self, key: str, body: bytes) -> None:
        self.channel.basic_publish(EXCHANGE, key, body, mandatory=True)

    def settled(self, handled: int, rejected: int) -> None:
        wait_for(lambda: (len(self.handled), len(self.recorded)) == (handled, rejected), "the events", PATIENCE)

    def rejected(self) -> list[tuple[dict[str, Any], bytes]]:
        found = []
        while (got := self.channel.basic_get(REJECTED, auto_ack=True))[0] is not None:
            found.append((got[1].headers, got[2]))
        return found


@pytest.fixture
def ingress(rabbit: str) -> Iterator[Ingress]:
    running = Ingress(rabbit)
    running.thread.start()
    yield running
    running.stop.set()
    running.thread.join(PATIENCE)
    running.connection.close()
    assert not running.thread.is_alive()


def test_ten_bodies_two_run_eight_are_kept_with_their_reason(ingress: Ingress) -> None:
    for body in BODIES:
        ingress.put("workspace.due", body)
    ingress.settled(2, 8)
    assert [body for _, body, _ in ingress.handled] == BODIES[:2]
    rejected = ingress.rejected()
    assert [body for _, body in rejected] == BODIES[2:]
    assert all(headers["x-reason"] and headers["x-routing-key"] == "workspace.due" for headers, _ in rejected)
    assert [headers["x-reason"] for headers, _ in rejected] == [dead_letter.reason for dead_letter in ingress.recorded]
    assert len({dead_letter.message_id for dead_letter in ingress.recorded}) == 8
    assert {dead_letter.origin for dead_letter in ingress.recorded} == {"rejected"}
    wait_for(lambda: depth(ingress.url, INGRESS) == 0, "an empty ingress")
    assert ingress.counted() == {"ok": 2, "merged": 0, "retried": 0, "rejected": 8}
    assert (
        ingress.metrics.registry.get_sample_value("overheard_stage_duration_seconds_count", {"stage": "ingress"}) == 10
    )


def test_rabbitmqadmin_publishes_and_a_mistyped_key_is_kept(ingress: Ingress, rabbit_server: RabbitServer) -> None:
    said = rabbit_server.admin(
        ingress.url, "publish", f"exchange={EXCHANGE}", "routing_key=workspace.due", 'payload={"workspace": "acme"}'
    )
    assert "Message published" in said
    rabbit_server.admin(ingress.url, "publish", f"exchange={EXCHANGE}", "routing_key=workspace.deu", "payload={}")
    ingress.settled(1, 1)
    assert ingress.handled[0][:2] == ("workspace.due", b'{"workspace": "acme"}')
    assert ingress.recorded[0].reason.startswith("no such event type 'workspace.deu'; valid: workspace.due")
    ((headers, _),) = ingress.rejected()
    assert (headers["x-routing-key"], headers["x-origin"]) == ("workspace.deu", UNROUTED)
    assert ingress.counted() == {"ok": 1, "merged": 0, "retried": 0, "rejected": 1}


def test_rabbit_events_is_confirmed_thread_safe_and_strict(ingress: Ingress) -> None:
    door = RabbitEvents(ingress.url)
    threads = [
        threading.Thread(target=door.publish, args=("workspace.due", {"workspace": number})) for number in range(1, 21)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert door.publish("workspace.digest", {"workspace": "acme", "event_id": "e7"}) == "e7"
    with pytest.raises(InvalidInput, match=r"valid: workspace\.due"):
        door.publish("workspace.deu", {})
    door.close()
    ingress.settled(21, 0)
    assert {json.loads(body)["workspace"] for _, body, _ in ingress.handled} == {*range(1, 21), "acme"}
    key, body, message_id = ingress.handled[-1]
    assert (key, message_id) == ("workspace.digest", "e7")
    assert message_id_of(parse(key, body)) == message_id_of(parse(key, body))


def test_an_event_with_odd_headers_is_handled(ingress: Ingress) -> None:
    for headers in odd_headers.ODD.values():
        with odd_headers.writable():
            ingress.channel.basic_publish(
                EXCHANGE, "workspace.due", BODIES[0], pika.BasicProperties(headers=headers), mandatory=True
            )
    ingress.settled(len(odd_headers.ODD), 0)


def test_events_wait_while_a_server_is_away(ingress: Ingress) -> None:
    ingress.fails += [Unavailable("database away"), Unavailable("database away", delay=0.1)]
    ingress.put("workspace.due", BODIES[0])
    ingress.settled(1, 0)
    ingress.put("workspace.due", BODIES[1])
    ingress.settled(2, 0)
    assert ingress.consumer.problems() == []
    assert ingress.counted() == {"ok": 2, "merged": 0, "retried": 2, "rejected": 0}


def test_health_says_why_events_are_held_back(ingress: Ingress) -> None:
    ingress.fails += [Unavailable("the stages' queues do not answer") for _ in range(3)]
    ingress.put("workspace.due", BODIES[0])
    held_back = "events are held back: the stages' queues do not answer"
    wait_for(lambda: ingress.consumer.problems() == [held_back], "the problem", PATIENCE)
    ingress.settled(1, 0)
    wait_for(lambda: ingress.consumer.problems() == [], "the end of the problem", PATIENCE)


def test_events_rejected_by_the_handler_or_its_bugs_are_kept_with_a_reason(ingress: Ingress) -> None:
    ingress.fails += [NotFound("no workspace 'acme'; there are: other"), ZeroDivisionError("secret")]
    for number, body in enumerate((BODIES[0], BODIES[1], BODIES[0])):
        ingress.put("workspace.due", body)
        ingress.settled(number // 2, min(number + 1, 2))
    assert [dead_letter.reason for dead_letter in ingress.recorded] == [
        "no workspace 'acme'; there are: other",
        "internal error: ZeroDivisionError",
    ]


def test_a_failing_recorder_loses_nothing(rabbit: str) -> None:
    running = Ingress(rabbit)
    running.record_fails = Unavailable("database away")
    running.thread.start()
    running.put("workspace.due", b"{}")
    wait_for(lambda: depth(rabbit, REJECTED) == 1 and depth(rabbit, INGRESS) == 0, "the refusal")
    running.stop.set()
    running.thread.join(PATIENCE)
    running.connection.close()


def test_the_public_queues_are_quorum_and_a_mismatch_is_named(rabbit: str, rabbit_server: RabbitServer) -> None:
    connection = pika.BlockingConnection(amqp.parameters(rabbit))
    connection.channel().queue_declare(REJECTED, durable=True)
    with pytest.raises(amqp.QueueMismatch, match=f"queue {REJECTED} exists"):
        declare(connection.channel())
    connection.channel().queue_delete(REJECTED)
    declare(connection.channel())
    connection.close()
    found = rabbit_server.api("GET", f"/queues/{rabbit.rsplit('/', 1)[1]}")
    assert {each["name"]: each["arguments"]["x-queue-type"] for each in found} == dict.fromkeys(
        (INGRESS, UNROUTED, REJECTED), "quorum"
    )
