"""Rate limiting through the bus: permits hold their slots, and no handler runs without a permit."""

from __future__ import annotations

import queue
from functools import partial
from typing import Any

import pytest

from overheard.bus.actor import StageWork
from overheard.messages import NotifyChannel
from overheard.permits import BudgetNeed, Reservation, Slot, TokenRate, permit_for
from tests.servers.bus_rig import PATIENCE, Rig, quick
from tests.servers.fixtures_rabbit import rabbit, rabbit_server  # noqa: F401


@pytest.fixture(params=["rabbitmq", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("rabbit")) if request.param == "rabbitmq" else "memory://"


class Line:
    """A limiter whose next slot is a short time away."""

    def __init__(self) -> None:
        self.reserved: list[str] = []
        self.used: list[Slot] = []

    def reserve(self, key: str, pace: TokenRate | None = None, *, patient: bool = False) -> Reservation:
        self.reserved.append(key)
        return Reservation(delay=0.3, slot=42.0)

    def until(self, key: str, slot: float) -> float:
        self.used.append(Slot(key, slot))
        return 0.0


def need(message: NotifyChannel) -> BudgetNeed:
    return BudgetNeed(f"channel:{message.channel_id}", max_wait=0.0)


def test_a_message_comes_back_for_its_slot_and_gets_the_permit_that_holds_it(url: str) -> None:
    line, waits, done = Line(), [], queue.Queue[int]()
    permits = partial(permit_for, line, wait=pytest.fail, on_wait=lambda kind, seconds: waits.append((kind, seconds)))  # type: ignore[arg-type]

    def handle(message: NotifyChannel, permit: Any) -> None:
        permit.acquire()
        done.put(message.channel_id)

    with Rig(url, quick("notify", max_retries=0), work=StageWork(handle, need), permits=permits) as rig:
        rig.sender.send(NotifyChannel(channel_id=7))
        assert done.get(timeout=PATIENCE) == 7
        rig.counted("ok")
        assert (line.reserved, line.used, waits) == (["channel:7"], [Slot("channel:7", 42.0)], [("channel", 0.3)])
        assert (rig.count("postponed"), rig.count("retried"), rig.count("dead")) == (1, 0, 0)


def test_without_a_permit_the_handler_does_not_run(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Dramatiq ignores a failing middleware; the handler must not run unlimited because of that."""
    handled: list[Any] = []

    def broken(message: NotifyChannel) -> BudgetNeed:
        raise ZeroDivisionError

    work = StageWork(lambda message, permit: handled.append(message), broken)
    with Rig(url, quick("notify", max_retries=1), work=work) as rig:
        rig.sender.send(NotifyChannel(channel_id=7))
        assert rig.dead_letter().reason == "KeyError (after 2 tries)"
    assert handled == []
    assert "before_process_message" in caplog.text
