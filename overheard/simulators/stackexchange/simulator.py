"""`StackExchangeSimulator`: the simulated API as an object, for tests and the command line."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from overheard.simulators.http.control import PREFIX, Command
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.http.simulator import HttpSimulator

from .parameters import DAY_SECONDS, ApiError, ListParameters, numbers_of, parsed
from .posts import SimulatedPost, SimulatedPosts, rendered, sorted_page

QUOTA, QUOTA_WITH_KEY = 300, 10_000


class StackExchangeSimulator(HttpSimulator):
    """A simulated API. Thread-safe; also a context manager that starts and stops it.

    sites, keys             the sites and keys that exist
    quota                   requests a day without a key; with one there are QUOTA_WITH_KEY
    compressed              compress all responses, as the API does
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        sites: Sequence[str] = ("stackoverflow", "superuser", "unix"),
        keys: Sequence[str] = ("simulated-key",),
        quota: int = QUOTA,
        compressed: bool = True,
    ) -> None:
        super().__init__(clock, lambda status, message: json.dumps(_error(ApiError(status, "error", message))))
        self.posts = SimulatedPosts()
        self._sites = tuple(sites)
        self._keys = tuple(keys)
        self._quota = quota
        self._compressed = compressed
        self._used: dict[tuple[str, int], int] = {}  # by key and day
        self._backoffs: list[tuple[str | None, int]] = []  # still to be asked for: of a method, and how long
        self._until: dict[str, float] = {}  # by method
        self.violations = 0  # requests during a backoff, or beyond the quota
        self._lock = Lock()

    def ask(
        self,
        site: str,
        title: str,
        body: str = "<p>text</p>",
        *,
        tags: Sequence[str] = ("postgresql",),
        author: str = "ann",
        created: float | None = None,
        **fields: object,
    ) -> SimulatedPost:
        """Add a question; `fields` overrides what is rendered."""
        at = int(self.now() if created is None else created)
        return self.posts.add(site, body, author, at, title=title, tags=tuple(tags), fields=fields)

    def reply(
        self, question: SimulatedPost, body: str = "<p>text</p>", *, author: str = "bob", created: float | None = None
    ) -> SimulatedPost:
        """Add an answer."""
        at = int(self.now() if created is None else created)
        return self.posts.add(question.site, body, author, at, question=question.number)

    def edit(self, post: SimulatedPost, body: str) -> None:
        """Change a post's text."""
        self.posts.edit(post, body, int(self.now()))

    def delete(self, site: str, number: int) -> None:
        """Delete a post: it is missing from all responses from now on."""
        self.posts.delete(site, number)

    def back_off(self, seconds: int, method: str | None = None) -> None:
        """Ask for a pause with the next response (of a method, such as /questions), and enforce it."""
        with self._lock:
            self._backoffs.append((method, seconds))

    def add_sample(self) -> None:
        """Ask an invented question."""
        number = int(self.now())
        self.ask("stackoverflow", f"How do I index row {number}?", "<p>With postgres, of course.</p>")

    def commands(self) -> dict[str, Command]:
        """Return the commands by their path below `/_simulator/`."""

        def ask(title: str, site: str = "stackoverflow", body: str = "", tag: str = "postgresql") -> dict[str, int]:
            return {"number": self.ask(site, title, body, tags=[tag]).number}

        def reply(number: int, body: str, site: str = "stackoverflow") -> dict[str, int]:
            question = self.posts.get(site, number)
            if question is None:
                raise KeyError(f"no question {number}")
            return {"number": self.reply(question, body).number}

        return super().commands() | {
            "questions": Command(ask, {"title": "text*", "site": "text", "body": "text", "tag": "text"}),
            "answers": Command(reply, {"number": "count*", "body": "text*", "site": "text"}),
            "delete": Command(self.delete, {"site": "text*", "number": "count*"}),
            "backoff": Command(self.back_off, {"seconds": "count*", "method": "text"}),
        }

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer any request, compressed even if the client has not asked for it."""
        answer = super().answer(request)
        is_control = f"{request.path}/".startswith(PREFIX)
        if is_control or not self._compressed or not answer.text or "content-encoding" in answer.headers:
            return answer
        body = answer.text.encode() if isinstance(answer.text, str) else answer.text
        packed = gzip.compress(body, compresslevel=1)
        return replace(answer, text=packed, headers={**answer.headers, "content-encoding": "gzip"})

    def respond(self, request: SimulatedRequest) -> SimulatedResponse:
        """Return the correct response to a request."""
        parts = request.path.strip("/").split("/")
        method = "/" + "/".join("{ids}" if part[:1].isdigit() else part for part in parts[1:])
        try:
            remaining = self._admit(request.query.get("key", ""), method)
            if parts[0] != "2.3" or request.method != "GET":
                raise ApiError(404, "no_method", "no method found with this name")
            found = self._found(parts[1:], parsed(request.query, self._sites, self._keys))
        except ApiError as error:
            return _sent(400, _error(error))
        backoff = self._next_backoff(method)
        quota = QUOTA_WITH_KEY if "key" in request.query else self._quota
        return _sent(200, {**found, "quota_max": quota, "quota_remaining": remaining, **backoff})

    def _found(self, parts: Sequence[str], wanted: ListParameters) -> dict[str, Any]:
        match parts:
            case ["questions" | "answers" as kind]:
                return self._page(self.posts.listed(wanted.site, answers=kind == "answers"), wanted)
            case ["questions" | "answers" as kind, numbers]:
                ids = numbers_of(numbers)
                listed = self.posts.listed(wanted.site, answers=kind == "answers")
                return self._page([post for post in listed if post.number in ids], replace(wanted, tags=()))
            case ["questions", numbers, "answers"]:
                ids = numbers_of(numbers)
                listed = self.posts.listed(wanted.site, answers=True)
                return self._page([post for post in listed if post.question in ids], replace(wanted, tags=()))
        raise ApiError(404, "no_method", "no method found with this name")

    def _page(self, posts: Sequence[SimulatedPost], wanted: ListParameters) -> dict[str, Any]:
        def fits(post: SimulatedPost) -> bool:
            key = post.active if wanted.sort == "activity" else post.created
            return (
                wanted.since <= post.created <= wanted.until
                and wanted.least <= key <= wanted.most
                # It is about questions only; answers have no tags.
                and (post.question is not None or set(wanted.tags) <= set(post.tags))
            )

        page, more = sorted_page(filter(fits, posts), wanted.sort, wanted.order, wanted.page, wanted.size)
        items = [rendered(post, self.posts.answer_count(post), with_body=wanted.with_body) for post in page]
        return {"items": items, "has_more": more}

    def _admit(self, key: str, method: str) -> int:
        """Count a request; return how many are left today. Raises ApiError for one too many, or during a backoff."""
        now = self.now()
        day = int(now // DAY_SECONDS)
        with self._lock:
            quota = QUOTA_WITH_KEY if key in self._keys else self._quota
            used = self._used[key, day] = self._used.get((key, day), 0) + 1
            waits = self._until.get(method, 0.0) - now
            if used <= quota and waits <= 0:
                return quota - used
            self.violations += 1
            seconds = int(waits) + 1 if used <= quota else int(DAY_SECONDS - now % DAY_SECONDS)
        message = f"too many requests from this IP, more requests available in {seconds} seconds"
        raise ApiError(502, "throttle_violation", message)

    def _next_backoff(self, method: str) -> dict[str, int]:
        with self._lock:
            for number, (wanted, seconds) in enumerate(self._backoffs):
                if wanted in (None, method):
                    del self._backoffs[number]
                    self._until[method] = self.now() + seconds
                    return {"backoff": seconds}
        return {}


def _error(error: ApiError) -> dict[str, object]:
    return {"error_id": error.number, "error_name": error.name, "error_message": error.message}


def _sent(status: int, value: object) -> SimulatedResponse:
    return SimulatedResponse(status, json.dumps(value))
