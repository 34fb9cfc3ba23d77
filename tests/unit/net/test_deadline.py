from __future__ import annotations

import contextlib
import smtplib
import socket
import threading

import pytest

from overheard.net.deadline import MAX_ARRIVED_BYTES, Deadline
from overheard.net.egress_audit import guarded
from tests.servers.sink import MailSink


def test_a_read_blocked_on_a_watched_socket_ends() -> None:
    local, remote = socket.socketpair()
    with local, remote, Deadline(0.05) as deadline:
        deadline.watch(local)
        assert local.recv(1) == b""
        assert deadline.passed


def test_a_socket_watched_after_the_end_is_shut_at_once() -> None:
    local, remote = socket.socketpair()
    with local, remote, Deadline(0.0) as deadline:
        deadline._timer.join()
        deadline.watch(local)
        assert local.recv(1) == b""


def test_sockets_stay_open_after_a_success() -> None:
    local, remote = socket.socketpair()
    with local, remote:
        with Deadline(30) as deadline:
            deadline.watch(local)
        remote.sendall(b"x")
        assert local.recv(1) == b"x"
    assert not deadline.passed


def test_a_shortened_deadline_cuts_sooner_and_is_not_a_failure() -> None:
    local, remote = socket.socketpair()
    with local, remote, Deadline(30) as deadline:
        deadline.watch(local)
        deadline.shorten(0.05)
        assert local.recv(1) == b""
        assert not deadline.passed


@pytest.mark.parametrize("shortened", [False, True])
def test_no_thread_is_left_behind(shortened: bool) -> None:
    before = set(threading.enumerate())
    with Deadline(60) as deadline:
        if shortened:
            deadline.shorten(30)
        timers = set(threading.enumerate()) - before
    for timer in timers:
        timer.join(60)
        assert not timer.is_alive()


def test_a_reply_that_a_library_collects_without_end_is_cut_off() -> None:
    """smtplib keeps every line until the last one arrives."""
    with MailSink() as mail:
        mail.endless = True
        with Deadline(20) as deadline, guarded(deadline, allow_private=True), contextlib.suppress(OSError):
            smtplib.SMTP("127.0.0.1", mail.port)
        assert deadline.cut_reason == f"sent more than {MAX_ARRIVED_BYTES // 1024:,} KiB"
    assert mail.flooded < 64 * 2**20


def test_bytes_are_counted_over_all_connections_of_an_attempt() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as open_sockets:
        connections = [open_sockets.enter_context(socket.create_connection(server.getsockname())) for _ in range(3)]
        accepted = [open_sockets.enter_context(server.accept()[0]) for _ in connections]
        with Deadline(20) as deadline:
            for connection, peer in zip(connections, accepted, strict=True):
                deadline.watch(connection)
                peer.sendall(bytes(1000))
                assert connection.recv(1000, socket.MSG_WAITALL)
            assert deadline._arrived() == 3000
        assert not deadline.passed
