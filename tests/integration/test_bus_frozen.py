"""A RabbitMQ that accepts connections and does not answer counts as down within 20 s, and all clients recover."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry

from overheard.bus import amqp
from overheard.bus.dead_letter_collector import collect
from overheard.bus.event_batches import OK, EventOutcome, IncomingEvent
from overheard.bus.event_consumer import IngressConsumer
from overheard.bus.public_exchange import RabbitEvents
from overheard.bus.queue_depths import inspect
from overheard.errors import Unavailable
from overheard.messages import NotifyChannel
from overheard.observability.metrics import ProcessMetrics
from overheard.stages import STAGES
from tests.servers.bus_rig import PATIENCE, Rig, quick
from tests.servers.rabbitmq import RabbitServer
from tests.servers.waiting import wait_for

DOWN_WITHIN_SECONDS = 20.0
SILENT = "accepts connections, but does not answer"


@pytest.fixture
def silent_url() -> Iterator[str]:
    """The URL of a server that accepts connections, as a kernel does for it, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"amqp://u:hunter2@127.0.0.1:{listener.getsockname()[1]}/v?stack_timeout=1"


@contextmanager
def consuming(url: str) -> Iterator[tuple[IngressConsumer, list[bytes], threading.Thread]]:
    """Run an ingress; yield what it has handled, and its thread."""
    handled: list[bytes] = []
    stop = threading.Event()

    def handle(arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        handled.extend(arrival.body for arrival in arrivals)
        return [OK for _ in arrivals]

    consumer = IngressConsumer(url, handle, lambda recorded: None, metrics=ProcessMetrics(CollectorRegistry()))
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    try:
        yield consumer, handled, thread
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_the_timeouts_add_up_to_less_than_20_seconds() -> None:
    given = amqp.parameters("amqp://u:p@h:1/v")
    assert given.stack_timeout < DOWN_WITHIN_SECONDS
    assert given.tcp_options == amqp.TCP_OPTIONS
    assert amqp.PROBE_INTERVAL_SECONDS + amqp.ANSWER_TIMEOUT_SECONDS < DOWN_WITHIN_SECONDS


def test_a_server_that_never_answers_is_unavailable_to_all(silent_url: str) -> None:
    publishing = RabbitEvents(silent_url)
    rig = Rig(silent_url, quick("notify"))
    askers: list[Callable[[], object]] = [
        lambda: amqp.connect(amqp.parameters(silent_url)),
        lambda: publishing.publish("item.recheck", {}),
        lambda: rig.sender.send(NotifyChannel(channel_id=1)),
        lambda: rig.broker.consume("notify"),
        lambda: inspect(silent_url),
        lambda: collect(silent_url, STAGES.values(), lambda recorded: None),
    ]
    began = time.monotonic()
    with ThreadPoolExecutor(len(askers)) as pool:
        for answer in [pool.submit(asker) for asker in askers]:
            with pytest.raises(amqp.BusUnavailable, match=SILENT) as told:
                answer.result(DOWN_WITHIN_SECONDS)
            assert "hunter2" not in str(told.value)
    assert time.monotonic() - began < DOWN_WITHIN_SECONDS
    rig.end_unstarted()


def test_a_silent_server_ends_neither_a_stage_nor_the_ingress(silent_url: str) -> None:
    rig = Rig(silent_url, quick("notify"))
    with consuming(silent_url) as (consumer, _, ingress):
        rig._thread.start()
        wait_for(lambda: any("not connected" in each for each in rig.health.problems()), "the stage's health", 20)
        assert any("not connected" in each for each in consumer.problems())
        assert rig._thread.is_alive()
        assert ingress.is_alive()
    assert rig.end() == 0


def test_a_frozen_server_is_noticed_by_all_and_found_again(rabbit_url: str, rabbit_server: RabbitServer) -> None:
    publishing = RabbitEvents(rabbit_url)
    with Rig(rabbit_url, quick("notify")) as rig, consuming(rabbit_url) as (consumer, handled, _):
        wait_for(lambda: not consumer.problems(), "the ingress", PATIENCE)
        publishing.publish("item.recheck", {"event_id": "before"})
        rig.sender.send(NotifyChannel(channel_id=1))
        rig.next()
        with rabbit_server.frozen(), ThreadPoolExecutor(2) as pool:
            began = time.monotonic()
            sending = pool.submit(rig.sender.send, NotifyChannel(channel_id=2))
            asking = pool.submit(publishing.publish, "item.recheck", {"event_id": "meanwhile"})
            wait_for(rig.health.problems, "the stage's health", DOWN_WITHIN_SECONDS)
            wait_for(consumer.problems, "the ingress' health", DOWN_WITHIN_SECONDS)
            for attempt in (sending, asking):
                with pytest.raises(Unavailable, match=SILENT):
                    attempt.result(DOWN_WITHIN_SECONDS)
            assert time.monotonic() - began < DOWN_WITHIN_SECONDS
        wait_for(lambda: not rig.health.problems(), "the stage", DOWN_WITHIN_SECONDS)
        wait_for(lambda: not consumer.problems(), "the ingress", DOWN_WITHIN_SECONDS)
        publishing.publish("item.recheck", {"event_id": "after"})
        rig.sender.send(NotifyChannel(channel_id=3))
        while rig.next()[0] != NotifyChannel(channel_id=3):
            pass  # number 2 may have come through
        wait_for(lambda: b'{"event_id":"after"}' in handled, "the event", DOWN_WITHIN_SECONDS)
    publishing.close()
