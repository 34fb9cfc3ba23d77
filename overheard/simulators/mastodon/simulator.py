"""`MastodonSimulator`: the simulated server as an object, for tests and the command line."""

from __future__ import annotations

import html
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from urllib.parse import unquote

from overheard.simulators.http.control import Command
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.http.simulator import HttpSimulator

from . import render
from .statuses import SimulatedStatus, SimulatedStatuses

PAGING = ("min_id", "max_id", "since_id")
DEFAULT_LIMIT, MAX_LIMIT = 20, 40
WINDOW_SECONDS = 900


class MastodonSimulator(HttpSimulator):
    """A simulated server. Thread-safe; also a context manager that starts and stops it.

    domain          where local accounts are, in their pages' addresses
    allowed         requests with min_id, max_id or since_id for each window of 15 minutes; the next get a 429
    wants_token     refuse requests without a token, as servers with a closed preview do
    page_size       the most statuses on a page: 40 on Mastodon
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        domain: str = "mastodon.example",
        allowed: int = 300,
        wants_token: bool = False,
        page_size: int = MAX_LIMIT,
    ) -> None:
        super().__init__(clock, render.error)
        self.statuses = SimulatedStatuses(self.now)
        self.domain = domain
        self.allowed = allowed
        self.wants_token = wants_token
        self.page_size = page_size
        self._window = (0, 0)  # its number, and requests in it
        self._window_lock = Lock()

    def publish(
        self,
        content: str,
        *,
        author: str = "ann",
        tags: Sequence[str] = (),
        created: float | None = None,
        reply_to: str | None = None,
        account: Mapping[str, object] | None = None,
        fields: Mapping[str, object] | None = None,
    ) -> SimulatedStatus:
        """Add a status, by a local author or another server's (bob@remote.example); `content` is HTML."""
        name, _, host = author.partition("@")

        def made(status_id: int, moment: float) -> SimulatedStatus:
            address = f"https://{host or self.domain}"
            return SimulatedStatus(
                status_id,
                author,
                content,
                moment,
                # A local status's id is an address of this very server, so that it can be looked up there.
                uri=f"{address if host else self.url.rstrip('/')}/users/{name}/statuses/{status_id}",
                url=f"{address}/@{name}/{status_id}",
                tags=tuple(tag.lower() for tag in tags),
                reply_to=None if reply_to is None else int(reply_to),
                account=dict(account or {}),
                fields=dict(fields or {}),
            )

        return self.statuses.add(made, self.now() if created is None else created)

    def federate(
        self, content: str, *, late_by: float, author: str = "bob@remote.example", tags: Sequence[str] = ()
    ) -> str:
        """Receive another server's status, `late_by` seconds after it was written there; return its id."""
        return str(self.publish(content, author=author, tags=tags, created=self.now() - late_by).id)

    def edit(self, status_id: str, content: str) -> None:
        """Change a status's text."""
        self.statuses.edit(int(status_id), content)

    def delete(self, status_id: str) -> None:
        """Delete a status: it disappears from timelines, and its look-up is a 404."""
        self.statuses.delete(int(status_id))

    def add_sample(self) -> None:
        """Publish an invented status."""
        number = int(self.now())
        self.publish(
            f"<p>Trying postgres number {number} today <a href='/tags/python'>#python</a></p>", tags=["python"]
        )

    def commands(self) -> dict[str, Command]:
        """Return the commands by their path below `/_simulator/`."""

        def publish(
            content: str, author: str = "ann", tag: str = "", late_by: float = 0.0, reply_to: str = ""
        ) -> dict[str, str]:
            status = self.publish(
                f"<p>{html.escape(content)}</p>",
                author=author,
                tags=[tag] if tag else [],
                created=self.now() - late_by,
                reply_to=reply_to or None,
            )
            return {"id": str(status.id), "uri": status.uri}

        text = {"content": "text*", "author": "text", "tag": "text", "late_by": "number", "reply_to": "text"}
        return super().commands() | {
            "statuses": Command(publish, text),
            "statuses/edit": Command(self.edit, {"status_id": "text*", "content": "text*"}),
            "statuses/delete": Command(self.delete, {"status_id": "text*"}),
        }

    def respond(self, request: SimulatedRequest) -> SimulatedResponse:
        """Return the correct response to a request."""
        query = request.query
        headers = self._count() if any(query.get(name) for name in PAGING) else {}
        if headers is None:
            return self._error(429, "Too many requests", self._limit_headers(0))
        if request.method != "GET":
            return self._error(404, "The page you were looking for doesn't exist", headers)
        if self.wants_token and "authorization" not in request.headers:
            return self._error(422, "This method requires an authenticated user", headers)
        return self._route(request.path, query, headers)

    def _route(self, path: str, query: Mapping[str, str], headers: dict[str, str]) -> SimulatedResponse:
        parts = path.strip("/").split("/")
        match parts:
            case ["api", "v1", "timelines", "public"]:
                return self._timeline(None, query, headers)
            case ["api", "v1", "timelines", "tag", tag]:
                return self._timeline(unquote(tag).lower(), query, headers)
            case ["api", "v1", "statuses", number] if number.isdecimal():
                status = self.statuses.get(int(number))
                if status is not None:
                    return _json(render.status_json(status, self.domain), headers)
        return self._error(404, "Record not found", headers)

    def _timeline(self, tag: str | None, query: Mapping[str, str], headers: dict[str, str]) -> SimulatedResponse:
        limit = min(_number(query.get("limit")) or DEFAULT_LIMIT, self.page_size, MAX_LIMIT)
        bounds = {name: _number(query[name]) for name in PAGING if query.get(name)}
        local, remote = (query.get(name) in ("true", "1") for name in ("local", "remote"))
        page = self.statuses.page(tag, limit, bounds, local=local, remote=remote)
        if page:
            where = f"{self.url}api/v1/timelines/" + ("public" if tag is None else f"tag/{tag}")
            headers["link"] = (
                f'<{where}?limit={limit}&max_id={page[-1].id}>; rel="next", '
                f'<{where}?limit={limit}&min_id={page[0].id}>; rel="prev"'
            )
        return _json([render.status_json(status, self.domain) for status in page], headers)

    def _count(self) -> dict[str, str] | None:
        """Count a request of the current window, which begins at a multiple of its length; None: one too many."""
        number = int(self.now() // WINDOW_SECONDS)
        with self._window_lock:
            used = self._window[1] + 1 if self._window[0] == number else 1
            self._window = (number, used)
        return None if used > self.allowed else self._limit_headers(self.allowed - used)

    def _limit_headers(self, remaining: int) -> dict[str, str]:
        ends = (math.floor(self.now() / WINDOW_SECONDS) + 1) * WINDOW_SECONDS
        return {
            "X-RateLimit-Limit": str(self.allowed),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": render.iso(ends).replace("Z", "000Z"),
        }

    def _error(self, status: int, message: str, headers: dict[str, str]) -> SimulatedResponse:
        return SimulatedResponse(status, render.error(status, message), headers)


def _number(text: str | None) -> int:
    """Return a parameter's number, 0 if it is not one, as Rails does."""
    return int(text) if text and text.isdecimal() else 0


def _json(value: object, headers: dict[str, str]) -> SimulatedResponse:
    return SimulatedResponse(200, json.dumps(value), headers)
