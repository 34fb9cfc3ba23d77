"""A simulated ntfy server: publishing as JSON, https://docs.ntfy.sh/publish/#publish-as-json"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable
from typing import Any

from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse

from .simulator import ChatSimulator, Refused, json_object
from .sliding_limit import SlidingLimit

MESSAGE_MAX_BYTES = 4096
JSON_MAX_BYTES = 8192
MAX_ACTIONS = 3
_ID = re.compile(r"[-_A-Za-z0-9]{1,64}")
_TYPES: dict[str, type] = {
    "topic": str, "title": str, "message": str, "markdown": bool, "tags": list, "priority": int, "click": str,
    "actions": list, "sequence_id": str,
}  # fmt: skip


class NtfySimulator(ChatSimulator):
    """A server with any topic. `protected`: topics, with the Authorization that they want.

    Its limit is 60 messages at once and one every five seconds, simplified to 60 within five minutes.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__(SlidingLimit(60, 300.0), clock=clock, error_body=_error)
        self.protected: dict[str, str] = {}

    def protect(self, topic: str, *, user: str = "", password: str = "", token: str = "") -> None:
        """Let only this user, or this token, publish to the topic."""
        basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self.protected[topic] = f"Bearer {token}" if token else basic

    def post(self, request: SimulatedRequest) -> SimulatedResponse:
        if request.method != "POST" or request.path != "/":
            raise _refused(404, 40401, "page not found")
        if len(request.body) > JSON_MAX_BYTES:
            raise _refused(413, 41301, "request body too large")
        try:
            message = json_object(request)
        except ValueError:
            raise _refused(400, 40024, "invalid request: request body must be valid JSON") from None
        _check(message)
        authorization = request.headers.get("authorization", "")
        if self.protected.get(message["topic"], authorization) != authorization:
            raise _refused(403, 40301, "forbidden")
        if self.limit.take(authorization, self.now()):
            raise _refused(429, 42901, "limit reached: too many requests, please be nice")
        accepted = self.accept(message["topic"], message, request)
        event = {"id": f"m{accepted.number}", "time": int(accepted.at), "event": "message", **message}
        return SimulatedResponse(200, json.dumps(event))


def _check(message: dict[str, Any]) -> None:
    for name, value in message.items():
        if name not in _TYPES or not isinstance(value, _TYPES[name]):
            raise _refused(400, 40024, f"invalid request: {name}")  # ntfy itself ignores names that it does not know
    if not _ID.fullmatch(message.get("topic", "")):
        raise _refused(400, 40009, "invalid request: topic invalid")
    if not _ID.fullmatch(message.get("sequence_id", "-")):
        raise _refused(400, 40049, "invalid request: sequence ID invalid")
    if not 1 <= message.get("priority", 3) <= 5:
        raise _refused(400, 40007, "invalid request: priority invalid")
    if len(message.get("message", "").encode()) > MESSAGE_MAX_BYTES:
        raise _refused(413, 41301, "it would become an attachment")
    actions = message.get("actions", [])
    for action in actions:
        if action.keys() != {"action", "label", "url"} or action["action"] != "view":
            raise _refused(400, 40018, "invalid request: actions invalid")
    if len(actions) > MAX_ACTIONS:
        raise _refused(400, 40018, "invalid request: actions invalid, only 3 actions allowed")


def _refused(status: int, code: int, error: str) -> Refused:
    link = "https://ntfy.sh/docs/publish"
    return Refused(error, status, {"code": code, "http": status, "error": error, "link": link})


def _error(status: int, message: str) -> str:
    return json.dumps({"code": status * 100, "http": status, "error": message})
