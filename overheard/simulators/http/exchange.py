"""Requests and responses as values, independent of the HTTP server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

Manner = Literal["send", "slow", "hang", "drip", "raw", "truncate", "reset"]


@dataclass(frozen=True, slots=True)
class SimulatedRequest:
    """`target` is that of the request line, including the query; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, without doubled slashes at its beginning and its end."""
        return "/" + urlsplit("/" + self.target.lstrip("/")).path.strip("/")

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit("/" + self.target.lstrip("/")).query))


@dataclass(frozen=True, slots=True)
class SimulatedResponse:
    """`manner` is how it is sent: at once, `seconds` late, one byte every `seconds`, truncated, or not at all.

    `raw`: the text is everything that is sent, status line and headers included; with `seconds`, one byte at a time.
    `whole_length`: Content-Length is that of the whole body even if it is truncated. `violation`: the request exceeded
    the rate limit.
    """

    status: int
    text: str | bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=UTF-8"
    manner: Manner = "send"
    seconds: float = 0.0
    whole_length: bool = True
    violation: bool = False
