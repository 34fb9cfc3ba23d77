"""The server's clock between two answers: counted on, followed, and never moved by a slow answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from overheard.db.clock import MAX_AGE_SECONDS, ServerClock
from tests.fixtures import Clock

SERVER = 1_795_424_400.0


@pytest.fixture
def steady(clock: Clock) -> Any:
    clock.now = 500.0
    return clock


def answer(steady: Any, server_time: float, *, after: float = 0.0, on_the_way_back: float = 0.0) -> Callable[[], float]:
    """A server that reads its clock ``after`` seconds after the request, and whose answer takes time, too."""

    def server() -> float:
        steady.advance(after + on_the_way_back)
        return server_time

    return server


def test_before_the_first_answer_the_clock_is_the_machine_s(steady: Any) -> None:
    server = ServerClock(steady)
    assert server() == pytest.approx(time.time(), abs=5)
    assert server.stale


def test_the_clock_counts_on_and_becomes_stale(steady: Any) -> None:
    server = ServerClock(steady)
    server.synchronize(answer(steady, SERVER))
    assert (server(), server.stale) == (SERVER, False)
    steady.advance(MAX_AGE_SECONDS)
    assert (server(), server.stale) == (SERVER + MAX_AGE_SECONDS, False)
    steady.advance(0.1)
    assert server.stale


def test_the_first_answer_counts_as_right_halfway(steady: Any) -> None:
    server = ServerClock(steady)
    server.synchronize(answer(steady, SERVER, after=1.0, on_the_way_back=3.0))
    assert server() == SERVER + 2


@pytest.mark.parametrize(("way_there", "way_back"), [(0.0, 8.0), (8.0, 0.0), (4.0, 4.0)])
def test_a_slow_answer_changes_nothing(steady: Any, way_there: float, way_back: float) -> None:
    server = ServerClock(steady)
    server.synchronize(answer(steady, SERVER))
    server.synchronize(answer(steady, SERVER + way_there, after=way_there, on_the_way_back=way_back))
    assert server() == SERVER + 8


@pytest.mark.parametrize("step", [3600.0, -3600.0, 0.5, -0.5])
def test_a_step_of_the_server_s_clock_is_followed(steady: Any, step: float) -> None:
    server = ServerClock(steady)
    server.synchronize(answer(steady, SERVER))
    server.synchronize(answer(steady, SERVER + step, after=0.01, on_the_way_back=0.01))
    assert server() == pytest.approx(SERVER + step, abs=0.03)
