from __future__ import annotations

import contextlib
import smtplib
import socket
import threading

import pytest

from overheard.net.deadline import MAX_ARRIVED_BYTES, Deadline
from overheard.net.egress_audit import guarded
from tests.servers.sink import MailSink


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


def test_it_ends_a_reply_that_a_library_collects_without_end() -> None:
    """smtplib keeps every line until the last one."""
    with MailSink() as mail:
        mail.endless = True
        with Deadline(20) as deadline, guarded(deadline, allow_private=True), contextlib.suppress(OSError):
            smtplib.SMTP("127.0.0.1", mail.port)
        assert deadline.cut == f"sent more than {MAX_ARRIVED_BYTES // 1024:,} KiB"
    assert mail.flooded < 64 * 2**20


def test_it_counts_over_all_connections_of_a_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as open_sockets:
        ours = [open_sockets.enter_context(socket.create_connection(server.getsockname())) for _ in range(3)]
        theirs = [open_sockets.enter_context(server.accept()[0]) for _ in ours]
        with Deadline(20) as deadline:
            for one, other in zip(ours, theirs, strict=True):
                deadline.watch(one)
                other.sendall(bytes(1000))
                assert one.recv(1000, socket.MSG_WAITALL)
            assert deadline._arrived() == 3000
        assert not deadline.passed
