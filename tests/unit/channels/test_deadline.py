from __future__ import annotations

import socket
import threading

import pytest

from overheard.channels.deadline import Deadline


def test_it_wakes_who_is_blocked_on_a_watched_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(0.05) as deadline:
        deadline.watch(ours)
        assert ours.recv(1) == b""
        assert deadline.passed


def test_a_socket_that_comes_too_late_is_shut_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(0.0) as deadline:
        deadline._timer.join()
        deadline.watch(ours)
        assert ours.recv(1) == b""


def test_it_leaves_the_socket_alone_when_all_went_well() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with Deadline(30) as deadline:
            deadline.watch(ours)
        theirs.sendall(b"x")
        assert ours.recv(1) == b"x"
    assert not deadline.passed


def test_hurrying_cuts_sooner_and_counts_as_no_failure() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(30) as deadline:
        deadline.watch(ours)
        deadline.hurry(0.05)
        assert ours.recv(1) == b""
        assert not deadline.passed


@pytest.mark.parametrize("hurry", [False, True])
def test_no_thread_stays_behind(hurry: bool) -> None:
    before = set(threading.enumerate())
    with Deadline(60) as deadline:
        if hurry:
            deadline.hurry(30)
        timers = set(threading.enumerate()) - before
    for timer in timers:
        timer.join(5)
        assert not timer.is_alive()
