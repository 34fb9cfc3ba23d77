"""`FeedsSimulator`: several feeds on one server, each at its own path."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from threading import RLock
from typing import Any

from ..http.control import Command
from ..http.exchange import SimulatedRequest, SimulatedResponse
from ..http.simulator import HttpSimulator
from .feed import FeedFormat, SimulatedEntry, SimulatedFeed
from .render import CONTENT_TYPES, render

SAMPLE_FEED = "/feed.xml"
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Fixed:
    """What a path answers instead of a feed."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def html_error(status: int, message: str) -> str:
    """Return the body of an error as web servers write it."""
    return f"<!doctype html>\n<html><head><title>{status}</title></head><body><h1>{message}</h1></body></html>\n"


class FeedsSimulator(HttpSimulator):
    """Feeds by their targets, such as `/feed.xml` or `/feed?token=abc`: any other target is a 404.

    `/feed.xml` is there from the beginning.
    Responses have an ETag and a Last-Modified (not with `validators=False`), and requests that name either are
    answered by 304 while nothing has changed.
    """

    def __init__(self, clock: Callable[[], float] = time.time, *, validators: bool = True) -> None:
        super().__init__(clock, html_error)
        self._validators = validators
        self._feeds = {SAMPLE_FEED: SimulatedFeed(changed_at=self.now())}
        self._fixed: dict[str, _Fixed] = {}
        self._lock = RLock()
        self._count = 0

    def add_feed(self, path: str = SAMPLE_FEED, format: FeedFormat = "rss", **settings: Any) -> str:
        """Add an empty feed; `settings` are fields of `SimulatedFeed`. Return its URL while the server runs."""
        with self._lock:
            self._feeds[path] = SimulatedFeed(format, changed_at=self.now(), **settings)
        return self.url_of(path)

    def url_of(self, path: str) -> str:
        """Return the URL of a path; the path itself while the server does not run."""
        return f"{self.url.rstrip('/')}{path}" if self._server is not None else path

    def feed(self, path: str) -> SimulatedFeed:
        """Return a feed, whose settings may be changed. Raises KeyError."""
        return self._feeds[path]

    def add_entry(
        self,
        path: str = SAMPLE_FEED,
        title: str = "a title",
        body: str = "<p>a text</p>",
        *,
        guid: str | None = None,
        link: str | None = None,
        author: str = "ann",
        published: float | None = None,
        dated: bool = True,
    ) -> str:
        """Publish an entry and return its guid. `published`: by default now; with `dated=False` it has no date."""
        with self._lock:
            self._count += 1
            at = published if published is not None else self.now() if dated else None
            guid = guid if guid is not None else f"entry-{self._count}"
            link = link if link is not None else f"https://blog.example/{self._count}"
            self._change(path).entries.append(SimulatedEntry(guid, title, body, link, author, at))
            return guid

    def add_sample(self) -> str:
        """Publish one invented entry."""
        number = self._count + 1
        return self.add_entry(title=f"Release {number} of Acme DB", body=f"<p>Acme DB {number} is out.</p>")

    def edit_entry(self, path: str, guid: str, *, title: str | None = None, body: str | None = None) -> None:
        """Change an entry. Raises KeyError."""
        with self._lock:
            entry = next((each for each in self._change(path).entries if each.guid == guid), None)
            if entry is None:
                raise KeyError(f"no entry {guid} in {path}")
            entry.title = title if title is not None else entry.title
            entry.body = body if body is not None else entry.body
            entry.updated = self.now()

    def clear_feed(self, path: str) -> None:
        """Remove all entries."""
        with self._lock:
            self._change(path).entries.clear()

    def move_feed(self, path: str, to: str, status: int = 301) -> None:
        """Redirect a path from now on, to a path of this server or another URL."""
        self.serve(path, b"", status=status, headers={"location": to})

    def refuse_feed(self, path: str, status: int = 410) -> None:
        """Answer a path with an error from now on."""
        self.serve(path, html_error(status, "no feed here").encode(), status=status, headers={"content-type": _HTML})

    def serve(self, path: str, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Answer a path with these bytes from now on, whatever they are."""
        with self._lock:
            self._fixed[path] = _Fixed(status, body, headers or {})

    def restore(self, path: str) -> None:
        """Answer a path with its feed again."""
        with self._lock:
            self._fixed.pop(path, None)

    def respond(self, request: SimulatedRequest) -> SimulatedResponse:
        if request.method not in ("GET", "HEAD"):
            return _page(405, "Method Not Allowed", allow="GET, HEAD")
        with self._lock:
            if (fixed := self._fixed.get(request.target)) is not None:
                return SimulatedResponse(fixed.status, fixed.body, fixed.headers, "application/xml")
            feed = self._feeds.get(request.target)
            if feed is None:
                return _page(404, "Not Found")
            return self._feed_response(feed, request)

    def commands(self) -> dict[str, Command]:
        return super().commands() | {
            "feeds": Command(self.add_feed, {"path": "text*", "format": "text", "window": "count", "ttl": "count"}),
            "entries": Command(
                self.add_entry,
                {"path": "text*", "title": "text", "body": "text", "guid": "text", "published": "number"},
            ),
            "move": Command(self.move_feed, {"path": "text*", "to": "text*", "status": "count"}),
            "refuse": Command(self.refuse_feed, {"path": "text*", "status": "count"}),
            "restore": Command(self.restore, {"path": "text*"}),
        }

    def _change(self, path: str) -> SimulatedFeed:
        feed = self._feeds[path]
        feed.changed_at = self.now()
        return feed

    def _feed_response(self, feed: SimulatedFeed, request: SimulatedRequest) -> SimulatedResponse:
        url = self.url_of(request.target)
        content_type = f"{CONTENT_TYPES[feed.format]}; charset={feed.encoding}"
        body = render(feed, url)
        headers = {}
        if self._validators:
            etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
            headers = {"etag": etag, "last-modified": formatdate(feed.changed_at, usegmt=True)}
            if self._is_unchanged(feed, etag, request.headers):
                return SimulatedResponse(304, b"", headers, content_type)
        feed.served += 1
        return SimulatedResponse(200, body, headers, content_type)

    @staticmethod
    def _is_unchanged(feed: SimulatedFeed, etag: str, headers: dict[str, str]) -> bool:
        if (named := headers.get("if-none-match")) is not None:
            return etag in (each.strip() for each in named.split(","))  # which takes precedence (RFC 9110)
        try:
            since = parsedate_to_datetime(headers.get("if-modified-since", "")).timestamp()
        except ValueError:
            return False
        return int(feed.changed_at) <= since


def _page(status: int, message: str, **headers: str) -> SimulatedResponse:
    return SimulatedResponse(status, html_error(status, message), headers, _HTML)
