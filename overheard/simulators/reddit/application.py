"""The simulator without sockets: turn a request into a response and count it."""

from __future__ import annotations

import re
from collections.abc import Callable

from overheard.simulators.http.control import PREFIX, Control
from overheard.simulators.http.counters import Counters
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.http.injected_failures import InjectedFailures

from . import render
from .limits import SimulatedRateLimit, Usage
from .routes import BadRequest, Routes, reddit_path
from .tokens import Tokens

TOKEN_PATH = "/api/v1/access_token"  # noqa: S105 - a path
_TARGET_MAX_BYTES = 8192  # as common servers; Reddit's own limit is unknown
# Reddit throttles the default user agents of HTTP libraries: a client must send its own.
_DEFAULT_AGENTS = re.compile(
    r"$|(aiohttp|apache-httpclient|axios|curl|go-http-client|java|libwww-perl|node-fetch|okhttp|python"
    r"|python-httpx|python-requests|python-urllib|ruby|wget)(/|$)",  # but "python:my.app:1.0 (by /u/me)" is allowed
    re.IGNORECASE,
)


class Application:
    """Applies Reddit's checks to a request in Reddit's order: user agent, token, rate limit, data."""

    def __init__(
        self,
        clock: Callable[[], float],
        tokens: Tokens,
        limit: SimulatedRateLimit,
        routes: Routes,
        failures: InjectedFailures,
        control: Control,
        counters: Counters,
        *,
        retry_after: bool = False,
    ) -> None:
        self._clock = clock
        self._tokens = tokens
        self._limit = limit
        self._routes = routes
        self._failures = failures
        self._control = control
        self._counters = counters
        self._retry_after = retry_after

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer any request. All are counted, except those to the control path."""
        path = reddit_path(request)
        if f"{path}/".startswith(PREFIX):
            return self._control.answer(request)
        is_token = path == TOKEN_PATH
        answer = self._refused_early(request)
        if answer is None:
            answer = self._token(request) if is_token else self._data(request)
        endpoint = "token" if is_token else self._routes.endpoint(path)
        target = f"{request.method} {request.target}"
        self._counters.record(endpoint, target, answer.status, violation=answer.violation)
        return answer

    def _refused_early(self, request: SimulatedRequest) -> SimulatedResponse | None:
        if len(request.target) > _TARGET_MAX_BYTES:
            return SimulatedResponse(414, render.error(414, "Request-URI Too Large"))
        if _DEFAULT_AGENTS.match(request.headers.get("user-agent", "").strip()):
            return SimulatedResponse(429, render.error(429, "Too Many Requests"))
        return None

    def _token(self, request: SimulatedRequest) -> SimulatedResponse:
        if request.method != "POST":
            return SimulatedResponse(405, render.error(405, "Method Not Allowed"), {"allow": "POST"})
        return self._failures.apply(request.path, self._tokens.issue(request), data=False)

    def _data(self, request: SimulatedRequest) -> SimulatedResponse:
        holder = self._tokens.holder(request.headers.get("authorization", ""))
        if holder is None:
            headers = {"www-authenticate": 'Bearer realm="reddit", error="invalid_token"'}
            return SimulatedResponse(401, render.error(401, "Unauthorized"), headers)
        usage = self._limit.take(holder.client, self._clock())
        if usage.over:
            return self._too_many(usage)
        try:
            answer = self._routes.read(request, holder)
        except BadRequest as error:
            answer = error.answer
        answer.headers.update(usage.headers())
        return self._failures.apply(reddit_path(request), answer)

    def _too_many(self, usage: Usage) -> SimulatedResponse:
        headers = usage.headers() | ({"retry-after": str(usage.reset)} if self._retry_after else {})
        return SimulatedResponse(429, render.error(429, "Too Many Requests"), headers, violation=True)
