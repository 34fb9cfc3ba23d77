"""Shares of a stage's threads: what hangs, or is very many, leaves threads to the others (I6).

A share is named by a key; a piece of work enters the shares that concern it, or is told after how many seconds to come
back. Those that are told so come back one after the other: sooner while the share flows, later the longer it is stuck.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager

MAX_WAIT_SECONDS = 0.1  # that a thread waits where others come and go: cheaper than to come back
STUCK_AFTER_SECONDS = 0.5  # a share in which nothing changed for so long is stuck: a thread does not wait there at all
RETURN_SPACING_SECONDS = (0.02, 0.25)  # how far apart those come back that found a share full

Key = tuple[str, ...]


class _Share:
    def __init__(self, now: float) -> None:
        self.held = 0
        self.changed = now
        self.line = now  # when the last of those that were sent away comes back

    def next_in_line(self, now: float) -> float:
        """Seconds until the next of them may come back."""
        least, most = RETURN_SPACING_SECONDS
        self.line = max(self.line, now) + min(max((now - self.changed) / 10, least), most)
        return self.line - now


class ThreadShares:
    """A thread waits for a share to get free only where the first word of its key is in ``waits_for``."""

    def __init__(
        self,
        waits_for: Container[str],
        *,
        patience: float = MAX_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waits_for = waits_for
        self._patience = patience
        self._clock = clock
        self._shares: dict[Key, _Share] = {}
        self._changed = threading.Condition()

    @contextmanager
    def held(self, limits: Callable[[float], Mapping[Key, int]]) -> Iterator[float | None]:
        """Hold a thread of each share in ``limits(now)``, of so many: yields None, or after how long to come back."""
        with self._changed:
            entered = self._enter(limits)
        if isinstance(entered, float):
            yield entered
            return
        try:
            yield None
        finally:
            with self._changed:
                for key in entered:
                    self._count(key, -1, self._clock())
                self._changed.notify_all()

    def _enter(self, limits: Callable[[float], Mapping[Key, int]]) -> list[Key] | float:
        until = self._clock() + self._patience
        while True:
            now = self._clock()
            wanted = limits(now)
            full = next((key for key, limit in wanted.items() if self._at(key) >= limit), None)
            if full is None:
                for key in wanted:
                    self._count(key, 1, now)
                return list(wanted)
            share = self._shares[full]
            if full[0] not in self._waits_for or now >= until or now - share.changed > STUCK_AFTER_SECONDS:
                return share.next_in_line(now)
            self._changed.wait(until - now)

    def _at(self, key: Key) -> int:
        share = self._shares.get(key)
        return 0 if share is None else share.held

    def _count(self, key: Key, change: int, now: float) -> None:
        share = self._shares.setdefault(key, _Share(now))
        share.held += change
        share.changed = now
        if not share.held:
            del self._shares[key]
