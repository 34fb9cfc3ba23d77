"""A limit on one try that the other side cannot stretch: how long it takes, and how much arrives.

A socket timeout bounds each read, so one byte a second goes on for ever, and libraries collect whatever arrives: an
SMTP reply has no last line until the server sends one. The deadline therefore shuts the sockets themselves, once time
is up or too much has come: a read that blocks gets an end of file, in headers, in a body or in a TLS handshake alike.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from types import TracebackType

MAX_ARRIVED_BYTES = 4 * 2**20  # over all connections of a try: answers are a few kilobytes
CHECK_SECONDS = 0.05

# struct tcp_info (linux/tcp.h): the kernel counts what arrived, so this holds below TLS and for every library. Systems
# without it are for development; what is read of an HTTP answer is bounded everywhere.
TCP_INFO = getattr(socket, "TCP_INFO", None)
BYTES_RECEIVED = struct.Struct("=128xQ")


class Deadline:
    """``with Deadline(20) as deadline:`` shuts every watched socket after that many seconds, or too many bytes.

    ``cut`` says afterwards why the sockets were shut, as in "it …"; None when they were not.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.cut: str | None = None
        self._end = time.monotonic() + seconds
        self._known = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._timer = threading.Thread(target=self._keep, name="deadline", daemon=True)
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
        """Return True if the try was cut off."""
        return self.cut is not None

    def remaining(self) -> float:
        """Seconds left, never below a millisecond: a socket timeout of zero would mean non-blocking."""
        return max(self._end - time.monotonic(), 0.001)

    def watch(self, sock: socket.socket) -> None:
        """Shut this connection, too, when the try is cut off."""
        # A twin descriptor, because TLS takes the socket object over (``detach``) but never the connection.
        twin = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._watched.append(twin)
            if self.passed:
                _shut(twin)

    def hurry(self, seconds: float) -> None:
        """The answer is known: whatever still arrives gets at most ``seconds``, and being cut is not a failure."""
        self._known = True
        self._end = min(self._end, time.monotonic() + seconds)

    def too_much(self, size: int) -> None:
        """Cut the try off, because more than ``size`` bytes arrived."""
        self._cut(f"sent more than {size // 1024:,} KiB")

    def _keep(self) -> None:
        while not self._over.wait(min(CHECK_SECONDS, self.remaining())):
            if time.monotonic() >= self._end:
                return self._cut(f"gave no complete answer within {self.seconds:g} s")
            if self._arrived() > MAX_ARRIVED_BYTES:
                return self.too_much(MAX_ARRIVED_BYTES)

    def _arrived(self) -> int:
        with self._lock:
            return sum(map(_received, self._watched))

    def _cut(self, why: str) -> None:
        with self._lock:
            if not self._known:
                self.cut = self.cut or why
            for twin in self._watched:
                _shut(twin)


def _received(sock: socket.socket) -> int:
    """Bytes that arrived on a TCP connection; 0 where the kernel does not say."""
    with contextlib.suppress(OSError):
        info = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, BYTES_RECEIVED.size) if TCP_INFO is not None else b""
        if len(info) == BYTES_RECEIVED.size:
            return int(BYTES_RECEIVED.unpack(info)[0])
    return 0


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not connected yet, or closed by the other side
        sock.shutdown(socket.SHUT_RDWR)
