"""The log of events: numbered, in the order of their times, limited to a look-back."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter
from threading import Condition
from typing import Any


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """`kind`: commit, identity or account. `body`: the commit with its operation, or the other event as it came."""

    seq: int
    time_us: int
    did: str
    kind: str
    body: dict[str, Any]


class EventLog:
    """Thread-safe. Events older than `look_back` seconds, or before the latest `keep`, are forgotten."""

    def __init__(self, now: Callable[[], float], look_back: float, keep: int, first_seq: int) -> None:
        self._now = now
        self.look_back = look_back
        self._keep = keep
        self._changed = Condition()
        self._events: list[LoggedEvent] = []
        self._next_seq = first_seq
        self._last_time_us = 0
        self._floor = first_seq

    def append(self, did: str, kind: str, bodies: list[dict[str, Any]]) -> None:
        """Add events that share one time: the operations of a commit."""
        with self._changed:
            self._last_time_us = max(int(self._now() * 1e6), self._last_time_us + 1)
            for body in bodies:
                self._events.append(LoggedEvent(self._next_seq, self._last_time_us, did, kind, body))
                self._next_seq += 1
            if len(self._events) > 2 * self._keep:
                self._forget(len(self._events) - self._keep)
            self._changed.notify_all()

    def next_seq(self) -> int:
        with self._changed:
            return self._next_seq

    def floor(self) -> int:
        """Return the number of the oldest event that can still be had."""
        with self._changed:
            oldest_us = int((self._now() - self.look_back) * 1e6)
            self._forget(bisect_left(self._events, oldest_us, key=attrgetter("time_us")))
            return self._floor

    def seq_at(self, time_us: int) -> int:
        """Return the number of the first event at or after a time."""
        with self._changed:
            index = bisect_left(self._events, time_us, key=attrgetter("time_us"))
            return self._events[index].seq if index < len(self._events) else self._next_seq

    def read(self, seq: int, count: int, seconds: float) -> list[LoggedEvent]:
        """Return up to `count` events from `seq` on; wait up to `seconds` for the first, or until `wake()`."""
        with self._changed:
            if self._next_seq <= seq:
                self._changed.wait(seconds)
            start = bisect_left(self._events, seq, key=attrgetter("seq"))
            return list(islice(self._events, start, start + count))

    def wake(self) -> None:
        """End all waiting in `read()`."""
        with self._changed:
            self._changed.notify_all()

    def _forget(self, count: int) -> None:
        if count > 0:
            self._floor = self._events[count - 1].seq + 1
            del self._events[:count]
