"""`ChatSimulator`: the base of the simulated chat services. It keeps what was accepted and counts what was refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

from overheard.simulators.http.control import Command
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.http.injected_failures import ErrorBody, json_error
from overheard.simulators.http.simulator import HttpSimulator

from .sliding_limit import SlidingLimit


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message that was accepted. `to`: the webhook, chat or topic; `content`: what was posted; `at`: Unix seconds."""

    number: int
    to: str
    at: float
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """The service refuses a request, in this way. `rule` says which limit or rule it breaks, for people."""

    def __init__(self, rule: str, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        self.rule = rule
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html; charset=utf-8" if isinstance(body, str) else "application/json; charset=utf-8"
        self.response = SimulatedResponse(status, text, dict(headers or {}), kind)
        super().__init__(rule)


class ChatSimulator(HttpSimulator):
    """A simulated chat service. Thread-safe; also a context manager that starts and stops the server.

    A subclass implements `post`: it raises `Refused` where the service would refuse, and else calls `accept`. `limit`
    is the service's rate limit; `advance()` moves its clock, too.
    """

    def __init__(
        self,
        limit: SlidingLimit,
        *,
        clock: Callable[[], float] = time.time,
        error_body: ErrorBody = json_error,
    ) -> None:
        super().__init__(clock, error_body)
        self.limit = limit
        self._messages: list[ChatMessage] = []
        self._refusals: list[str] = []
        self._changed = Condition()

    def post(self, request: SimulatedRequest) -> SimulatedResponse:
        """Take a message: return the response of the service. Raises Refused."""
        raise NotImplementedError

    def respond(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer as the service does; a refusal is kept in `refusals`."""
        try:
            return self.post(request)
        except Refused as refused:
            with self._changed:
                self._refusals.append(refused.rule)
                self._changed.notify_all()
            return refused.response

    def commands(self) -> dict[str, Command]:
        """Return the commands by their path below `/_simulator/`."""
        return super().commands() | {
            "messages": Command(self._as_json, {}, "GET"),
            "refusals": Command(lambda: self.refusals, {}, "GET"),
        }

    def accept(self, to: str, content: Any, request: SimulatedRequest) -> ChatMessage:
        """Keep a message that was accepted, and return it with its number."""
        with self._changed:
            message = ChatMessage(len(self._messages) + 1, to, self.now(), content, request.headers)
            self._messages.append(message)
            self._changed.notify_all()
            return message

    @property
    def messages(self) -> list[ChatMessage]:
        """The messages that were accepted, oldest first."""
        with self._changed:
            return list(self._messages)

    @property
    def refusals(self) -> list[str]:
        """The rules that refused requests broke, oldest first."""
        with self._changed:
            return list(self._refusals)

    def wait_for(self, count: int, timeout: float = 60.0) -> list[ChatMessage]:
        """Wait until `count` messages were accepted, and return all. Raises TimeoutError, with what was refused."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._messages) >= count, timeout):
                refused = "; ".join(self._refusals) or "nothing"
                raise TimeoutError(f"{len(self._messages)} of {count} messages within {timeout} s; refused: {refused}")
            return list(self._messages)

    def _as_json(self) -> list[dict[str, Any]]:
        return [
            {"number": message.number, "to": message.to, "at": message.at, "content": message.content}
            for message in self.messages
        ]


def json_object(request: SimulatedRequest) -> dict[str, Any]:
    """Return the JSON object of a request's body. Raises ValueError, also for lone surrogates and NUL."""
    content = json.loads(request.body.decode("utf-8"))
    if not isinstance(content, dict):
        raise ValueError("the body is not a JSON object")
    json.dumps(content, ensure_ascii=False).encode("utf-8")  # a lone surrogate, written as \ud800, fails here
    return content
