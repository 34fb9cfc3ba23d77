"""A request and an answer, as values: what the HTTP server hands in and sends out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

Manner = Literal["send", "slow", "hang", "truncate", "reset"]


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """`target` is the request line's, query included; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without what Reddit does not mind: a doubled or trailing slash, `.json`."""
        path = "/" + urlsplit("/" + self.target.lstrip("/")).path.strip("/")
        return path.removesuffix(".json")

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit("/" + self.target.lstrip("/")).query))


@dataclass(frozen=True, slots=True)
class SimulatedResponse:
    """`manner` says how it reaches the client: sent, sent after `seconds`, cut in the middle, or not at all."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=UTF-8"
    manner: Manner = "send"
    seconds: float = 0.0
    whole_length: bool = True
    violation: bool = False
