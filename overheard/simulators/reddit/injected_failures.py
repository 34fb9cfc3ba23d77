"""Faults on demand: the next requests that match go wrong in a chosen way, first put in, first used.

A fault spoils requests whose path matches its regular expression (`re.search`); without one it spoils any request
for data, but not token requests: name `access_token` to spoil those. It never spoils the control door.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from threading import Lock
from typing import Literal, get_args

from . import render
from .exchange import SimulatedResponse

FaultKind = Literal["fail", "timeout", "truncate", "html", "reset", "slow", "ratelimit"]

_HTML = "<!doctype html>\n<html><head><title>reddit: simulator</title></head><body>Our CDN was unable to reach"
_HTML += " our servers</body></html>\n"


@dataclass(frozen=True, slots=True)
class InjectedFailure:
    """One way of going wrong, for `times` requests.

    kind        what happens (and which fields it reads)
    fail        an answer with `status`; `headers` are added (`retry_after` becomes Retry-After as it is)
    html        an HTML page with `status`
    timeout     nothing for `seconds`, then the connection is closed without an answer
    slow        the right answer, `seconds` late
    truncate    half the right body; Content-Length tells the whole length (`whole_length`) or the half's
    reset       the connection is reset without an answer
    ratelimit   the right answer with `headers` in place of the three x-ratelimit ones (none: without any)
    """

    kind: FaultKind
    times: int = 1
    path: str | None = None
    status: int = 503
    seconds: float = 0.0
    whole_length: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)

    def spoil(self, answer: SimulatedResponse) -> SimulatedResponse:
        """Return what becomes of the answer that would have been given."""
        if self.kind == "fail":
            body = render.error(self.status, _phrase(self.status))
            return SimulatedResponse(self.status, body, {**answer.headers, **self.headers})
        if self.kind == "html":
            return SimulatedResponse(self.status, _HTML, dict(answer.headers), "text/html; charset=utf-8")
        if self.kind == "timeout":
            return SimulatedResponse(0, "", manner="hang", seconds=self.seconds)
        if self.kind == "reset":
            return SimulatedResponse(0, "", manner="reset")
        if self.kind == "slow":
            return replace(answer, manner="slow", seconds=self.seconds)
        if self.kind == "truncate":
            return replace(answer, manner="truncate", whole_length=self.whole_length)
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("x-ratelimit-")}
        return replace(answer, headers={**kept, **self.headers})


class InjectedFailures:
    """The queue of faults. Thread-safe."""

    def __init__(self) -> None:
        self._queue: deque[tuple[InjectedFailure, re.Pattern[str] | None]] = deque()
        self._lock = Lock()

    def inject(self, fault: InjectedFailure) -> None:
        """Queue a fault; ValueError when it can never happen."""
        if fault.kind not in get_args(FaultKind):
            raise ValueError(f"kind is {fault.kind!r}; there are: {', '.join(get_args(FaultKind))}")
        if fault.times < 1:
            raise ValueError(f"times is {fault.times}; a fault happens at least once")
        if fault.kind in ("fail", "html") and not 200 <= fault.status <= 599:
            raise ValueError(f"status is {fault.status}; an answer has one from 200 to 599")
        try:
            pattern = re.compile(fault.path) if fault.path is not None else None
        except re.error as wrong:
            raise ValueError(f"path is no regular expression: {wrong}") from wrong
        with self._lock:
            self._queue.append((fault, pattern))

    def fail(
        self,
        status: int,
        times: int = 1,
        retry_after: str | None = None,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with `status`. `retry_after` is sent as it is: seconds ("5"), an HTTP date, or nonsense."""
        added = dict(headers or {}) | ({"retry-after": retry_after} if retry_after is not None else {})
        self.inject(InjectedFailure("fail", times, path, status, headers=added))

    def timeout(self, seconds: float = 60.0, times: int = 1, path: str | None = None) -> None:
        """Say nothing for `seconds` (at most until the server stops), then close the connection."""
        self.inject(InjectedFailure("timeout", times, path, seconds=seconds))

    def slow(self, seconds: float, times: int = 1, path: str | None = None) -> None:
        """Answer rightly, `seconds` late."""
        self.inject(InjectedFailure("slow", times, path, seconds=seconds))

    def truncate(self, times: int = 1, path: str | None = None, *, whole_length: bool = True) -> None:
        """Cut the body in the middle; with `whole_length=False` the cut body looks complete to HTTP."""
        self.inject(InjectedFailure("truncate", times, path, whole_length=whole_length))

    def html(self, status: int = 503, times: int = 1, path: str | None = None) -> None:
        """Answer with an HTML error page."""
        self.inject(InjectedFailure("html", times, path, status))

    def reset(self, times: int = 1, path: str | None = None) -> None:
        """Reset the connection in place of an answer."""
        self.inject(InjectedFailure("reset", times, path))

    def ratelimit(self, headers: Mapping[str, str] | None = None, times: int = 1, path: str | None = None) -> None:
        """Answer rightly, with these headers in place of the three x-ratelimit ones."""
        self.inject(InjectedFailure("ratelimit", times, path, headers=dict(headers or {})))

    def take(self, path: str, *, data: bool) -> InjectedFailure | None:
        """Return the first fault for this request, using it up once; `data` is False for token requests."""
        with self._lock:
            for place, (fault, pattern) in enumerate(self._queue):
                if pattern.search(path) if pattern else data:
                    if fault.times > 1:
                        self._queue[place] = (replace(fault, times=fault.times - 1), pattern)
                    else:
                        del self._queue[place]
                    return fault
        return None

    def pending(self) -> int:
        """Return how many requests are still to be spoilt."""
        with self._lock:
            return sum(fault.times for fault, _ in self._queue)

    def clear(self) -> None:
        with self._lock:
            self._queue.clear()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"
