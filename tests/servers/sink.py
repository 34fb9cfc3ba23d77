"""Real receivers of notifications: an HTTP and a mail server that record what arrives and answer as configured.

with HttpSink() as sink:
    sink.answer(Answer(503, {"Retry-After": "7"}))   # the next request; later ones get 200
    ...
    request = sink.wait_for(1)[0]
    assert request.verified_by(secret)
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from tests.servers.waiting import PATIENCE

Fault = Literal["hang", "reset", "drip headers", "drip body", "endless body", "endless headers", "endless chunk"]
TOLERANCE = 300  # seconds that a webhook's timestamp may be off, from the specification


@dataclass(frozen=True)
class Answer:
    """``fault``: hang (say nothing), reset, drip (a byte every 20 ms, without end) or endless (as fast as it goes)."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    fault: Fault | None = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def verified_by(self, secret: str, *, now: float | None = None) -> bool:
        """As strict as the specification's libraries: all three headers, a fresh timestamp, a matching signature."""
        id, sent, signatures = (self.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        if not id or "." in id or not sent.isdecimal():
            return False
        if abs((time.time() if now is None else now) - int(sent)) > TOLERANCE:
            return False
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        wanted = hmac.new(key, f"{id}.{sent}.".encode() + self.body, hashlib.sha256).digest()
        given = [base64.b64decode(s.removeprefix("v1,")) for s in signatures.split(" ") if s.startswith("v1,")]
        return any(hmac.compare_digest(wanted, signature) for signature in given)


def echo(request: Request) -> Answer:
    """Refuse a request, and repeat its content wherever a client may look for the reason."""
    said = request.body.decode(errors="replace")
    names = ("error", "errors", "message", "description", "errmsg", "msg", "detail", "error_msg", "reason")
    return Answer(400, {"Content-Type": "application/json"}, json.dumps(dict.fromkeys(names, said)).encode())


class Arrivals:
    """What has arrived so far, for tests to wait on."""

    def __init__(self) -> None:
        self._all: list[Any] = []
        self._changed = threading.Condition()

    def add(self, arrival: Any) -> None:
        with self._changed:
            self._all.append(arrival)
            self._changed.notify_all()

    def wait_for(self, count: int, timeout: float = PATIENCE) -> list[Any]:
        """Wait for ``count`` arrivals and return all. Raises AssertionError if they do not come."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self._all) >= count, timeout)
            assert came, f"{len(self._all)} of {count} arrived within {timeout} s"
            return list(self._all)

    def __len__(self) -> int:
        return len(self._all)


class SinkServer:
    """A server in a thread; a context manager."""

    server: socketserver.TCPServer

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()  # joins the handlers, which ``closing`` has let go

    def __init__(self) -> None:
        self.closing = threading.Event()
        self.arrived = Arrivals()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    def wait_for(self, count: int, timeout: float = PATIENCE) -> list[Any]:
        return self.arrived.wait_for(count, timeout)


class HttpSink(SinkServer):
    """Answer 200 unless configured otherwise. ``tls`` serves https; ``answers`` may be a function of the request."""

    def __init__(self, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.answers: deque[Answer] = deque()
        self.always: Callable[[Request], Answer] = lambda request: Answer()
        self.server_names: list[str | None] = []
        self.flooded = 0  # bytes of endless answers that the client's side has taken
        self.tls = tls
        if tls is not None:
            tls.sni_callback = lambda sock, name, context: self.server_names.append(name)
        server = _HttpServer(("127.0.0.1", port), _HttpHandler)
        server.sink = self  # type: ignore[attr-defined]
        self.server = server

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def answer(self, *answers: Answer) -> None:
        """Answer the next requests with these, one each."""
        self.answers.extend(answers)


def flood(sink: HttpSink | MailSink, connection: socket.socket, piece: bytes) -> None:
    """Send ``piece`` repeatedly until the client closes the connection; ``flooded`` counts the bytes."""
    connection.settimeout(0.05)  # a client may stop reading and not close
    many = piece * (65536 // len(piece))
    with contextlib.suppress(ConnectionError):
        while not sink.closing.is_set():
            with contextlib.suppress(TimeoutError):
                sink.flooded += connection.send(many[sink.flooded % len(piece) :])


class QuietTcpServer(socketserver.TCPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore it: a client that hangs up or refuses the certificate is not an error of the sink."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _HttpServer(QuietTcpServer, ThreadingHTTPServer):
    daemon_threads = False


class _MailServer(QuietTcpServer, socketserver.ThreadingTCPServer):
    pass


class _HttpHandler(BaseHTTPRequestHandler):
    def setup(self) -> None:
        self.sink: HttpSink = self.server.sink  # type: ignore[attr-defined]
        if self.sink.tls is not None:
            self.request = self.sink.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.request.close()  # the TLS socket, of which the server knows nothing

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # the client went away, as some tests want it to
            super().handle()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length)
        if len(body) < length:  # the client was killed in the middle of it
            self.close_connection = True
            return
        request = Request(self.command, self.path, headers, body)
        answer = self.sink.answers.popleft() if self.sink.answers else self.sink.always(request)
        self.sink.arrived.add(request)
        self._give(answer)

    do_GET = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_POST

    def _give(self, answer: Answer) -> None:
        self.close_connection = True
        if answer.fault == "hang":
            self._until_gone()
        elif answer.fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif answer.fault == "drip headers":
            self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 50_000)
        elif answer.fault == "endless headers":
            flood(self.sink, self.connection, b"HTTP/1.1 100 Continue\r\n\r\n")
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.fault is None:
            self.send_header("Content-Length", str(len(answer.body)))
        elif answer.fault == "endless chunk":
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if answer.fault == "drip body":
            self._drip(b"x" * 50_000)
        elif answer.fault is not None:  # an endless chunk's length is a line of zeros
            flood(self.sink, self.connection, b"0" * 65536)
        else:
            self.wfile.write(answer.body)

    def _drip(self, content: bytes) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            if self.sink.closing.wait(0.02):
                return

    def _until_gone(self) -> None:
        # Until the client gives up (end of file) or the sink closes.
        self.connection.settimeout(0.05)
        while not self.sink.closing.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue

    def log_message(self, format: str, *args: object) -> None:
        pass


class MailSink(SinkServer):
    """A mail server that accepts every mail (RFC 5321's minimum, no TLS, no login) except for ``refused`` recipients.

    With ``endless`` its greeting is a reply of lines without end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()
        self.endless = False
        self.flooded = 0
        server = _MailServer(("127.0.0.1", 0), _MailHandler)
        server.sink = self  # type: ignore[attr-defined]
        self.server = server


class _MailHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        sink: MailSink = self.server.sink  # type: ignore[attr-defined]
        if sink.endless:
            flood(sink, self.connection, b"220-sink\r\n")
            return
        self._say("220 sink")
        while line := self.rfile.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self._say("354 go on")
                self._take()
            elif verb == b"QUIT":
                return self._say("221 bye")
            elif verb == b"RCPT" and self._refused(line.decode()):
                self._say("550 no such mailbox")
                continue
            self._say("250 sink" if verb != b"EHLO" else "250-sink\r\n250 8BITMIME")

    def _refused(self, line: str) -> bool:
        return any(recipient in line for recipient in self.server.sink.refused)  # type: ignore[attr-defined]

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        mail: EmailMessage = message_from_bytes(b"".join(lines), policy=policy.default)
        self.server.sink.arrived.add(mail)  # type: ignore[attr-defined]

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")
