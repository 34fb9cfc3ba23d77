"""Injected failures: the next matching requests fail in a chosen way, first in, first out.

A failure applies to requests whose path matches its regular expression (`re.search`). Without one it applies to any
request for data, but not to token requests: those need the path `access_token`. The control path never fails.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from threading import Lock
from typing import Literal, get_args

from .exchange import SimulatedResponse

FailureKind = Literal["fail", "timeout", "truncate", "html", "body", "reset", "slow", "drip", "raw", "ratelimit"]

_HTML = "<!doctype html>\n<html><head><title>simulator</title></head><body>Our CDN was unable to reach"
_HTML += " our servers</body></html>\n"


ErrorBody = Callable[[int, str], str]  # of a status and its phrase


def json_error(status: int, message: str) -> str:
    """Return the body of an error as most services write it."""
    return json.dumps({"message": message, "error": status})


@dataclass(frozen=True, slots=True)
class InjectedFailure:
    """One way to fail, for `times` requests.

    kind        what happens (and which fields it reads)
    fail        an error response with `status` and additional `headers`
    html        an HTML page with `status`
    body        `text` and additional `headers`, with `status`: whatever a server could send
    timeout     nothing for `seconds`, then the connection is closed without a response
    slow        the correct response, `seconds` late
    drip        the correct response, its body one byte every `seconds`
    raw         `text` instead of a whole HTTP response, one byte every `seconds` (0: at once), then the end
    truncate    half of the correct body; Content-Length is that of the whole body (`whole_length`) or of the half
    reset       the connection is reset without a response
    ratelimit   the correct response with `headers` instead of the three x-ratelimit ones (none: without any)
    """

    kind: FailureKind
    times: int = 1
    path: str | None = None
    status: int = 503
    seconds: float = 0.0
    whole_length: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | bytes = ""

    def apply(self, answer: SimulatedResponse, error_body: ErrorBody) -> SimulatedResponse:
        """Return the response to send instead of the correct `answer`."""
        if self.kind == "fail":
            body = error_body(self.status, _phrase(self.status))
            return SimulatedResponse(self.status, body, {**answer.headers, **self.headers})
        if self.kind == "body":
            return SimulatedResponse(self.status, self.text, {**answer.headers, **self.headers})
        if self.kind == "html":
            return SimulatedResponse(self.status, _HTML, dict(answer.headers), "text/html; charset=utf-8")
        if self.kind == "timeout":
            return SimulatedResponse(0, "", manner="hang", seconds=self.seconds)
        if self.kind == "reset":
            return SimulatedResponse(0, "", manner="reset")
        if self.kind == "raw":
            return SimulatedResponse(0, self.text, manner="raw", seconds=self.seconds)
        if self.kind in ("slow", "drip"):
            return replace(answer, manner=self.kind, seconds=self.seconds)
        if self.kind == "truncate":
            return replace(answer, manner="truncate", whole_length=self.whole_length)
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("x-ratelimit-")}
        return replace(answer, headers={**kept, **self.headers})


class InjectedFailures:
    """A queue of failures. Thread-safe. `error_body` renders the service's own form of an error."""

    def __init__(self, error_body: ErrorBody = json_error) -> None:
        self._error_body = error_body
        self._queue: deque[tuple[InjectedFailure, re.Pattern[str] | None]] = deque()
        self._lock = Lock()

    def inject(self, failure: InjectedFailure) -> None:
        """Queue a failure. Raises ValueError if it could never happen."""
        if failure.kind not in get_args(FailureKind):
            raise ValueError(f"kind is {failure.kind!r}; there are: {', '.join(get_args(FailureKind))}")
        if failure.times < 1:
            raise ValueError(f"times is {failure.times}; a failure happens at least once")
        if failure.kind in ("fail", "html", "body") and not 200 <= failure.status <= 599:
            raise ValueError(f"status is {failure.status}; it must be from 200 to 599")
        try:
            pattern = re.compile(failure.path) if failure.path is not None else None
        except re.error as error:
            raise ValueError(f"path is not a regular expression: {error}") from error
        with self._lock:
            self._queue.append((failure, pattern))

    def fail(
        self,
        status: int,
        times: int = 1,
        retry_after: str | None = None,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with `status`. `retry_after` is sent verbatim: seconds ("5"), an HTTP date, or nonsense."""
        added = dict(headers or {}) | ({"retry-after": retry_after} if retry_after is not None else {})
        self.inject(InjectedFailure("fail", times, path, status, headers=added))

    def timeout(self, seconds: float = 60.0, times: int = 1, path: str | None = None) -> None:
        """Send nothing for `seconds` (at most until the server stops), then close the connection."""
        self.inject(InjectedFailure("timeout", times, path, seconds=seconds))

    def slow(self, seconds: float, times: int = 1, path: str | None = None) -> None:
        """Answer correctly, `seconds` late."""
        self.inject(InjectedFailure("slow", times, path, seconds=seconds))

    def drip(self, seconds: float = 0.05, times: int = 1, path: str | None = None) -> None:
        """Answer correctly, but send the body one byte every `seconds`."""
        self.inject(InjectedFailure("drip", times, path, seconds=seconds))

    def raw(self, text: str | bytes, times: int = 1, path: str | None = None, *, seconds: float = 0.0) -> None:
        """Send these bytes instead of an HTTP response, one every `seconds` (0: all at once), and close."""
        self.inject(InjectedFailure("raw", times, path, seconds=seconds, text=text))

    def truncate(self, times: int = 1, path: str | None = None, *, whole_length: bool = True) -> None:
        """Truncate the body; with `whole_length=False` the truncated body looks complete to HTTP."""
        self.inject(InjectedFailure("truncate", times, path, whole_length=whole_length))

    def html(self, status: int = 503, times: int = 1, path: str | None = None) -> None:
        """Answer with an HTML error page."""
        self.inject(InjectedFailure("html", times, path, status))

    def body(
        self,
        text: str | bytes,
        times: int = 1,
        path: str | None = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with this body, such as JSON of a wrong form, or compressed rubbish."""
        self.inject(InjectedFailure("body", times, path, status, headers=dict(headers or {}), text=text))

    def reset(self, times: int = 1, path: str | None = None) -> None:
        """Reset the connection instead of answering."""
        self.inject(InjectedFailure("reset", times, path))

    def ratelimit(self, headers: Mapping[str, str] | None = None, times: int = 1, path: str | None = None) -> None:
        """Answer correctly, with these headers instead of the three x-ratelimit ones."""
        self.inject(InjectedFailure("ratelimit", times, path, headers=dict(headers or {})))

    def take(self, path: str, *, data: bool) -> InjectedFailure | None:
        """Take one use of the first failure that applies to a request; `data` is False for token requests."""
        with self._lock:
            for position, (failure, pattern) in enumerate(self._queue):
                if pattern.search(path) if pattern else data:
                    if failure.times > 1:
                        self._queue[position] = (replace(failure, times=failure.times - 1), pattern)
                    else:
                        del self._queue[position]
                    return failure
        return None

    def apply(self, path: str, answer: SimulatedResponse, *, data: bool = True) -> SimulatedResponse:
        """Return the response to a request: the correct `answer`, or that of the failure that applies."""
        failure = self.take(path, data=data)
        return failure.apply(answer, self._error_body) if failure else answer

    def pending(self) -> int:
        """Return how many requests are still going to fail."""
        with self._lock:
            return sum(failure.times for failure, _ in self._queue)

    def clear(self) -> None:
        with self._lock:
            self._queue.clear()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown Error"
