"""Serve the paths that can be read: listings, api/info, about, search, me. The request has been authorized already."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Literal

from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse

from . import listings, render
from .items import SUBREDDIT_NAME, Item, Kind, Place, Post, Subreddit, parse_fullname
from .store import SimulatedContent
from .tokens import Holder

Multi = Literal["refuse", "drop"]

_READ = re.compile(r"/r/([^/]+)/(new|comments|about|search)")
_MAX_IDS = 100  # per request to api/info
_MAX_QUERY_CHARS = 512
_SORTS = ("relevance", "hot", "top", "new", "comments")
_WINDOWS = {
    "hour": 3600.0,
    "day": 86_400.0,
    "week": 7 * 86_400.0,
    "month": 30 * 86_400.0,
    "year": 365 * 86_400.0,
    "all": math.inf,
}
_MAX_SEARCH_RESULTS = 1000  # as deep as any listing


def reddit_path(request: SimulatedRequest) -> str:
    """Return a request's path without what Reddit ignores: `.json` at its end."""
    return request.path.removesuffix(".json")


class BadRequest(Exception):
    """A request that Reddit answers with an error; `answer` is the response."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None, **more: str) -> None:
        super().__init__(message)
        self.answer = SimulatedResponse(status, render.error(status, message, **more), dict(headers or {}))


class Routes:
    """Serves reads from the store. `multi` is what happens to r/a+b when one of the two cannot be read:

    refuse   403 or 404 for the whole URL, without naming it (according to recent reports)
    drop     it is silently left out; 404 if nothing is left (according to Reddit's published source)
    """

    def __init__(
        self,
        store: SimulatedContent,
        multi: Multi = "refuse",
        depth: int = 1000,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._now = now
        self._multi = multi
        self._depth = depth

    def endpoint(self, path: str) -> str:
        """Return the endpoint that a path is counted as."""
        match = _READ.fullmatch(path)
        if match:
            return match[2]
        return {"/api/info": "info", "/search": "search", "/api/v1/me": "me"}.get(path, "unknown")

    def read(self, request: SimulatedRequest, holder: Holder) -> SimulatedResponse:
        """Answer a request for data. Raises BadRequest."""
        path, query = reddit_path(request), request.query
        endpoint = self.endpoint(path)
        if endpoint == "unknown":
            raise BadRequest(404, "Not Found")
        if request.method != "GET":
            raise BadRequest(405, "Method Not Allowed", {"allow": "GET"})
        match = _READ.fullmatch(path)
        with self._store.lock:
            self._store.settle()
            if endpoint == "info":
                text = self._info(query)
            elif endpoint == "me":
                text = _me(holder)
            elif endpoint == "search":
                text = self._search(match[1] if match and query.get("restrict_sr") else "all", query)
            elif match and endpoint == "about":
                text = render.subreddit(self._single(match[1]))
            else:
                kind: Kind = "t3" if endpoint == "new" else "t1"
                text = self._listing(self._columns(match[1] if match else "all", kind), kind, query)
        if "raw_json" not in query or query["raw_json"] == "0":
            # None of the three characters occurs in JSON outside of strings, so the finished text can be escaped.
            text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return SimulatedResponse(200, text)

    def _listing(self, columns: listings.Columns, kind: Kind, query: dict[str, str]) -> str:
        limit = _limit(query.get("limit"))
        behind, ahead = (self._anchor(query.get(name), kind) for name in ("after", "before"))
        counted = query.get("count", "").isdigit() and int(query["count"]) > 0
        if ahead is not None:
            page = listings.before(columns, ahead, limit, self._depth)
        elif behind is not None:
            page = listings.after(columns, behind, limit, self._depth)
        else:
            page = listings.newest(columns, limit, self._depth)
        items = [item for place in page.places if (item := self._store.at(kind, place))]
        first, last = (items[0].fullname, items[-1].fullname) if items else (None, None)
        if ahead is not None:
            older, newer = (last if counted else None), (first if page.more else None)
        else:
            older, newer = (last if page.more else None), (first if counted else None)
        return render.listing(map(render.thing, items), after=older, before=newer)

    def _info(self, query: dict[str, str]) -> str:
        if "sr_name" in query:
            names = _names(query["sr_name"])
            homes = [self._store.subreddits.get(name.lower()) for name in names]
            return render.listing(render.subreddit(home) for home in homes if home and home.is_shown)
        things: list[str] = []
        for name in _names(query.get("id", "")):
            parsed = parse_fullname(name)
            if parsed and parsed[0] == "t5":
                things += [render.subreddit(home) for home in self._store.numbered(parsed[1]) if home.is_shown]
                continue
            item = self._store.find(*parsed) if parsed else None
            if item and item.subreddit.state == "public":
                things.append(render.thing(item))
        return render.listing(things)

    def _search(self, name: str, query: dict[str, str]) -> str:
        # Deliberately simple: words, "phrases" and OR, in title or text; always sorted newest first.
        text, window = query.get("q", ""), query.get("t", "all")
        if len(text) > _MAX_QUERY_CHARS or window not in _WINDOWS or query.get("sort", "relevance") not in _SORTS:
            raise BadRequest(400, "Bad Request")
        alternatives = _alternatives(text)
        since = self._now() - _WINDOWS[window]
        columns = self._columns(name, "t3")
        places: list[Place] = []
        for place in sorted((place for column in columns for place in column), reverse=True):
            item = self._store.at("t3", place)
            if item and item.created >= since and any(_contains(item, words) for words in alternatives):
                places.append(place)
                if len(places) == _MAX_SEARCH_RESULTS:
                    break
        return self._listing([places[::-1]], "t3", query)

    def _anchor(self, name: str | None, kind: Kind) -> Place | None:
        """Return the anchor's place; None without an anchor, -1 (in no listing) if it is missing or of another kind."""
        parsed = parse_fullname(name) if name else None
        if parsed is None:
            return None
        item = self._store.find(*parsed) if parsed[0] == kind else None
        return item.place if item else -1

    def _columns(self, name: str, kind: Kind) -> listings.Columns:
        names = list(dict.fromkeys(part.lower() for part in name.split("+")))
        if "all" in names:
            return [self._store.all[kind]]
        if self._multi == "drop" and len(names) > 1:
            known = [self._store.subreddits.get(each) for each in names]
            homes = [home for home in known if home and home.is_shown]
            if not homes:
                raise BadRequest(404, "Not Found")
            if len(homes) > 1:
                return [home.listed[kind] for home in homes if home.state == "public"]
            names = [homes[0].name.lower()]  # the only one left is read as if it were named alone
        if len(names) == 1:
            return [self._single(names[0]).listed[kind]]
        return [self._one_of_many(each).listed[kind] for each in names]

    def _single(self, name: str) -> Subreddit:
        home = self._store.subreddits.get(name.lower())
        if home is None or home.state == "missing":
            if not SUBREDDIT_NAME.fullmatch(name):
                raise BadRequest(404, "Not Found")
            # Reddit sends an absolute URL here. A relative one keeps clients that follow redirects on this machine.
            raise BadRequest(302, "Found", {"location": f"/subreddits/search?q={name}"})
        if home.state == "banned":
            raise BadRequest(404, "Not Found", reason="banned")
        if home.state == "private":
            raise BadRequest(403, "Forbidden", reason="private")
        if home.state == "quarantined":
            raise BadRequest(403, "Forbidden", reason="quarantined", quarantine_message="It is quarantined")
        return home

    def _one_of_many(self, name: str) -> Subreddit:
        home = self._store.subreddits.get(name)
        if home is None or home.state in ("missing", "banned"):
            raise BadRequest(404, "Not Found")
        if home.state != "public":
            raise BadRequest(403, "Forbidden")
        return home


def _limit(value: str | None) -> int:
    # Reddit clamps the limit instead of refusing it.
    try:
        return min(max(int(value or ""), 1), 100)
    except ValueError:
        return 25


def _names(value: str) -> list[str]:
    names = [name for name in re.split("[ ,]+", value) if name]
    if len(names) > _MAX_IDS:
        # Reddit's published source returns an empty listing here, which would hide the mistake in a test.
        raise BadRequest(400, "Bad Request")
    return names


def _alternatives(text: str) -> list[list[str]]:
    """Return what is searched for: items with all words and phrases of any of these. An empty text finds nothing."""
    terms = [phrase or word for phrase, word in re.findall(r'"([^"]*)"|(\S+)', text)]
    groups = [[term.lower() for term in group] for is_or, group in groupby(terms, "OR".__eq__) if not is_or]
    return [group for group in groups if any(group)]


def _contains(item: Item, words: list[str]) -> bool:
    text = (f"{item.title} {item.text}" if isinstance(item, Post) else item.text).lower()
    return all(word in text for word in words)


def _me(holder: Holder) -> str:
    if holder.user is None:
        raise BadRequest(403, "Forbidden")
    return json.dumps({"name": holder.user, "id": "standin", "is_suspended": False})
