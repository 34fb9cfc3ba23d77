"""`HackerNewsSimulator`: the simulated Hacker News as an object, for tests and the command line."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from typing import Any

from overheard.simulators.http.control import Command
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.http.simulator import HttpSimulator
from overheard.simulators.reddit.traffic import sample

from .content import SimulatedItem, SimulatedItems
from .search import InvalidSearch, search

_ITEM = re.compile(r"/v0/item/([^/]*)\.json")
_SEARCH = "/api/v1/search_by_date"
_NEW = {"author": "text", "created": "number", "hidden_for": "number"}
_RECENT = 40  # samples comment on one of so many latest items


class HackerNewsSimulator(HttpSimulator):
    """A simulated Hacker News. Thread-safe; also a context manager that starts and stops the server.

    seed     determines the sample texts
    clock    seconds since the epoch; `advance()` adds to it
    first    the first number
    """

    def __init__(self, seed: int = 0, *, clock: Callable[[], float] = time.time, first: int = 40_000_000) -> None:
        super().__init__(clock, lambda status, phrase: json.dumps({"error": phrase}))
        self.items = SimulatedItems(self.now, first)
        self._random = random.Random(f"hackernews {seed}")
        self._samples = sample()
        self._latest: list[int] = []

    def respond(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer as Firebase does below `/v0/`, and as Algolia does below `/api/`."""
        if request.method != "GET":
            return _answer({"error": "Permission denied"}, 401)
        if request.path.startswith("/api/"):
            return self._search(request)
        if request.path == "/v0/maxitem.json":
            return _answer(self.items.highest())
        if request.path == "/v0/updates.json":
            return _answer({"items": self.items.updates(), "profiles": []})
        if (matched := _ITEM.fullmatch(request.path)) is not None:
            # A path that is allowed and has nothing, such as a number without an item, is `null`.
            item = self.items.visible(int(matched[1])) if matched[1].isdecimal() else None
            return _answer(item.as_json() if item is not None else None)
        if not request.path.endswith(".json"):
            return SimulatedResponse(302, "", {"location": "https://console.firebase.google.com/"}, "text/html")
        return _answer({"error": "Permission denied"}, 401)

    def endpoint(self, request: SimulatedRequest) -> str:
        """Return `item` for every item's path."""
        return "item" if _ITEM.fullmatch(request.path) else request.path.rpartition("/")[2].removesuffix(".json")

    def commands(self) -> dict[str, Command]:
        """Return the commands by their path below `/_simulator/`."""

        def adds(add: Callable[..., int]) -> Callable[..., dict[str, int]]:
            return lambda **fields: {"id": add(**fields)}

        number = {"number": "count*"}
        return super().commands() | {
            "stories": Command(adds(self.add_story), {"title": "text*", "text": "text", "url": "text"} | _NEW),
            "comments": Command(adds(self.add_comment), {"parent": "count*", "text": "text*"} | _NEW),
            "jobs": Command(adds(self.add_job), {"title": "text*", "text": "text", "url": "text"} | _NEW),
            "holes": Command(adds(self.add_hole), {"count": "count"}),
            "samples": Command(self.add_samples, {"count": "count*", "seconds": "number"}),
            "delete": Command(self.delete, number),
            "kill": Command(self.kill, number),
            "edit": Command(self.edit, number | {"text": "text*"}),
            "max-item": Command(self.set_max_item, {"number": "count"}),
        }

    def add_story(self, title: str, text: str = "", *, url: str = "", author: str = "someone", **new: Any) -> int:
        """Add a story and return its number. Texts are plain.

        `created`: seconds since the epoch. For `hidden_for` seconds its number has no item yet.
        """
        return self._add("story", title=title, text=text, url=url, by=author, **new)

    def add_comment(self, parent: int, text: str, *, author: str = "someone", **new: Any) -> int:
        """Add a comment on a story or a comment, and return its number. Options as for a story."""
        return self._add("comment", parent=parent, text=text, by=author, **new)

    def add_job(self, title: str, text: str = "", *, url: str = "", author: str = "someone", **new: Any) -> int:
        """Add a job and return its number. Options as for a story."""
        return self._add("job", title=title, text=text, url=url, by=author, **new)

    def add_poll(self, title: str, options: list[str], *, author: str = "someone", **new: Any) -> int:
        """Add a poll with its options, which are items of their own; return its number."""
        poll = self._add("poll", title=title, by=author, **new)
        parts = [self._add("pollopt", text=option, by=author, poll=poll, **new) for option in options]
        self.items.find(poll).parts.extend(parts)
        return poll

    def add_hole(self, count: int = 1) -> int:
        """Use up numbers that never get an item; return the first."""
        return self.items.skip(count)

    def add_sample(self, *, created: float | None = None) -> int:
        """Add an invented story or comment and return its number."""
        text = self._random.choice(self._samples)
        if text.title is not None or not self._latest:
            title = text.title or text.text[:80]
            number = self.add_story(title, text.text, author=text.author, created=created)
        else:
            parent = self._random.choice(self._latest)
            number = self.add_comment(parent, text.text, author=text.author, created=created)
        self._latest = [*self._latest[-_RECENT:], number]
        return number

    def add_samples(self, count: int, seconds: float = 0.0) -> None:
        """Add many of them, created evenly over the last `seconds`: what was missed during a stop."""
        now = self.now()
        for number in range(count):
            self.add_sample(created=now - seconds * (count - number) / count)

    def delete(self, number: int) -> None:
        """Delete an item, by its author."""
        self.items.change(number, deleted=True)

    def kill(self, number: int) -> None:
        """Kill an item, as flags and moderators do."""
        self.items.change(number, dead=True)

    def edit(self, number: int, text: str) -> None:
        """Change an item's text."""
        self.items.change(number, text=text)

    def set_max_item(self, number: int | None = None) -> None:
        """Answer a wrong highest number from now on; None: the true one again."""
        self.items.max_item = number

    def _add(self, item_type: Any, *, created: float | None = None, **fields: Any) -> int:
        return self.items.add(item_type, created=created, **fields)

    def _search(self, request: SimulatedRequest) -> SimulatedResponse:
        if request.path != _SEARCH:
            return _answer({"message": "Not Found", "status": 404}, 404)
        try:
            return _answer(search(self.items.all_visible(), self._story_of, request.query))
        except InvalidSearch as error:
            return _answer({"message": str(error), "status": 400}, 400)

    def _story_of(self, item: SimulatedItem) -> SimulatedItem | None:
        while item.parent is not None:
            item = self.items.find(item.parent)
        return item


def _answer(value: object, status: int = 200) -> SimulatedResponse:
    return SimulatedResponse(status, json.dumps(value, separators=(",", ":")))
