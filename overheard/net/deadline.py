"""Limit one attempt in a way that the other side cannot stretch: how long it takes, and how much arrives.

A socket timeout bounds each read, so one byte a second can go on for ever, and libraries collect whatever arrives: an
SMTP reply has no last line until the server sends one. The deadline therefore shuts the sockets themselves when time is
up or too much has arrived: a blocked read gets an end of file, in headers, in a body and in a TLS handshake alike.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from types import TracebackType

MAX_ARRIVED_BYTES = 4 * 2**20  # over all connections of an attempt: a channel's responses are a few kilobytes
# How late a cut may come. Each attempt has a watcher thread of its own, which costs little beside a connection and
# needs no shared registry of attempts. Chosen, not measured.
CHECK_SECONDS = 0.05

# struct tcp_info (linux/tcp.h): the kernel counts what arrived, so this works below TLS and for every library. Systems
# without it are for development only; how much of an HTTP response is read is bounded everywhere.
TCP_INFO = getattr(socket, "TCP_INFO", None)
BYTES_RECEIVED = struct.Struct("=128xQ")


class Deadline:
    """``with Deadline(20) as deadline:`` shuts every watched socket after that many seconds, or after ``max_bytes``.

    ``cut_reason`` says afterwards why the sockets were shut, to follow "it …"; None if they were not.
    """

    def __init__(self, seconds: float, max_bytes: int = MAX_ARRIVED_BYTES) -> None:
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.cut_reason: str | None = None
        self._end = time.monotonic() + seconds
        self._answered = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._timer = threading.Thread(target=self._watch_sockets, name="deadline", daemon=True)
        self._timer.start()

    def __enter__(self) -> Deadline:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._over.set()
        with self._lock:
            for twin in self._watched:
                twin.close()
            self._watched.clear()

    @property
    def passed(self) -> bool:
        """Return True if the attempt was cut off."""
        return self.cut_reason is not None

    def remaining(self) -> float:
        """Return the seconds left, at least a millisecond: a socket timeout of zero would mean non-blocking."""
        return max(self._end - time.monotonic(), 0.001)

    def watch(self, sock: socket.socket) -> None:
        """Shut this connection, too, when the attempt is cut off."""
        # A duplicate descriptor, because TLS takes over the socket object (``detach``), but not the connection.
        twin = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._watched.append(twin)
            if self.passed:
                _shut(twin)

    def shorten(self, seconds: float) -> None:
        """Leave at most ``seconds`` for the rest: the status is known, so a cut from now on is not a failure."""
        self._answered = True
        self._end = min(self._end, time.monotonic() + seconds)

    def exceed(self, size: int) -> None:
        """Cut the attempt off, because more than ``size`` bytes arrived."""
        self._cut(f"sent more than {size // 1024:,} KiB")

    def _watch_sockets(self) -> None:
        while not self._over.wait(min(CHECK_SECONDS, self.remaining())):
            if time.monotonic() >= self._end:
                return self._cut(f"gave no complete answer within {self.seconds:g} s")
            if self._arrived() > self.max_bytes:
                return self.exceed(self.max_bytes)

    def _arrived(self) -> int:
        with self._lock:
            return sum(map(_received, self._watched))

    def _cut(self, why: str) -> None:
        with self._lock:
            if not self._answered:
                self.cut_reason = self.cut_reason or why
            for twin in self._watched:
                _shut(twin)


def _received(sock: socket.socket) -> int:
    """Return the bytes that arrived on a TCP connection; 0 where the kernel does not count them."""
    with contextlib.suppress(OSError):
        info = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, BYTES_RECEIVED.size) if TCP_INFO is not None else b""
        if len(info) == BYTES_RECEIVED.size:
            return int(BYTES_RECEIVED.unpack(info)[0])
    return 0


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not connected yet, or closed by the other side
        sock.shutdown(socket.SHUT_RDWR)
