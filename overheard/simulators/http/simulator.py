"""`HttpSimulator`: the base of all simulators. It starts and stops the server, keeps the time, and counts requests."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from threading import Lock
from typing import Any, Self

from .control import PREFIX, Command, Control
from .counters import Counters
from .exchange import SimulatedRequest, SimulatedResponse
from .injected_failures import ErrorBody, InjectedFailure, InjectedFailures, json_error
from .server import SimulatorServer

_FAILURE = {"kind": "text*", "times": "count", "path": "text", "status": "count", "seconds": "number", "text": "text"}
_FAILURE |= {"headers": "headers", "whole_length": "flag", "retry_after": "text"}


class HttpSimulator:
    """A simulated service. Thread-safe; also a context manager that starts and stops the server.

    A subclass implements `respond` (the correct response to a request), and may extend `commands` (the control path)
    and `endpoint` (the word under which a request is counted). `clock`: seconds since the epoch; `advance()` adds to
    it.
    """

    def __init__(self, clock: Callable[[], float] = time.time, error_body: ErrorBody = json_error) -> None:
        self._clock = clock
        self._ahead = 0.0
        self._time_lock = Lock()
        self._server: SimulatorServer | None = None
        self._scheme = "http"
        self.counters = Counters()
        self.faults = InjectedFailures(error_body)

    def respond(self, request: SimulatedRequest) -> SimulatedResponse:
        """Return the correct response to a request."""
        raise NotImplementedError

    def endpoint(self, request: SimulatedRequest) -> str:
        """Return the word under which a request is counted."""
        return request.path

    def commands(self) -> dict[str, Command]:
        """Return the commands by their path below `/_simulator/`."""

        def failure(retry_after: str | None = None, **fields: Any) -> None:
            headers = {str(name): str(value) for name, value in fields.pop("headers", {}).items()}
            added = {"retry-after": retry_after} if retry_after is not None else {}
            self.faults.inject(InjectedFailure(**fields, headers=headers | added))

        return {
            "faults": Command(failure, _FAILURE),
            "faults/clear": Command(self.faults.clear, {}),
            "advance": Command(self.advance, {"seconds": "number*"}),
            "requests": Command(self.recent_requests, {}, "GET"),
        }

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer any request. All are counted, except those to the control path, which never fails."""
        if f"{request.path}/".startswith(PREFIX):
            return Control(self.commands()).answer(request)
        answer = self.faults.apply(request.target, self.respond(request))
        self.counters.record(self.endpoint(request), f"{request.method} {request.target}", answer.status)
        return answer

    def start(self, port: int = 0, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> Self:
        """Start to listen; port 0 chooses a free one. Raises OSError if the port is taken."""
        if self._server is not None:
            raise RuntimeError(f"the simulator is already running, at {self.url}")
        self._scheme = "https" if tls else "http"
        self._server = SimulatorServer(host, port, self.answer, tls)
        return self

    def stop(self) -> None:
        """Stop listening, close all connections and release hanging requests. Content and counters stay."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def __enter__(self) -> Self:
        return self if self._server is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The base URL, with a trailing slash."""
        if self._server is None:
            raise RuntimeError("the simulator is not running: call start(), or use it in a with statement")
        host, port = self._server.server_address[:2]
        return f"{self._scheme}://{host!s}:{port}/"

    def now(self) -> float:
        """Return the simulator's time, in seconds since the epoch."""
        return self._clock() + self._ahead

    def advance(self, seconds: float) -> None:
        """Advance the simulator's time."""
        if seconds < 0:
            raise ValueError("time goes forward: seconds must not be below 0")
        with self._time_lock:
            self._ahead += seconds

    def recent_requests(self) -> list[str]:
        """Return the latest requests as "METHOD target", oldest first."""
        return self.counters.recent()

    def wait_for_requests(self, count: int, endpoint: str | None = None, timeout: float = 60) -> bool:
        """Wait until `count` requests to an endpoint (None: to all) were counted. Return False on timeout (seconds)."""
        return self.counters.wait(count, endpoint, timeout)
