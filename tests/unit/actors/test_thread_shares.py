"""What hangs, or is very many, leaves threads to the others (I6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from actors.notify.receiver_shares import MAX_IDLE_FAILED_RECEIVERS, ReceiverShares, receiver_of
from actors.thread_shares import RETURN_SPACING_SECONDS
from overheard.db.channels import ChannelRow

SLOW_SECONDS = 5.0


class Threads:
    """Threads of a process that are at work: on which channels, and how to end each."""

    def __init__(self, count: int, clock: Any) -> None:
        self.shares = ReceiverShares(count, slow_seconds=SLOW_SECONDS, max_wait=0, clock=clock)
        self.open: dict[int, ExitStack] = {}

    def begin(self, channel: ChannelRow) -> float | None:
        stack = ExitStack()
        later = stack.enter_context(self.shares.held(channel))
        if later is None:
            self.open[channel.id] = stack
        else:
            stack.close()
        return later

    def end(self, channel: ChannelRow, how: Callable[[ChannelRow], None] | None = None) -> None:
        if how is not None:
            how(channel)
        self.open.pop(channel.id).close()

    def fill(self, channels: list[ChannelRow]) -> int:
        """Begin with as many of them as there is room for; how many."""
        return sum(self.begin(channel) is None for channel in channels)


@pytest.fixture
def threads(clock: Any) -> Threads:
    return Threads(8, clock)


def channel(number: int, workspace: str = "", host: str = "", failures: int = 0) -> ChannelRow:
    url = f"https://{host or f'host{number}'}/hook"
    return ChannelRow(number, workspace or f"w{number}", "team", url, None, "instant", None, None, None, failures)


def test_one_workspace_has_a_third_of_the_threads(threads: Threads) -> None:
    assert threads.fill([channel(number, workspace="acme") for number in range(100)]) == 2
    assert threads.begin(channel(200)) is None
    threads.end(channel(0, workspace="acme"))
    assert threads.begin(channel(99, workspace="acme")) is None


def test_what_fails_has_a_quarter_of_them_together(threads: Threads) -> None:
    assert threads.fill([channel(number, failures=1) for number in range(16)]) == 2
    assert threads.begin(channel(100)) is None
    assert threads.fill([channel(number, workspace="acme", failures=3) for number in range(200, 205)]) == 0


def test_what_fails_leaves_its_own_workspace_a_thread(threads: Threads) -> None:
    assert threads.fill([channel(number, workspace="acme", failures=1) for number in range(16)]) == 1
    assert threads.begin(channel(50, workspace="acme")) is None


def test_a_service_that_begins_to_hang_does_not_take_all_threads(threads: Threads, clock: Any) -> None:
    """Nobody knows yet: its channels have worked until now, and are of workspaces of their own."""
    other = channel(100, host="example.org")
    service = [channel(number, host="hooks.example.com") for number in range(16)]
    for works in (other, service[0]):
        threads.begin(works)
        threads.end(works, threads.shares.record_response)
    clock.advance(1)
    assert threads.fill(service) == 4
    assert threads.begin(other) is None
    threads.end(other, threads.shares.record_response)
    clock.advance(20)
    for each in service[:4]:
        threads.end(each, threads.shares.record_failure)
    assert threads.fill(service[4:]) == 2, "its other channels need not find out one by one"
    threads.end(service[4], threads.shares.record_response)
    assert threads.fill(service[6:]) == 3, "it is back"


def test_a_service_that_keeps_us_waiting_counts_as_failing_before_it_has_failed(threads: Threads, clock: Any) -> None:
    service = [channel(number, host="hooks.example.com") for number in range(16)]
    assert threads.fill(service[:2]) == 2
    clock.advance(SLOW_SECONDS + 0.1)
    assert threads.fill(service[2:]) == 2
    assert threads.begin(channel(100)) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_threads_are_shared_too(count: int, clock: Any) -> None:
    threads = Threads(count, clock)
    assert threads.fill([channel(number, workspace="acme", failures=1) for number in range(3)]) == 1
    assert threads.fill([channel(number, failures=1) for number in range(10, 13)]) == 0
    threads.end(channel(0, workspace="acme", failures=1))
    assert threads.fill([channel(number, host="one") for number in range(20, 30)]) == max(1, count // 2)


def test_who_finds_a_share_full_comes_back_one_after_the_other(threads: Threads, clock: Any) -> None:
    """So a full share is asked for a few times a second, however many wait for it."""
    crowd = [channel(number, workspace="acme") for number in range(100)]
    assert threads.fill(crowd[:2]) == 2
    least, most = RETURN_SPACING_SECONDS
    waits = [threads.begin(each) for each in crowd[2:]]
    assert waits == [pytest.approx(least * (place + 1)) for place in range(98)]
    clock.advance(20)
    first, second = threads.begin(crowd[2]), threads.begin(crowd[3])
    assert (first, second) == (pytest.approx(most), pytest.approx(2 * most)), "it is stuck: less often"


def test_where_others_come_and_go_a_thread_waits_a_moment() -> None:
    """A receiver that all workspaces have in common answers in milliseconds: to come back would cost more."""
    shares = ReceiverShares(6, slow_seconds=SLOW_SECONDS)
    sink = [channel(number, host="sink") for number in range(4)]
    entered, done = threading.Event(), threading.Event()

    def work() -> None:
        with shares.held(sink[0]):
            entered.set()
            done.wait(10)

    threads = [threading.Thread(target=work)]
    threads[0].start()
    entered.wait(10)
    with shares.held(sink[1]), shares.held(sink[2]):
        wait = shares._threads._changed.wait

        def waits(timeout: float | None = None) -> bool:
            done.set()
            return wait(timeout)

        shares._threads._changed.wait = waits  # type: ignore[method-assign]
        with shares.held(sink[3]) as later:
            assert later is None
    threads[0].join(10)


def test_hosts_are_forgotten(threads: Threads, clock: Any) -> None:
    for outcome, left in (
        (threads.shares.record_response, 0),
        (threads.shares.record_failure, MAX_IDLE_FAILED_RECEIVERS),
    ):
        for number in range(1500):
            threads.begin(channel(number))
            threads.end(channel(number), outcome)
        assert len(threads.shares._receivers) == left
    assert threads.shares._threads._shares == {}


@pytest.mark.parametrize(
    ("url", "receiver"),
    [
        ("https://Hooks.Example.com:8443/x?y=//z", "hooks.example.com:8443"),
        ("http://user:pass@[::1]:80?q=a@b", "[::1]:80"),
        ("slack://TokenA/TokenB/TokenC", "slack"),
        ("mailto://user:pass@example.org", "mailto"),
        ("null:", "null:"),
    ],
)
def test_who_is_one_receiver(url: str, receiver: str) -> None:
    assert receiver_of(url) == receiver
