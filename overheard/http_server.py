"""The HTTP server of our own pages, bounded: a client can neither block it nor fill its memory."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from overheard.observability.log import get_logger

MAX_CONCURRENT_REQUESTS = 16  # chosen, not measured: a scrape takes milliseconds
REQUEST_MAX_SECONDS = 10.0  # from connecting to the last byte; Prometheus's default scrape timeout

log = get_logger(__name__)


class BoundedServer(ThreadingHTTPServer):
    """Closes slow connections, refuses connections while all slots are taken, and logs neither.

    A socket timeout is not enough: a client that sends one byte every nine seconds would hold a thread for days.
    """

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._free = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)
        super().__init__((host, port), handler)

    def shutdown(self) -> None:
        """Wake the loop, which looks only twice a second whether it should end, and wait for its end."""
        with suppress(OSError):  # it has been shut down before
            self.socket.shutdown(socket.SHUT_RDWR)
        super().shutdown()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started: free its slot
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        deadline = threading.Timer(REQUEST_MAX_SECONDS, _close, [request])
        deadline.daemon = True
        deadline.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            deadline.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # By default, a traceback on stderr. A client that disconnects is not worth a line; any other error is a bug.
        if not isinstance(sys.exception(), OSError):
            log.exception("page not served")


def _close(request: socket.socket) -> None:
    with suppress(OSError):  # closed already
        request.shutdown(socket.SHUT_RDWR)
