"""A TCP proxy that a test can turn into a black hole: connections stay open, new ones are accepted, nothing passes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536


class Proxy:
    """Forward its own ``port`` to another one on loopback, until ``drop()``, and again after ``restore()``."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._passing = True
        self._ended = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._cut(self._listener)
        for each in self._sockets:
            self._cut(each)
        self._thread.join(60)

    def drop(self) -> None:
        """Stop forwarding in both directions, without closing connections."""
        self._passing = False

    def restore(self) -> None:
        """Forward new connections again. Earlier ones are closed, because they have lost bytes."""
        for each in self._sockets:
            self._cut(each)
        self._passing = True

    def url(self, url: str) -> str:
        """Return the server's URL through the proxy."""
        return url.replace(f":{self._target}/", f":{self.port}/")

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(near)
            if self._passing:
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets.append(far)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK_BYTES):
                if self._passing:
                    sink.sendall(data)
        except OSError:
            pass
        if self._passing:
            self._cut(sink)

    def _cut(self, each: socket.socket) -> None:
        with suppress(OSError):  # it is closed already
            each.shutdown(socket.SHUT_RDWR)
        each.close()
