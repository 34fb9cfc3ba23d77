"""Turns at a shared budget. Who must wait holds a reserved slot, so that nobody stampedes.

A ``Limiter`` (the database's: ``db.budgets``) hands out slots on its own clock. A ``Turn`` is what one message holds
while it is being worked on: it implements the ``Budget`` that sources ask for tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from overheard.errors import Postponed

LONGEST_WAIT = 1.0  # seconds a worker thread may be held (I5)
SLOT_STALE = 30.0  # a slot that was missed by this much is given up: its token is long spent


class Reservation(msgspec.Struct, frozen=True):
    """``delay`` seconds from now the slot comes; ``slot`` is its time on the limiter's clock.

    ``slot`` is None when the line is longer than the limiter's horizon: nothing was reserved.
    """

    delay: float
    slot: float | None


class Limiter(Protocol):
    """Shared budgets by key. All times are on the limiter's own clock, never the caller's."""

    def reserve(self, key: str) -> Reservation:
        """Reserve the next free slot of ``key``."""

    def until(self, key: str, slot: float) -> float:
        """Seconds from now until ``slot`` (negative: passed); ``-inf`` for a slot within a block: reserve anew."""

    def spare(self, key: str) -> float:
        """Take a token that nobody else could use any more: 0 when it is taken, else seconds until it may be worth
        asking again. Nothing is reserved, and who reserves a slot never waits for it.
        """

    def block(self, key: str, seconds: float) -> None:
        """Let nobody through for so long."""

    def observe(self, key: str, remaining: float, reset: float) -> None:
        """The server's own count: ``remaining`` requests until ``reset`` seconds from now."""


class Turn:
    """One message's turns at one budget.

    ``slot`` is the slot the message already holds from an earlier, postponed run; its first ``take`` uses it.
    ``wait`` blocks for some seconds, at most LONGEST_WAIT for each token: all who would use the thread meanwhile wait
    for the same budget. Where they have others, ``patience`` is how long it may block for all tokens together.
    ``on_wait`` is told of every wait, for the metrics.
    """

    def __init__(
        self,
        limiter: Limiter,
        key: str,
        *,
        slot: float | None = None,
        patience: float | None = None,
        wait: Callable[[float], object],
        on_wait: Callable[[float], object],
    ) -> None:
        self.key = key
        self._limiter = limiter
        self._slot = slot
        self._patience = patience
        self._wait = wait
        self._on_wait = on_wait

    @property
    def holds_slot(self) -> bool:
        """Whether the next ``take`` has a slot already."""
        return self._slot is not None

    def take(self) -> None:
        """Take one token. Waits when its turn is near, else raises Postponed with the reserved slot."""
        slot, self._slot = self._slot, None
        delay = self._limiter.until(self.key, slot) if slot is not None else 0.0
        if slot is None or delay < -SLOT_STALE:
            reservation = self._limiter.reserve(self.key)
            delay, slot = reservation.delay, reservation.slot
        longest = LONGEST_WAIT if self._patience is None else self._patience
        if slot is None or delay > longest:
            self._on_wait(delay)
            raise Postponed(self.key, delay=delay, slot=slot)
        if delay > 0:
            if self._patience is not None:
                self._patience -= delay
            self._on_wait(delay)
            self._wait(delay)

    def observe(self, remaining: float, reset: float) -> None:
        """Pass on what the server's headers said."""
        self._limiter.observe(self.key, remaining, reset)

    def block(self, seconds: float) -> None:
        """Pass on that the server wants silence."""
        self._limiter.block(self.key, seconds)


class SpareTurn:
    """A turn of work that can wait, and must make nobody else wait: the ``Budget`` of rechecks.

    It takes what the budget would lose otherwise (``Limiter.spare``). Under constant pressure that may be nothing, for
    days. So work that is ``urgent`` has a share: a small budget of its own, ``share``, whose tokens let it stand in
    line like everybody.
    """

    def __init__(
        self, limiter: Limiter, turn: Turn, share: str, *, urgent: bool, wait: Callable[[float], object]
    ) -> None:
        self._limiter = limiter
        self._turn = turn
        self._share = share
        self._urgent = urgent
        self._wait = wait
        self._in_line = False

    def take(self) -> None:
        """Take one token, waiting up to a second for a spare one.

        Raises Postponed: with a slot when it stands in line, without one when there is nothing for it now.
        """
        if self._turn.holds_slot or self._in_line:
            self._in_line = True  # a login's token is needed as well, and would else cost another of the share's
            self._turn.take()
            return
        waited, delay = 0.0, self._limiter.spare(self._turn.key)
        while delay > 0 and waited + delay <= LONGEST_WAIT:  # others may be quicker
            self._wait(delay)
            waited, delay = waited + delay, self._limiter.spare(self._turn.key)
        if delay == 0:
            return
        if not self._urgent or self._limiter.spare(self._share) > 0:
            raise Postponed(self._turn.key, delay=delay, slot=None)
        self._in_line = True
        self._turn.take()

    def observe(self, remaining: float, reset: float) -> None:
        """As ``Turn.observe``."""
        self._turn.observe(remaining, reset)

    def block(self, seconds: float) -> None:
        """As ``Turn.block``."""
        self._turn.block(seconds)
