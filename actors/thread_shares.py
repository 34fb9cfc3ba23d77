"""Shares of a stage's threads: work that hangs, or floods the stage, leaves threads to other work (I6).

A share has a key. A piece of work enters every share that concerns it, or gets the seconds after which to try again.
Work that finds a share full is spread out: close together while the share flows, farther apart the longer it is stuck.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager

# Chosen, not measured: a reschedule is a message through the bus, while a healthy receiver responds in milliseconds.
MAX_WAIT_SECONDS = 0.1  # for which a thread waits for a share that flows, instead of rescheduling its message
STUCK_AFTER_SECONDS = 0.5  # without any change a share is stuck, and no thread waits for it at all
RETURN_SPACING_SECONDS = (0.02, 0.25)  # least and most between two pieces of work that come back to a full share
RETURN_SPACING_FRACTION = 0.1  # of the time since the share last changed: the most is reached after 2.5 s

Key = tuple[str, ...]


class _Share:
    def __init__(self, now: float) -> None:
        self.held = 0
        self.changed_at = now
        self.last_return_at = now

    def reserve_return(self, now: float) -> float:
        """Reserve the next time to try again; return the seconds until then."""
        least, most = RETURN_SPACING_SECONDS
        spacing = min(max((now - self.changed_at) * RETURN_SPACING_FRACTION, least), most)
        self.last_return_at = max(self.last_return_at, now) + spacing
        return self.last_return_at - now


class ThreadShares:
    """Counts the threads that each share holds.

    A thread waits, for up to ``max_wait`` seconds, only for a share whose key begins with one of ``waitable_kinds``.
    """

    def __init__(
        self,
        waitable_kinds: Container[str],
        *,
        max_wait: float = MAX_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waitable_kinds = waitable_kinds
        self._max_wait = max_wait
        self._clock = clock
        self._shares: dict[Key, _Share] = {}
        self._changed = threading.Condition()

    @contextmanager
    def held(self, limits: Callable[[float], Mapping[Key, int]]) -> Iterator[float | None]:
        """Hold one thread of each share in ``limits(now)`` (key → most threads).

        Yield None, or the seconds until the work is to try again: then it holds nothing.
        """
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
        until = self._clock() + self._max_wait
        while True:
            now = self._clock()
            wanted = limits(now)
            full = next((key for key, limit in wanted.items() if self._held(key) >= limit), None)
            if full is None:
                # All or none: a thread that held one share while waiting for another could deadlock.
                for key in wanted:
                    self._count(key, 1, now)
                return list(wanted)
            share = self._shares[full]
            stuck = now - share.changed_at > STUCK_AFTER_SECONDS
            if full[0] not in self._waitable_kinds or now >= until or stuck:
                return share.reserve_return(now)
            self._changed.wait(until - now)

    def _held(self, key: Key) -> int:
        share = self._shares.get(key)
        return 0 if share is None else share.held

    def _count(self, key: Key, change: int, now: float) -> None:
        share = self._shares.setdefault(key, _Share(now))
        share.held += change
        share.changed_at = now
        if not share.held:
            del self._shares[key]
