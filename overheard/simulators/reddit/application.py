"""The simulator without its sockets: a request goes in, an answer comes out, everything is counted."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import render
from .control import PREFIX, Control
from .counters import Counters
from .exchange import SimulatedRequest, SimulatedResponse
from .injected_failures import InjectedFailures
from .limits import SimulatedRateLimit, Usage
from .routes import BadRequest, Routes
from .tokens import Tokens

TOKEN_PATH = "/api/v1/access_token"  # noqa: S105 - a path
_LONGEST_TARGET = 8192
# Reddit throttles the names that HTTP libraries give themselves; a client has to name itself.
_DEFAULT_AGENTS = re.compile(
    r"$|(aiohttp|apache-httpclient|axios|curl|go-http-client|java|libwww-perl|node-fetch|okhttp|python"
    r"|python-httpx|python-requests|python-urllib|ruby|wget)(/|$)",  # "python:my.app:1.0 (by /u/me)" may pass
    re.IGNORECASE,
)


class Application:
    """Passes a request through Reddit's doors in their order: user agent, token, rate limit, data."""

    def __init__(
        self,
        clock: Callable[[], float],
        tokens: Tokens,
        limit: SimulatedRateLimit,
        routes: Routes,
        faults: InjectedFailures,
        control: Control,
        counters: Counters,
        *,
        retry_after: bool = False,
    ) -> None:
        self._clock = clock
        self._tokens = tokens
        self._limit = limit
        self._routes = routes
        self._faults = faults
        self._control = control
        self._counters = counters
        self._retry_after = retry_after

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer anything. Only requests at the control door are not counted."""
        path = request.path
        if f"{path}/".startswith(PREFIX):
            return self._control.answer(request)
        is_token = path == TOKEN_PATH
        answer = self._refused_at_once(request)
        if answer is None:
            answer = self._token(request) if is_token else self._data(request)
        endpoint = "token" if is_token else self._routes.endpoint(path)
        target = f"{request.method} {request.target}"
        self._counters.record(endpoint, target, answer.status, violation=answer.violation)
        return answer

    def _refused_at_once(self, request: SimulatedRequest) -> SimulatedResponse | None:
        if len(request.target) > _LONGEST_TARGET:
            return SimulatedResponse(414, render.error(414, "Request-URI Too Large"))
        if _DEFAULT_AGENTS.match(request.headers.get("user-agent", "").strip()):
            return SimulatedResponse(429, render.error(429, "Too Many Requests"))
        return None

    def _token(self, request: SimulatedRequest) -> SimulatedResponse:
        if request.method != "POST":
            return SimulatedResponse(405, render.error(405, "Method Not Allowed"), {"allow": "POST"})
        fault = self._faults.take(request.path, data=False)
        answer = self._tokens.issue(request)
        return fault.spoil(answer) if fault else answer

    def _data(self, request: SimulatedRequest) -> SimulatedResponse:
        holder = self._tokens.holder(request.headers.get("authorization", ""))
        if holder is None:
            headers = {"www-authenticate": 'Bearer realm="reddit", error="invalid_token"'}
            return SimulatedResponse(401, render.error(401, "Unauthorized"), headers)
        usage = self._limit.take(holder.client, self._clock())
        if usage.over:
            return self._too_many(usage)
        fault = self._faults.take(request.path, data=True)
        try:
            answer = self._routes.read(request, holder)
        except BadRequest as refused:
            answer = refused.answer
        answer.headers.update(usage.headers())
        return fault.spoil(answer) if fault else answer

    def _too_many(self, usage: Usage) -> SimulatedResponse:
        headers = usage.headers() | ({"retry-after": str(usage.reset)} if self._retry_after else {})
        return SimulatedResponse(429, render.error(429, "Too Many Requests"), headers, violation=True)
