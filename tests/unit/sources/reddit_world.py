"""Shared by the tests of the Reddit source: a recording budget, and a server with scripted responses."""

from __future__ import annotations

import json
import socketserver
import ssl
from collections.abc import Callable, Sequence
from threading import Event, Semaphore, Thread
from typing import Any, BinaryIO, Self

from prometheus_client import CollectorRegistry

from overheard.clock import Clock, system_clock
from overheard.config import RedditSettings
from overheard.errors import BudgetExhausted
from overheard.observability.metrics import ProcessMetrics
from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator
from overheard.sources.reddit.source import RedditSource

AGENT = "linux:overheard.tests:1.0 (by /u/simulator)"
TOKEN = json.dumps({"access_token": "bearer-canary", "token_type": "bearer", "expires_in": 3600, "scope": "*"})
EMPTY = json.dumps({"kind": "Listing", "data": {"children": [], "after": None}})

Script = Callable[[BinaryIO, Event], None]


class RecordingBudget:
    """Counts tokens of all budgets; with ``tokens`` given, raises BudgetExhausted after so many."""

    def __init__(self, tokens: int | None = None) -> None:
        self.tokens = tokens
        self.taken = 0
        self.observed: list[tuple[float, float]] = []
        self.blocked: list[float] = []
        self.names: list[str] = []

    def of(self, name: str) -> RecordingBudget:
        self.names.append(name)
        return self

    def soonest(self, names: Sequence[str]) -> str:
        return names[0]

    def acquire(self) -> None:
        if self.tokens is not None and self.taken >= self.tokens:
            raise BudgetExhausted("reddit", delay=30.0, slot=1.0)
        self.taken += 1

    def observe(self, remaining: float, reset: float) -> None:
        self.observed.append((remaining, reset))

    def block(self, seconds: float) -> None:
        self.blocked.append(seconds)


def new_metrics() -> ProcessMetrics:
    return ProcessMetrics(CollectorRegistry())


def requests_counted(metrics: ProcessMetrics) -> dict[tuple[str, str], float]:
    """Return ``reddit_requests_total`` by (endpoint, status)."""
    return {
        (sample.labels["endpoint"], sample.labels["status"]): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "overheard_reddit_requests_total" and sample.value
    }


def source_at(
    url: str, metrics: ProcessMetrics | None = None, *, clock: Clock = system_clock, **settings: Any
) -> RedditSource:
    given = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "user_agent": AGENT, "timeout": 10.0}
    given |= {"reddit_url": url, "oauth_url": url}
    return RedditSource(RedditSettings(**(given | settings)), metrics or new_metrics(), clock=clock)


def source_of(simulator: RedditSimulator, metrics: ProcessMetrics | None = None, **settings: Any) -> RedditSource:
    return source_at(simulator.url, metrics, **settings)


def http(body: str | bytes, status: int = 200, headers: str = "") -> bytes:
    """Return a complete HTTP response. ``headers`` must end with CRLF."""
    content = body.encode() if isinstance(body, str) else body
    kind = "content-type: application/json\r\n"
    return f"HTTP/1.1 {status} X\r\n{kind}{headers}content-length: {len(content)}\r\n\r\n".encode() + content


def sends(answer: bytes) -> Script:
    def script(out: BinaryIO, stop: Event) -> None:
        out.write(answer)

    return script


def drips(head: bytes, drop: bytes, every: float = 0.05) -> Script:
    """Send ``head``, then ``drop`` repeatedly until the server stops or the client disconnects."""

    def script(out: BinaryIO, stop: Event) -> None:
        out.write(head)
        while not stop.wait(every):
            out.write(drop)
            out.flush()

    return script


class RawServer(socketserver.ThreadingTCPServer):
    """Plays one script per data request, repeating the last one, and ``token`` for each login."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, *scripts: Script, token: Script | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.scripts = list(scripts)
        self.token = token or sends(http(TOKEN))
        self.tls = tls
        self.stopping = Event()
        self.heads: list[str] = []  # of each request, verbatim
        self.connections = 0
        self.ended = Semaphore(0)  # of the connections
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://localhost:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect: the tests make them do so."""


class _Handler(socketserver.StreamRequestHandler):
    server: RawServer

    def setup(self) -> None:
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.request.close()  # the server closes only the socket that TLS has taken over
            self.server.ended.release()

    def handle(self) -> None:
        self.server.connections += 1
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            text = head.decode("latin-1")
            for line_ in text.lower().splitlines():
                if line_.startswith("content-length:"):
                    self.rfile.read(int(line_.partition(":")[2]))
            self.server.heads.append(text)
            if "access_token" in text.splitlines()[0]:
                script = self.server.token
            else:
                scripts = self.server.scripts
                script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
            script(self.wfile, self.server.stopping)
            self.wfile.flush()
