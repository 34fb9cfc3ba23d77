"""The items of the simulated Hacker News: one sequence of numbers for all kinds, some without an item."""

from __future__ import annotations

import html
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Literal

ItemType = Literal["story", "comment", "job", "poll", "pollopt"]
_UPDATES = 50  # how many changed items the list of updates has


@dataclass(slots=True)
class SimulatedItem:
    """An item; texts are plain, and encoded when they are sent. `appears`: until then its number has no item."""

    number: int
    type: ItemType
    by: str
    time: int
    title: str = ""
    text: str = ""
    url: str = ""
    parent: int | None = None
    poll: int | None = None
    parts: list[int] = field(default_factory=list)
    kids: list[int] = field(default_factory=list)
    deleted: bool = False
    dead: bool = False
    appears: float = -math.inf

    def as_json(self) -> dict[str, Any]:
        """Return the item as Firebase has it: fields without a value are left out, and a deleted item has few."""
        shown: dict[str, Any] = {"id": self.number, "type": self.type, "time": self.time}
        shown |= {"parent": self.parent} if self.parent is not None else {}
        shown |= {"poll": self.poll} if self.poll is not None else {}
        if self.deleted:
            return shown | {"deleted": True} | self._children()
        shown["by"] = self.by
        if self.dead:
            shown["dead"] = True
        if self.type != "comment" and not (self.dead and self.type == "story"):  # those lose title and url
            shown |= {"title": encoded(self.title)} if self.title else {}
            shown |= {"url": self.url} if self.url else {}
            shown["score"] = 1
        shown |= {"text": as_html(self.text)} if self.text else {}
        shown |= {"descendants": len(self.kids)} if self.type in ("story", "poll") else {}
        return shown | self._children()

    def _children(self) -> dict[str, Any]:
        return ({"kids": self.kids[:]} if self.kids else {}) | ({"parts": self.parts[:]} if self.parts else {})


class SimulatedItems:
    """All items, by number. Thread-safe. `clock`: seconds since the epoch; `first`: the first number."""

    def __init__(self, clock: Callable[[], float], first: int) -> None:
        self._clock = clock
        self._items: dict[int, SimulatedItem] = {}
        self._next = first
        self._changed: deque[int] = deque(maxlen=_UPDATES)
        self.max_item: int | None = None  # in place of the true one
        self.lock = RLock()

    def add(self, item_type: ItemType, *, created: float | None, hidden_for: float = 0.0, **fields: Any) -> int:
        """Add an item and return its number."""
        with self.lock:
            number = self.skip(1)
            now = self._clock()
            time = math.floor(now if created is None else created)
            appears = now + hidden_for if hidden_for else -math.inf
            item = SimulatedItem(number, item_type, time=time, appears=appears, **fields)
            if item.parent is not None:
                self.find(item.parent).kids.append(number)
                self._touch(item.parent)
            self._items[number] = item
            return number

    def skip(self, count: int) -> int:
        """Use up numbers, which never get an item unless they are added now; return the first."""
        with self.lock:
            number = self._next
            self._next += count
            return number

    def find(self, number: int) -> SimulatedItem:
        """Return an item, even if it has not appeared yet. Raises KeyError."""
        if number not in self._items:
            raise KeyError(f"there is no item {number}")
        return self._items[number]

    def change(self, number: int, **fields: Any) -> None:
        """Change an item, and list it among the updates."""
        with self.lock:
            item = self.find(number)
            for name, value in fields.items():
                setattr(item, name, value)
            self._touch(number)

    def visible(self, number: int) -> SimulatedItem | None:
        """Return an item; None if there is none, or if it has not appeared yet."""
        with self.lock:
            item = self._items.get(number)
        return item if item is not None and item.appears <= self._clock() else None

    def all_visible(self) -> Iterator[SimulatedItem]:
        """Yield the items, the newest first."""
        with self.lock:
            numbers = sorted(self._items, reverse=True)
        yield from (item for number in numbers if (item := self.visible(number)) is not None)

    def highest(self) -> int:
        """Return the number of `maxitem.json`: the last one given out, whether or not its item has appeared."""
        return self._next - 1 if self.max_item is None else self.max_item

    def updates(self) -> list[int]:
        """Return the numbers of items that were changed lately, the latest first."""
        with self.lock:
            return list(self._changed)

    def _touch(self, number: int) -> None:
        if number in self._changed:
            self._changed.remove(number)
        self._changed.appendleft(number)


def encoded(text: str) -> str:
    """Return a text as Hacker News encodes it for HTML."""
    return html.escape(text).replace("/", "&#x2F;")


def as_html(text: str) -> str:
    """Return a text as HTML: paragraphs begin with `<p>`, except the first."""
    return "<p>".join(encoded(paragraph) for paragraph in text.split("\n\n"))
