"""Channels that hang, or are very many, leave threads to the others (I6)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from actors.notify.receiver_shares import MAX_IDLE_FAILED_RECEIVERS, ReceiverShares, receiver_of
from actors.thread_shares import RETURN_SPACING_SECONDS
from overheard.db.channels import ChannelRow
from tests.fixtures import Clock

SLOW_SECONDS = 5.0


class Threads:
    """The rounds that a process runs at the moment, by channel, and how to end each."""

    def __init__(self, count: int, clock: Clock) -> None:
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
        """Begin rounds of the channels until the shares are full; return how many began."""
        return sum(self.begin(channel) is None for channel in channels)


@pytest.fixture
def threads(clock: Clock) -> Threads:
    return Threads(8, clock)


def channel(number: int, workspace: str = "", host: str = "", failures: int = 0) -> ChannelRow:
    url = f"https://{host or f'host{number}'}/hook"
    return ChannelRow(number, workspace or f"w{number}", "team", url, None, "instant", None, None, None, failures)


def test_one_workspace_holds_at_most_a_third_of_the_threads(threads: Threads) -> None:
    assert threads.fill([channel(number, workspace="acme") for number in range(100)]) == 2
    assert threads.begin(channel(200)) is None
    threads.end(channel(0, workspace="acme"))
    assert threads.begin(channel(99, workspace="acme")) is None


def test_failing_channels_hold_at_most_a_quarter_of_the_threads_together(threads: Threads) -> None:
    assert threads.fill([channel(number, failures=1) for number in range(16)]) == 2
    assert threads.begin(channel(100)) is None
    assert threads.fill([channel(number, workspace="acme", failures=3) for number in range(200, 205)]) == 0


def test_failing_channels_leave_a_thread_to_their_own_workspace(threads: Threads) -> None:
    assert threads.fill([channel(number, workspace="acme", failures=1) for number in range(16)]) == 1
    assert threads.begin(channel(50, workspace="acme")) is None


def test_a_service_that_begins_to_hang_holds_at_most_half_of_the_threads(threads: Threads, clock: Clock) -> None:
    """Nothing shows it yet: its channels worked until now, and each belongs to another workspace."""
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
    assert threads.fill(service[4:]) == 2, "its other channels count as failing too"
    threads.end(service[4], threads.shares.record_response)
    assert threads.fill(service[6:]) == 3, "the service has recovered"


def test_a_slow_service_counts_as_failing_before_its_first_failure(threads: Threads, clock: Clock) -> None:
    service = [channel(number, host="hooks.example.com") for number in range(16)]
    assert threads.fill(service[:2]) == 2
    clock.advance(SLOW_SECONDS + 0.1)
    assert threads.fill(service[2:]) == 2
    assert threads.begin(channel(100)) is None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_share_has_at_least_one_thread(count: int, clock: Clock) -> None:
    threads = Threads(count, clock)
    assert threads.fill([channel(number, workspace="acme", failures=1) for number in range(3)]) == 1
    assert threads.fill([channel(number, failures=1) for number in range(10, 13)]) == 0
    threads.end(channel(0, workspace="acme", failures=1))
    assert threads.fill([channel(number, host="one") for number in range(20, 30)]) == max(1, count // 2)


def test_rounds_that_find_a_share_full_return_one_after_the_other(threads: Threads, clock: Clock) -> None:
    """So a full share is tried a few times per second, however many rounds wait for it."""
    crowd = [channel(number, workspace="acme") for number in range(100)]
    assert threads.fill(crowd[:2]) == 2
    least, most = RETURN_SPACING_SECONDS
    waits = [threads.begin(each) for each in crowd[2:]]
    assert waits == [pytest.approx(least * (place + 1)) for place in range(98)]
    clock.advance(20)
    first, second = threads.begin(crowd[2]), threads.begin(crowd[3])
    assert (first, second) == (pytest.approx(most), pytest.approx(2 * most)), "a stuck share is tried less often"


def test_a_thread_waits_for_a_share_that_flows() -> None:
    """A receiver that all workspaces share responds in milliseconds: rescheduling would cost more."""
    shares = ReceiverShares(6, slow_seconds=SLOW_SECONDS)
    sink = [channel(number, host="sink") for number in range(4)]
    entered, done = threading.Event(), threading.Event()

    def work() -> None:
        with shares.held(sink[0]):
            entered.set()
            done.wait(60)

    threads = [threading.Thread(target=work)]
    threads[0].start()
    entered.wait(60)
    with shares.held(sink[1]), shares.held(sink[2]):
        wait = shares._threads._changed.wait

        def waits(timeout: float | None = None) -> bool:
            done.set()
            return wait(timeout)

        shares._threads._changed.wait = waits  # type: ignore[method-assign]
        with shares.held(sink[3]) as wait_seconds:
            assert wait_seconds is None
    threads[0].join(60)


def test_idle_receivers_are_forgotten(threads: Threads, clock: Clock) -> None:
    for outcome, left in (
        (threads.shares.record_response, 0),
        (threads.shares.record_failure, MAX_IDLE_FAILED_RECEIVERS),
    ):
        for number in range(1500):
            threads.begin(channel(number))
            threads.end(channel(number), outcome)
        assert len(threads.shares._receivers) == left
    assert threads.shares._threads._shares == {}


def test_many_receivers_that_failed_once_do_not_hide_that_another_fails(threads: Threads) -> None:
    for number in range(1500):
        threads.begin(channel(number, workspace="acme"))
        threads.end(channel(number, workspace="acme"), threads.shares.record_failure)
    threads.begin(channel(2000, host="down"))
    threads.end(channel(2000, host="down"), threads.shares.record_failure)
    assert threads.fill([channel(number, host="down") for number in range(3000, 3010)]) == 2


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
def test_receiver_of_a_url(url: str, receiver: str) -> None:
    assert receiver_of(url) == receiver
