"""A threading HTTP/1.1 server that passes requests to the application and sends its responses."""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, NoReturn

from .exchange import SimulatedRequest, SimulatedResponse

_BODY_MAX_BYTES = 1 << 24
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class SimulatorServer(ThreadingHTTPServer):
    """Serves until `stop()`, which also ends open connections and requests that hang."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256  # with the default of 5, connections are lost when many threads connect at once

    def __init__(
        self,
        host: str,
        port: int,
        application: Callable[[SimulatedRequest], SimulatedResponse],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.application = application
        self.stopping = Event()
        self._open: set[socket.socket] = set()  # stop() has to end connections that clients keep alive
        self._lock = Lock()
        super().__init__((host, port), SimulatorRequestHandler)
        if tls is not None:
            # The handshake happens with the first read, in the connection's own thread.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = Thread(target=self.serve_forever, name="simulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        with suppress(OSError):  # it has been stopped before
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the loop, which looks only twice a second for shutdown()
        self.shutdown()
        self._thread.join()
        with self._lock:
            left = list(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client has closed it already
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that disconnect are part of the tests; anything else is a bug of the server and is printed.
        if not isinstance(sys.exception(), ConnectionError | ssl.SSLError):
            super().handle_error(request, client_address)


class SimulatorRequestHandler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    server_version = "simulator"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # buffer, so that a response is one packet: otherwise the body waits for the ACK of the headers

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The application answers 405 itself; the base class refuses what is not an HTTP method.
        if name.removeprefix("do_") in _METHODS:
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the counters have it all."""

    def _serve(self) -> None:
        body = self._body()
        if body is None:
            return self._send(SimulatedResponse(413, '{"message": "Payload Too Large", "error": 413}'), close=True)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.application(SimulatedRequest(self.command, self.path, headers, body))
        if answer.manner in ("slow", "hang"):
            self.server.stopping.wait(answer.seconds)
        if answer.manner == "reset":
            self._reset()
        elif answer.manner == "raw":
            self._write(_bytes(answer), answer.seconds)
            self.close_connection = True
        elif answer.manner == "hang" or self.server.stopping.is_set():
            self.close_connection = True
        else:
            self._send(answer, close=answer.manner in ("truncate", "drip"))

    def _body(self) -> bytes | None:
        length = self.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > _BODY_MAX_BYTES or "transfer-encoding" in self.headers:
            return None
        return self.rfile.read(int(length))

    def _send(self, answer: SimulatedResponse, *, close: bool) -> None:
        body = _bytes(answer)
        sent = body[: len(body) // 2] if answer.manner == "truncate" else body
        self.send_response(answer.status)
        if "content-type" not in answer.headers:
            self.send_header("Content-Type", answer.content_type)
        if answer.status != 304:
            self.send_header("Content-Length", str(len(body if answer.whole_length else sent)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if close or self.close_connection:
            # Sent even to a client that asked for it: urllib3 goes by the response, and would reuse the connection.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD" and answer.status != 304:
            self._write(sent, answer.seconds if answer.manner == "drip" else 0.0)
        self.wfile.flush()

    def _write(self, sent: bytes, seconds: float) -> None:
        """Write bytes: all at once, or one every `seconds` until the client disconnects or the server stops."""
        if not seconds:
            self.wfile.write(sent)
            return
        for byte in sent:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.stopping.wait(seconds):
                return

    def _reset(self) -> NoReturn:
        # With a linger time of 0, close() sends RST. The files keep the socket open, so they are closed first.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.wfile.close()
        self.connection.close()
        raise ConnectionResetError("injected")


def _bytes(answer: SimulatedResponse) -> bytes:
    return answer.text.encode() if isinstance(answer.text, str) else answer.text
