"""Shared budgets: a reservation GCRA in one SQL statement, on the database's clock (ITU-T I.371, "virtual scheduling").

One row a key holds the theoretical arrival time (``tat``) of the next free slot. Reserving moves it on by one period
and returns how far away the slot is. All processes on all machines line up in the same row, each with a slot of its
own, so nobody wakes up to find the place taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import msgspec
from peewee import Case, fn

from overheard.db.database import Db
from overheard.db.models import Budget
from overheard.permits import Reservation

MAX_QUEUE_SECONDS = 300.0  # seconds: longer lines are no use, the tick will ask again
MAX_BLOCK_SECONDS = 3600.0  # seconds: what a Retry-After may ask for
MAX_WINDOW_SECONDS = 600.0  # seconds: the longest of any source; what it counted longer ago says nothing any more
CLOCK_RESOLUTION_SECONDS = 0.002  # seconds: SQLite's clock counts milliseconds
OBSERVE_INTERVAL_SECONDS = 5.0  # seconds between two notes of what the server counted
MIN_REMAINING_REQUESTS = 1.0  # requests left at which the server's own count stops us until its window ends


class Rate(msgspec.Struct, frozen=True):
    """``per_minute`` tokens a minute, of which ``burst`` may come at once."""

    per_minute: float
    burst: int

    @property
    def period(self) -> float:
        """Seconds between two tokens."""
        return 60.0 / self.per_minute


class DatabaseLimiter:
    """``limits.Limiter`` in the database. ``rates`` has a rate for each kind of key (the word before the colon).

    Raises Unavailable: who asks for a turn is deep in a library of somebody else's, which would take the database's
    error for one of its own.
    """

    def __init__(self, db: Db, rates: Mapping[str, Rate]) -> None:
        self._db = db
        self._rates = rates
        self._noted: dict[str, float] = {}

    def reserve(self, key: str) -> Reservation:
        """The next free slot of ``key``; none (``slot`` None, delay HORIZON) when the line is longer than HORIZON."""
        with self._db.session():
            rate, now = self._rates[key.partition(":")[0]], self._db.now
            earliest = now - (rate.burst - 1) * rate.period
            start = self._db.greatest(Budget.tat, earliest, Budget.block_until)
            row = (
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
            for delay, moment in row:
                wait = max(float(delay), 0.0)
                return Reservation(delay=wait, slot=float(moment) + wait)
            return Reservation(delay=MAX_QUEUE_SECONDS, slot=None)

    def spare(self, key: str) -> float:
        """Take a token of ``key`` that would be lost otherwise: 0 when it is taken, else seconds to wait.

        A bucket that is full loses one token each period. Only such a one is taken: afterwards the bucket is as full
        as before, so that no ``reserve`` is told another slot because of it. Nor is one taken when the server's own
        count has less than half a minute's requests left: then somebody else uses the same credentials.
        """
        with self._db.session():
            rate, now = self._rates[key.partition(":")[0]], self._db.now
            full = now - (rate.burst - 1) * rate.period  # where ``tat`` is, or earlier, when the bucket is full
            scarce = (Budget.remaining < rate.per_minute / 2) & (Budget.observed_at > now - MAX_WINDOW_SECONDS)
            unused = Budget.tat <= full - rate.period
            lost = unused & (Budget.block_until <= now) & ~fn.coalesce(scarce, False)
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

    def until(self, key: str, slot: float) -> float:
        """Seconds until ``slot``. Minus infinity when a block has overtaken it: then it is void.

        Otherwise all who hold a slot within the block would come at once when it ends.
        """
        with self._db.session():
            now = self._db.now
            row = Budget.select(Budget.block_until, now).where(Budget.key == key).tuples().first(self._db.peewee)
            if row is None:
                return slot - self._db.clock()
            block_until, moment = row
            return slot - float(moment) if slot >= float(block_until) else -math.inf

    def block(self, key: str, seconds: float) -> None:
        """Nobody gets a slot before ``seconds`` from now, at most LONGEST_BLOCK; a longer block stays."""
        until = self._db.now + min(seconds, MAX_BLOCK_SECONDS)
        with self._db.session():
            Budget.insert(key=key, tat=0, block_until=until, observed_at=0).on_conflict(
                conflict_target=[Budget.key],
                update={Budget.block_until: self._db.greatest(Budget.block_until, until)},
            ).execute(self._db.peewee)

    def observe(self, key: str, remaining: float, reset: float) -> None:
        """Keep what the server counted, for ``status``; when nearly nothing is left, block until its window ends.

        Our own pace is below the server's, so this happens only when somebody else uses the same credentials.
        Each answer bears the count; one in some seconds is enough to show it, a low one is never passed over.
        """
        moment = time.monotonic()
        if remaining >= MIN_REMAINING_REQUESTS and moment - self._noted.get(key, 0.0) < OBSERVE_INTERVAL_SECONDS:
            return
        self._noted[key] = moment
        now = self._db.now
        with self._db.session():
            Budget.insert(key=key, tat=0, block_until=0, observed_at=now, remaining=remaining).on_conflict(
                conflict_target=[Budget.key], update={Budget.remaining: remaining, Budget.observed_at: now}
            ).execute(self._db.peewee)
        if remaining < MIN_REMAINING_REQUESTS and reset > 0:
            self.block(key, min(reset, MAX_WINDOW_SECONDS))


def claim_slot(db: Db, key: str, seconds: float) -> bool:
    """Take the one slot of ``key`` there is in so many seconds; says whether it was free. Nobody waits in a line."""
    return try_acquire(db, key, Rate(60.0 / seconds, 1))


def try_acquire(db: Db, key: str, rate: Rate) -> bool:
    """Take a token of ``key`` if there is one now; return whether there was. Nothing is reserved."""
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
    """Count a run that was asked for by hand against [limits] triggers_per_hour; return whether it may be made now.

    As many as an hour has may come at once; after them, one more every 3,600 / ``per_hour`` seconds.
    """
    return try_acquire(db, f"trigger:{workspace_id}", Rate(per_hour / 60, per_hour))


def usage(db: Db, key: str) -> tuple[float | None, float]:
    """(requests remaining as the server last said, seconds that the key is still blocked or booked) for ``status``.

    What it said longer ago than its window lasts is not known any more: None.
    """
    now = db.now
    booked = db.greatest(Budget.tat, Budget.block_until) - now
    remaining = Case(None, [(Budget.observed_at > now - MAX_WINDOW_SECONDS, Budget.remaining)], None)
    row = Budget.select(remaining, booked).where(Budget.key == key).tuples().first(db.peewee)
    return (None, 0.0) if row is None else (row[0], max(float(row[1]), 0.0))
