"""A time limit on one try that the other side cannot stretch.

A socket timeout bounds each read, so one byte a second goes on for ever. The deadline therefore shuts the sockets
themselves: whoever is blocked on them gets an end of file, in headers, in a body or in a TLS handshake alike.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from types import TracebackType


class Deadline:
    """``with Deadline(20) as deadline:`` shuts every watched socket after that many seconds.

    ``passed`` tells afterwards why the sockets died.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._timer = self._start(seconds, self._pass)

    def __enter__(self) -> Deadline:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._timer.cancel()
        with self._lock:
            for twin in self._watched:
                twin.close()
            self._watched.clear()

    def remaining(self) -> float:
        """Seconds left, never below a millisecond: a socket timeout of zero would mean non-blocking."""
        return max(self._end - time.monotonic(), 0.001)

    def watch(self, sock: socket.socket) -> None:
        """Shut this connection, too, when time is up."""
        # A twin descriptor, because TLS takes the socket object over (``detach``) but never the connection.
        twin = socket.socket(fileno=os.dup(sock.fileno()))
        with self._lock:
            self._watched.append(twin)
            if self.passed:
                _shut(twin)

    def hurry(self, seconds: float) -> None:
        """The answer is known: whatever still arrives gets at most ``seconds``, and being cut is no failure."""
        self._timer.cancel()
        self._end = min(self._end, time.monotonic() + seconds)
        self._timer = self._start(self.remaining(), self._shut_all)

    def _pass(self) -> None:
        self.passed = True
        self._shut_all()

    def _shut_all(self) -> None:
        with self._lock:
            for twin in self._watched:
                _shut(twin)

    @staticmethod
    def _start(seconds: float, function: object) -> threading.Timer:
        timer = threading.Timer(seconds, function)  # type: ignore[arg-type]
        timer.daemon = True
        timer.start()
        return timer


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):  # not connected yet, or closed by the other side
        sock.shutdown(socket.SHUT_RDWR)
