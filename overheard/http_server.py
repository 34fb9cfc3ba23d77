"""The HTTP server of our own pages: bounded, so that no caller can hold it up or fill its memory."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from overheard.observability.log import get_logger

MAX_CONCURRENT_REQUESTS = 16  # requests at once; a scrape takes milliseconds
REQUEST_MAX_SECONDS = 10.0  # for one of them, from connecting to the last byte

log = get_logger(__name__)


class BoundedServer(ThreadingHTTPServer):
    """Cuts off who is slow, turns away who comes when it is full, and makes no noise about either.

    A read's own timeout is not enough: one byte every nine seconds would hold a thread for days.
    """

    daemon_threads = True
    address_family = socket.AF_INET

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        self._free = threading.BoundedSemaphore(MAX_CONCURRENT_REQUESTS)
        super().__init__((host, port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started: the slot is free again, or a few such moments would take all
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        late = threading.Timer(REQUEST_MAX_SECONDS, _cut, [request])
        late.daemon = True
        late.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            late.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # The default is a traceback on stderr. That callers go away is their own business; the rest is a fault of ours.
        if not isinstance(sys.exception(), OSError):
            log.exception("page not served")


def _cut(request: socket.socket) -> None:
    with suppress(OSError):  # it is over already
        request.shutdown(socket.SHUT_RDWR)
