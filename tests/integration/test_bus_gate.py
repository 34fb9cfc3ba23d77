"""A process that cannot work consumes nothing, returns its messages to the bus, and resumes by itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from overheard.errors import Unavailable
from overheard.messages import NotifyChannel
from tests.servers.bus_rig import PATIENCE, Rig, depth, quick
from tests.servers.waiting import wait_for

AWAY = "the database does not answer: timeout expired"


def channels(rig: Rig, count: int) -> list[int]:
    return sorted(rig.next()[0].channel_id for _ in range(count))


def test_messages_of_a_process_that_cannot_work_go_to_another(rabbit_url: str) -> None:
    started, finish = threading.Event(), threading.Event()

    def hang_and_fail(message: NotifyChannel, slot: object) -> None:
        if rig.problem is None and message.channel_id > 3:
            return  # it can work again
        started.set()
        assert finish.wait(60)
        raise Unavailable(AWAY)

    with Rig(rabbit_url, quick("notify", threads=1), handler=hang_and_fail) as rig:
        for channel in (1, 2, 3):
            rig.sender.send(NotifyChannel(channel_id=channel))
        rig.sender.send(NotifyChannel(channel_id=3), delay=2)
        assert started.wait(PATIENCE)
        rig.problem = AWAY
        assert rig.health.problems() == [AWAY]
        with Rig(rabbit_url, quick("notify")) as other:
            assert channels(other, 4) == [1, 2, 3, 3], "the one that hangs, too: its connection is closed"
            finish.set()
            rig.counted("retried")
            wait_for(lambda: depth(rabbit_url, "notify") == depth(rabbit_url, "notify.DQ") == 0, "empty queues")
            assert other.handled.empty(), "no copy was made of what had been given back"
        rig.problem = None
        wait_for(lambda: not rig.health.problems(), "the consumers", PATIENCE)
        rig.sender.send(NotifyChannel(channel_id=4))
        assert channels(rig, 1) == [4]


def test_a_process_that_cannot_work_consumes_nothing(rabbit_url: str) -> None:
    with Rig(rabbit_url, quick("notify", threads=2)) as rig:
        rig.problem = AWAY
        wait_for(lambda: not rig.health._workers[0].consumers["notify"].consumer.connected, "the gate", PATIENCE)
        for channel in range(1, 31):
            rig.sender.send(NotifyChannel(channel_id=channel))
        with Rig(rabbit_url, quick("notify", threads=2)) as other:
            assert channels(other, 30) == list(range(1, 31))
        assert rig.handled.empty()
        rig.problem = None
        rig.sender.send(NotifyChannel(channel_id=31))
        assert channels(rig, 1) == [31]
        rig.problem = AWAY
        wait_for(lambda: not rig.health._workers[0].consumers["notify"].consumer.connected, "the gate", PATIENCE)
    assert rig.exit_code == 0, "it can be stopped, too"


@pytest.mark.parametrize("bus", ["memory://", "rabbit"])
def test_messages_on_the_memory_bus_stay_queued(bus: str, request: pytest.FixtureRequest) -> None:
    """There is no other process to return them to."""
    url = request.getfixturevalue("rabbit_url") if bus == "rabbit" else bus
    began, go_on = threading.Event(), threading.Event()

    def slow(message: Any, slot: object) -> None:
        began.set()
        assert go_on.wait(60)

    with Rig(url, quick("notify", threads=1), handler=slow) as rig:
        for channel in (1, 2, 3):
            rig.sender.send(NotifyChannel(channel_id=channel))
        assert began.wait(PATIENCE)
        rig.problem = AWAY
        wait_for(lambda: all(each.paused for each in rig.health._workers[0].workers), "the gate", PATIENCE)
        go_on.set()
        assert channels(rig, 1) == [1]
        rig.problem = None
        found: set[int] = set()
        while not {2, 3} <= found:
            found.update(channels(rig, 1))
