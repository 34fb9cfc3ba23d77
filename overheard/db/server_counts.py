"""A server's own count of the requests with one set of credentials, which may be in use elsewhere, too.

Requests of others are those by which the count fell and that were not made from here. They are charged to the budget
like our own, so that both together stay within the average: a budget whose credentials are shared slows down before the
server refuses anything.
"""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.db.compiled import compiled
from overheard.db.database import Db
from overheard.db.models import Budget
from overheard.db.token_rates import Rate

# Of a window's tokens. So many requests of others are not charged: counts come in another order than requests, and
# Reddit allows a twentieth more than we take by default.
OTHERS_FREE_FRACTION = 0.03
# For one count of the server at most: a wrong one must not stop us. The rest is charged with the next one.
OTHERS_DELAY_SECONDS = 20.0
SAME_WINDOW_SECONDS = 30.0  # the ends of one window, by two answers, differ by less
BURST_FRACTION = 0.5  # of what the server has left: more than that must not come at once


class ServerCount(msgspec.Struct, frozen=True):
    """``remaining`` requests until ``resets_at``; ``expected``: the number if others had made none.

    Requests of others that were charged count as ours.
    """

    remaining: float
    resets_at: float
    expected: float


def following(before: ServerCount | None, ours: int, remaining: float, resets_at: float) -> ServerCount:
    """Return the next count; ``ours``: the requests that were made from here since the one before."""
    if before is None:
        return ServerCount(remaining, resets_at, remaining)
    expected = before.expected - ours
    # A window that moves with time is not a new one.
    if abs(resets_at - before.resets_at) > SAME_WINDOW_SECONDS and remaining > expected:
        expected = remaining
    return ServerCount(remaining, resets_at, expected)


def record(db: Db, key: str, rate: Rate, ours: int, remaining: float, reset: float) -> None:
    """Store what the server says, ``remaining`` requests for ``reset`` seconds, and charge the requests of others.

    ``ours``: how many answers this process has had since it last called this.
    """
    with db.transaction():
        _insert(db, key=key)
        ((tat, saved_tat, *before, now),) = _locked(db, key=key)
        count = following(ServerCount(*before) if None not in before else None, ours, remaining, now + reset)
        start = max(tat, now - (rate.burst - 1) * rate.period)
        excess = max(count.expected - remaining - OTHERS_FREE_FRACTION * rate.window_tokens, 0.0)
        charged = min(excess, max(now + OTHERS_DELAY_SECONDS - start, 0.0) / rate.period)
        if charged:
            tat = start + charged * rate.period
            # Nothing is saved for a burst while others may use it.
            saved_tat = max(saved_tat, tat)
        saved_tat = max(saved_tat, now - BURST_FRACTION * remaining * rate.saved_period)
        _update(
            db,
            key=key,
            tat=tat,
            saved_tat=saved_tat,
            remaining=remaining,
            observed_at=now,
            resets_at=count.resets_at,
            expected=count.expected - charged,
        )


@compiled
def _insert(db: Db, key: Any) -> Any:
    return Budget.insert(key=key, tat=0, saved_tat=db.now).on_conflict_ignore()


@compiled
def _locked(db: Db, key: Any) -> Any:
    columns = (Budget.tat, Budget.saved_tat, Budget.remaining, Budget.resets_at, Budget.expected, db.now)
    rows = Budget.select(*columns).where(Budget.key == key)
    return rows if db.sqlite else rows.for_update()


@compiled
def _update(db: Db, key: Any, **values: Any) -> Any:
    return Budget.update(**values).where(Budget.key == key)
