"""Shared budgets: a reservation GCRA in one SQL statement, on the database's clock (ITU-T I.371, "virtual scheduling").

One row for each key holds the theoretical arrival time (``tat``) of the next free slot. Reserving moves it on by one
period and returns how far away the slot is. All processes on all machines reserve in the same row, each its own slot,
so none waits for a slot and then finds it taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from peewee import Case, fn

from overheard.db.database import Db
from overheard.db.models import Budget
from overheard.permits import Reservation, TokenRate

MAX_QUEUE_SECONDS = 300.0  # a longer queue is useless: by then the tick demands the work again
MAX_BLOCK_SECONDS = 3600.0  # a Retry-After can block for an hour at most
MAX_WINDOW_SECONDS = 600.0  # the longest window of any source; older counts mean nothing any more
CLOCK_RESOLUTION_SECONDS = 0.002  # SQLite's clock counts milliseconds
OBSERVE_INTERVAL_SECONDS = 5.0  # between two writes of the server's count
MIN_REMAINING_REQUESTS = 1.0  # with fewer left by the server's count, stop until its window ends


class Rate(msgspec.Struct, frozen=True):
    """``per_minute`` tokens a minute, of which ``burst`` may come at once."""

    per_minute: float
    burst: int

    @property
    def period(self) -> float:
        """Seconds between two tokens."""
        return 60.0 / self.per_minute


class DatabaseLimiter:
    """``permits.Limiter`` in the database. ``rates`` has a rate for each kind of key (the word before the colon).

    Raises Unavailable: permits are acquired deep inside foreign libraries, which would take the database's error for
    one of their own.
    """

    def __init__(self, db: Db, rates: Mapping[str, Rate]) -> None:
        self._db = db
        self._rates = rates
        self._observed_at: dict[str, float] = {}

    def reserve(self, key: str, pace: TokenRate | None = None) -> Reservation:
        """Reserve the next free slot of ``key``. ``pace``: its rate; None: the one of its kind.

        If the queue is longer than MAX_QUEUE_SECONDS, reserve nothing: ``slot`` is None, the delay MAX_QUEUE_SECONDS.
        """
        with self._db.session():
            rate, now = Rate(*pace) if pace else self._rates[key.partition(":")[0]], self._db.now
            earliest = now - (rate.burst - 1) * rate.period
            start = self._db.greatest(Budget.tat, earliest, Budget.block_until)
            row = (
                # A new key starts with a full bucket: this reservation takes the first token of its burst.
                Budget.insert(key=key, tat=earliest + rate.period, block_until=0, observed_at=0)
                .on_conflict(
                    conflict_target=[Budget.key],
                    update={Budget.tat: start + rate.period},
                    where=(start < now + MAX_QUEUE_SECONDS),
                )
                .returning((Budget.tat - rate.period - now).alias("delay"), now.alias("now"))
                .tuples()
                .execute(self._db.peewee)
            )
            for delay, db_now in row:
                wait = max(float(delay), 0.0)
                return Reservation(delay=wait, slot=float(db_now) + wait)
            return Reservation(delay=MAX_QUEUE_SECONDS, slot=None)

    def spare(self, key: str) -> float:
        """Take a token of ``key`` that would be lost otherwise; return 0 if it was taken, else seconds to wait.

        A full bucket loses one token each period. Only that one is taken: the bucket stays as full as before, so no
        ``reserve`` gets a later slot because of it. None is taken either while the server's own count has less than
        half a minute's requests left: then the same credentials are in use elsewhere.
        """
        with self._db.session():
            rate, now = self._rates[key.partition(":")[0]], self._db.now
            full = now - (rate.burst - 1) * rate.period  # where ``tat`` is, or earlier, when the bucket is full
            unused = Budget.tat <= full - rate.period
            lost = unused & (Budget.block_until <= now) & ~_is_scarce(rate, now)
            taken = (
                Budget.insert(key=key, tat=full, block_until=0, observed_at=0)
                .on_conflict(conflict_target=[Budget.key], update={Budget.tat: full}, where=lost)
                .returning(Budget.key)
                .tuples()
                .execute(self._db.peewee)
            )
            if list(taken):
                return 0.0
            ahead = self._db.greatest(Budget.tat - full + rate.period, Budget.block_until - now)
            delay = float(Budget.select(ahead).where(Budget.key == key).scalar(self._db.peewee))
            return (delay if delay > 0 else rate.period) + CLOCK_RESOLUTION_SECONDS

    def soonest(self, keys: Sequence[str], *, spare: bool = False) -> str:
        """Return the key with the earliest free slot, of several the least recently used; nothing is reserved.

        Two that ask at the same time may get the same key; both reserve there, each its own slot, and the next one gets
        another key. ``spare``: keys without spare tokens, by the server's own count, come last.
        """
        with self._db.session():
            now = self._db.now
            free_at = self._db.greatest(Budget.tat, Budget.block_until, now)
            order = [_is_scarce(self._rates[keys[0].partition(":")[0]], now)] if spare else []
            rows = Budget.select(Budget.key).where(Budget.key.in_(list(keys))).order_by(*order, free_at, Budget.tat)
            used = [key for (key,) in rows.tuples().execute(self._db.peewee)]
        return next((key for key in keys if key not in used), None) or used[0]

    def until(self, key: str, slot: float) -> float:
        """Return seconds until ``slot``; minus infinity if a block has overtaken it: then the slot is void.

        Otherwise all that hold a slot within the block would send at once when it ends.
        """
        with self._db.session():
            now = self._db.now
            row = Budget.select(Budget.block_until, now).where(Budget.key == key).tuples().first(self._db.peewee)
            if row is None:
                return slot - self._db.clock()
            block_until, db_now = row
            return slot - float(db_now) if slot >= float(block_until) else -math.inf

    def block(self, key: str, seconds: float) -> None:
        """Give out no slot before ``seconds`` from now, at most MAX_BLOCK_SECONDS; a longer block stays."""
        until = self._db.now + min(seconds, MAX_BLOCK_SECONDS)
        with self._db.session():
            Budget.insert(key=key, tat=0, block_until=until, observed_at=0).on_conflict(
                conflict_target=[Budget.key],
                update={Budget.block_until: self._db.greatest(Budget.block_until, until)},
            ).execute(self._db.peewee)

    def observe(self, key: str, remaining: float, reset: float) -> None:
        """Store the server's own count, for ``status``; if almost nothing is left, block until its window ends.

        Our own rate is below the server's, so this happens only when the same credentials are in use elsewhere. Each
        response carries the count: writing one every few seconds is enough to show it, but a low one always has to
        block.
        """
        started = time.monotonic()
        if remaining >= MIN_REMAINING_REQUESTS and started - self._observed_at.get(key, 0.0) < OBSERVE_INTERVAL_SECONDS:
            return
        self._observed_at[key] = started
        now = self._db.now
        with self._db.session():
            Budget.insert(key=key, tat=0, block_until=0, observed_at=now, remaining=remaining).on_conflict(
                conflict_target=[Budget.key], update={Budget.remaining: remaining, Budget.observed_at: now}
            ).execute(self._db.peewee)
        # ``reset`` is the server's: bounded, so that a wrong one does not stop us for longer than any window lasts.
        if remaining < MIN_REMAINING_REQUESTS and reset > 0:
            self.block(key, min(reset, MAX_WINDOW_SECONDS))


def _is_scarce(rate: Rate, now: Any) -> Any:
    """Return the SQL condition that, by the server's own count, less than half a minute's requests are left."""
    scarce = (Budget.remaining < rate.per_minute / 2) & (Budget.observed_at > now - MAX_WINDOW_SECONDS)
    return fn.coalesce(scarce, False)


def claim_slot(db: Db, key: str, seconds: float) -> bool:
    """Claim the one slot of ``key`` in so many seconds; return True if it was free. Nothing is reserved."""
    return try_acquire(db, key, Rate(60.0 / seconds, 1))


def try_acquire(db: Db, key: str, rate: Rate) -> bool:
    """Take a token of ``key`` if there is one now; return True if there was. Nothing is reserved."""
    now = db.now
    earliest = now - (rate.burst - 1) * rate.period
    start = db.greatest(Budget.tat, earliest)
    taken = (
        Budget.insert(key=key, tat=earliest + rate.period, block_until=0, observed_at=0)
        .on_conflict(conflict_target=[Budget.key], update={Budget.tat: start + rate.period}, where=(start <= now))
        .returning(Budget.key)
        .tuples()
        .execute(db.peewee)
    )
    return bool(list(taken))


def try_acquire_trigger(db: Db, workspace_id: int, per_hour: int) -> bool:
    """Count a run requested by hand against [limits] triggers_per_hour; return True if it may run now.

    An hour's worth may come at once; after that, one more every 3,600 / ``per_hour`` seconds.
    """
    return try_acquire(db, f"trigger:{workspace_id}", Rate(per_hour / 60, per_hour))


def usage(db: Db, key: str) -> tuple[float | None, float]:
    """Return (requests remaining by the server's last count, seconds that the key is still blocked or booked).

    The count is None if it is older than any window.
    """
    now = db.now
    booked = db.greatest(Budget.tat, Budget.block_until) - now
    remaining = Case(None, [(Budget.observed_at > now - MAX_WINDOW_SECONDS, Budget.remaining)], None)
    row = Budget.select(remaining, booked).where(Budget.key == key).tuples().first(db.peewee)
    return (None, 0.0) if row is None else (row[0], max(float(row[1]), 0.0))
