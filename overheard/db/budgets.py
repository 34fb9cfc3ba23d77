"""Shared budgets: a reservation GCRA in one SQL statement, on the database's clock (ITU-T I.371, "virtual scheduling").

One row for each key holds the theoretical arrival time (``tat``) of the next free slot. Reserving moves it on by one
period and returns how far away the slot is. All processes on all machines reserve in the same row, each its own slot,
so none waits for a slot and then finds it taken.

A row has a second account like the first one, ``saved_tat``. Where a server averages its limit over a window, it has a
large burst and a low rate, so that both accounts alone allow the same number of tokens in a window
(``token_rates.Rate``). Every token is charged to both, and goes as soon as one of them allows it: constant demand gets
the whole average, and after a quiet time there is a large burst. No window holds more than one account alone allows:

- Let the first account allow the last token of a window. It was charged for all others, and may owe any number, so they
  are at most its burst and what it gets in a window.
- Let the second account allow it. If that was never emptied without having allowed a token, the same is true of it.
  Else consider the last time: until then the first account allowed as many as above, and since then the second one has
  got its own rate, which is lower.

A patient message gets the slot after the next ``kept`` ones, which stay for others. That exceeds no window either:
both accounts could have given that token at once after a quiet time.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from peewee import Case, fn

from overheard.db import server_counts
from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Budget
from overheard.db.token_rates import WINDOW_SECONDS, Rate
from overheard.permits import Reservation, TokenRate

MAX_QUEUE_SECONDS = 300.0  # a longer queue is useless: by then the tick demands the work again
MAX_BLOCK_SECONDS = 3600.0  # a Retry-After can block for an hour at most
CLOCK_RESOLUTION_SECONDS = 0.002  # SQLite's clock counts milliseconds
OBSERVE_INTERVAL_SECONDS = 5.0  # between two writes of the server's count
MIN_REMAINING_REQUESTS = 1.0  # with fewer left by the server's count, stop until its window ends


class DatabaseLimiter:
    """``permits.Limiter`` in the database. ``rates`` has a rate for each kind of key (the word before the colon).

    Raises Unavailable: permits are acquired deep inside foreign libraries, which would take the database's error for
    one of their own.
    """

    def __init__(self, db: Db, rates: Mapping[str, Rate]) -> None:
        self._db = db
        self._rates = rates
        self._lock = threading.Lock()
        self._observed_at: dict[str, float] = {}
        self._answers: dict[str, int] = defaultdict(int)  # by key, since the server's count was last written

    def reserve(self, key: str, pace: TokenRate | None = None, *, patient: bool = False) -> Reservation:
        """Reserve the next free slot of ``key``. ``pace``: its rate; None: the one of its kind.

        ``patient``: leave the rate's ``kept`` tokens to messages that are not. If the queue is longer than
        MAX_QUEUE_SECONDS, reserve nothing: ``slot`` is None, the delay MAX_QUEUE_SECONDS.
        """
        with self._db.session():
            rate = Rate(*pace) if pace else self._rates[key.partition(":")[0]]
            kept = rate.kept if patient else 0
            ahead = {"kept": kept * rate.period, "saved_kept": kept * rate.saved_period}
            spans = msgspec.structs.asdict(_Spans.of(rate))
            for tat, saved_tat, db_now in _reserve(self._db, key=key, **ahead, **spans):
                slot = min(tat + (kept - 1) * rate.period, saved_tat + (kept - 1) * rate.saved_period)
                wait = max(float(slot - db_now), 0.0)
                return Reservation(delay=wait, slot=float(db_now) + wait)
            return Reservation(delay=MAX_QUEUE_SECONDS, slot=None)

    def spare(self, key: str) -> float:
        """Take a token of ``key`` that would be lost otherwise; return 0 if it was taken, else seconds to wait.

        A full bucket loses one token each period. Only that one is taken: the bucket stays as full as before, so no
        ``reserve`` gets a later slot because of it; only what is saved for a burst grows more slowly. None is taken
        either while the server's own count has less than half a minute's requests left: then the same credentials are
        in use elsewhere.
        """
        with self._db.session():
            rate = self._rates[key.partition(":")[0]]
            spans = msgspec.structs.asdict(_Spans.of(rate))
            if _take_spare(self._db, key=key, least=_least_spare(rate), **spans):
                return 0.0
            [(delay,)] = _until_spare(self._db, key=key, **spans)
            return (delay if delay > 0 else rate.period) + CLOCK_RESOLUTION_SECONDS

    def soonest(self, keys: Sequence[str], *, spare: bool = False) -> str:
        """Return the key with the earliest free slot, of several the least recently used; nothing is reserved.

        Two that ask at the same time may get the same key; both reserve there, each its own slot, and the next one gets
        another key. ``spare``: keys without spare tokens, by the server's own count, come last.
        """
        with self._db.session():
            now, rate = self._db.now, self._rates[keys[0].partition(":")[0]]
            free_at = self._db.greatest(now, self._db.least(*_starts(self._db, _Spans.of(rate))))
            order = [_is_scarce(_least_spare(rate), now)] if spare else []
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
            Budget.insert(key=key, tat=0, block_until=until).on_conflict(
                conflict_target=[Budget.key],
                update={Budget.block_until: self._db.greatest(Budget.block_until, until)},
            ).execute(self._db.peewee)

    def observe(self, key: str, remaining: float, reset: float) -> None:
        """Compare the server's own count with the requests that were made from here (``server_counts``).

        Each response carries it. It is written every few seconds, but if almost nothing is left, the key is blocked at
        once until the server's window ends.
        """
        now = self._db.clock()
        used_up = remaining < MIN_REMAINING_REQUESTS
        with self._lock:
            self._answers[key] += 1
            if not used_up and 0.0 <= now - self._observed_at.get(key, -math.inf) < OBSERVE_INTERVAL_SECONDS:
                return
            self._observed_at[key], ours = now, self._answers.pop(key)
        # ``reset`` is the server's: bounded, so that a wrong one does not stop us for longer than any window lasts.
        reset = min(reset, WINDOW_SECONDS)
        with self._db.session():
            server_counts.record(self._db, key, self._rates[key.partition(":")[0]], ours, remaining, reset)
        if used_up and reset > 0:
            self.block(key, reset)


class _Spans(msgspec.Struct, frozen=True):
    """A rate as seconds, or as their placeholders in a statement that is rendered once.

    ``burst`` and ``saved_burst``: how far back the arrival times of the two accounts are when they are full;
    ``unsaved``: when nothing is saved.
    """

    period: Any
    saved_period: Any
    burst: Any
    saved_burst: Any
    unsaved: Any

    @classmethod
    def of(cls, rate: Rate) -> _Spans:
        burst, saved_burst = (rate.burst - 1) * rate.period, (rate.saved_burst - 1) * rate.saved_period
        return cls(rate.period, rate.saved_period, burst, saved_burst, (rate.burst - 2) * rate.saved_period)

    def full(self, now: Any) -> tuple[Any, Any]:
        """Return the arrival times of the two accounts when they are full."""
        return now - self.burst, now - self.saved_burst

    def new_row(self, key: Any, now: Any) -> dict[Any, Any]:
        """Return a new row, from which one token was taken: it has the burst that is always there, and nothing saved.

        Who knows what was used before, by another installation?
        """
        full, _ = self.full(now)
        return {Budget.key: key, Budget.tat: full + self.period, Budget.saved_tat: now - self.unsaved}


@compiled
def _reserve(db: Db, key: Any, kept: Any, saved_kept: Any, **rate: Any) -> Any:
    spans, now = _Spans(**rate), db.now
    start, saved_start = _starts(db, spans)
    slot = db.least(start + kept, saved_start + saved_kept)
    charged = {
        Budget.tat: start + spans.period,
        # It owes nothing: it is as if it had allowed its next token with this one.
        Budget.saved_tat: db.least(saved_start, db.greatest(start, now)) + spans.saved_period,
    }
    row = Budget.insert(spans.new_row(key, now))
    row = row.on_conflict(conflict_target=[Budget.key], update=charged, where=(slot < now + MAX_QUEUE_SECONDS))
    return row.returning(Budget.tat, Budget.saved_tat, now.alias("now"))


def _starts(db: Db, spans: _Spans) -> tuple[Any, Any]:
    """Return when each of the two accounts allows the next token."""
    full, saved_full = spans.full(db.now)
    start = db.greatest(Budget.tat, full, Budget.block_until)
    return start, db.greatest(Budget.saved_tat, saved_full, Budget.block_until)


@compiled
def _take_spare(db: Db, key: Any, least: Any, **rate: Any) -> Any:
    spans, now = _Spans(**rate), db.now
    full, saved_full = spans.full(now)
    lost = (Budget.tat <= full - spans.period) & (Budget.block_until <= now) & ~_is_scarce(least, now)
    saved_start = db.greatest(Budget.saved_tat, saved_full)
    charged = {Budget.tat: full, Budget.saved_tat: db.least(saved_start, now) + spans.saved_period}
    row = Budget.insert(spans.new_row(key, now) | {Budget.tat: full})
    return row.on_conflict(conflict_target=[Budget.key], update=charged, where=lost).returning(Budget.key)


@compiled
def _until_spare(db: Db, key: Any, **rate: Any) -> Any:
    spans, now = _Spans(**rate), db.now
    full, _ = spans.full(now)
    return Budget.select(db.greatest(Budget.tat - full + spans.period, Budget.block_until - now)).where(
        Budget.key == key
    )


def _least_spare(rate: Rate) -> float:
    """Return how many requests the server must count as left for a token to be spare: those of half a minute."""
    return rate.per_minute / 2.0


def _is_scarce(least: Any, now: Any) -> Any:
    """Return the SQL condition that, by the server's own count, fewer than ``least`` requests are left."""
    scarce = (Budget.remaining < least) & (Budget.observed_at > now - WINDOW_SECONDS)
    return fn.coalesce(scarce, False)


def patient_tokens(db: Db, keys: Sequence[str], rate: Rate, seconds: float) -> float:
    """Return how many tokens of the keys together patient messages would get within ``seconds``, if they asked now."""
    columns = (Budget.tat, Budget.saved_tat, Budget.block_until, db.now)
    rows = list(Budget.select(*columns).where(Budget.key.in_(list(keys))).tuples().execute(db.peewee))
    unused = rate.burst + seconds / rate.period - rate.kept
    found = [_tokens(rate, *row, seconds=seconds) - rate.kept for row in rows]
    return sum(max(each, 0.0) for each in found) + unused * (len(keys) - len(rows))


def _tokens(rate: Rate, tat: float, saved_tat: float, block_until: float, now: float, *, seconds: float) -> float:
    full, saved_full = _Spans.of(rate).full(now)
    steady = (now + seconds - max(tat, full, block_until)) / rate.period
    saved = (now + seconds - max(saved_tat, saved_full, block_until)) / rate.saved_period
    return float(max(steady, saved) + 1.0)


def claim_slot(db: Db, key: str, seconds: float) -> bool:
    """Claim the one slot of ``key`` in so many seconds; return True if it was free. Nothing is reserved."""
    return try_acquire(db, key, Rate(60.0 / seconds, 1))


def try_acquire(db: Db, key: str, rate: Rate) -> bool:
    """Take a token of ``key`` if there is one now; return True if there was. Nothing is reserved."""
    now = db.now
    earliest = now - (rate.burst - 1) * rate.period
    start = db.greatest(Budget.tat, earliest)
    taken = (
        Budget.insert(key=key, tat=earliest + rate.period)
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
    booked = db.greatest(db.least(Budget.tat, Budget.saved_tat), Budget.block_until) - now
    remaining = Case(None, [(Budget.observed_at > now - WINDOW_SECONDS, Budget.remaining)], None)
    row = Budget.select(remaining, booked).where(Budget.key == key).tuples().first(db.peewee)
    return (None, 0.0) if row is None else (row[0], max(float(row[1]), 0.0))
