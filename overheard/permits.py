"""Permits for a shared budget. A message that has to wait holds a reserved slot, so that none stampede.

A ``Limiter`` (the database's: ``db.budgets``) hands out slots on its own clock. A ``Permit`` is what one message holds
while it is being worked on; sources acquire a token from it for each request. The bus makes it (``bus.rate_limit``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import msgspec

from overheard.errors import BudgetExhausted

MAX_THREAD_WAIT_SECONDS = 1.0  # that a worker thread may be held (I5)
SLOT_STALE_SECONDS = 30.0  # a slot that was missed by this much is given up: its token is long spent


class Slot(NamedTuple):
    """A reserved slot: a budget's key, and the slot's time on the limiter's clock. It travels with its message."""

    key: str
    at: float


class BudgetNeed(msgspec.Struct, frozen=True):
    """The budget that a message needs.

    ``max_wait`` is how long, in seconds, all its tokens together may hold a thread that others could use; None: each
    of them MAX_THREAD_WAIT_SECONDS. With ``share`` it needs a SparePermit, and that is the key of its share.
    """

    key: str
    max_wait: float | None = None
    share: str | None = None


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
        """Take a token that would be lost otherwise: 0 when it is taken, else seconds until one may be to be had.

        Nothing is reserved, and no reservation ever waits for it.
        """

    def block(self, key: str, seconds: float) -> None:
        """Block the key for ``seconds``."""

    def observe(self, key: str, remaining: float, reset: float) -> None:
        """The server's own count: ``remaining`` requests until ``reset`` seconds from now."""


class UnlimitedPermit:
    """The permission of what needs no budget."""

    held: Slot | None = None

    def acquire(self) -> None: ...

    def observe(self, remaining: float, reset: float) -> None: ...

    def block(self, seconds: float) -> None: ...


class Permit:
    """One message's tokens of one budget.

    ``slot`` is what the message already holds from an earlier, postponed run; the first ``acquire`` uses it. ``wait``
    blocks for some seconds; ``on_wait`` is told of every wait, for the metrics.
    """

    def __init__(
        self,
        limiter: Limiter,
        key: str,
        *,
        slot: float | None = None,
        max_wait: float | None = None,
        wait: Callable[[float], object],
        on_wait: Callable[[float], object],
    ) -> None:
        self.key = key
        self._limiter = limiter
        self._slot = slot
        self._max_wait = max_wait
        self._wait = wait
        self._on_wait = on_wait

    @property
    def held(self) -> Slot | None:
        """The slot that the next ``acquire`` uses, if it has one already."""
        return None if self._slot is None else Slot(self.key, self._slot)

    def acquire(self) -> None:
        """Take one token. Waits when the slot is near, else raises BudgetExhausted with the reserved slot."""
        slot, self._slot = self._slot, None
        delay = self._limiter.until(self.key, slot) if slot is not None else 0.0
        if slot is None or delay < -SLOT_STALE_SECONDS:
            reservation = self._limiter.reserve(self.key)
            delay, slot = reservation.delay, reservation.slot
        longest = MAX_THREAD_WAIT_SECONDS if self._max_wait is None else self._max_wait
        if slot is None or delay > longest:
            self._on_wait(delay)
            raise BudgetExhausted(self.key, delay=delay, slot=slot)
        if delay > 0:
            if self._max_wait is not None:
                self._max_wait -= delay
            self._on_wait(delay)
            self._wait(delay)

    def observe(self, remaining: float, reset: float) -> None:
        """Pass on what the server's headers said."""
        self._limiter.observe(self.key, remaining, reset)

    def block(self, seconds: float) -> None:
        """Pass on that the server wants silence."""
        self._limiter.block(self.key, seconds)


class SparePermit(Permit):
    """A permit for work that can wait, and must make nothing else wait: that of rechecks.

    It takes what the budget would lose otherwise (``Limiter.spare``). Under constant pressure that may be nothing, for
    days. So work that is ``urgent``, which its handler says, has a share: a small budget of its own, whose tokens let
    it reserve slots like all other work.
    """

    def __init__(
        self,
        limiter: Limiter,
        key: str,
        share: str,
        *,
        slot: float | None = None,
        wait: Callable[[float], object],
        on_wait: Callable[[float], object],
    ) -> None:
        super().__init__(limiter, key, slot=slot, wait=wait, on_wait=on_wait)
        self.urgent = False
        self._share = share
        self._reserves = slot is not None  # also for a login's token, which would else cost another of the share's

    def acquire(self) -> None:
        """Take one token, waiting up to a second for a spare one.

        Raises BudgetExhausted: with a slot when it has reserved one, without when there is nothing for it now.
        """
        waited = 0.0
        while not self._reserves and (delay := self._limiter.spare(self.key)) > 0:
            if waited + delay > MAX_THREAD_WAIT_SECONDS:
                if not self.urgent or self._limiter.spare(self._share) > 0:
                    raise BudgetExhausted(self.key, delay=delay, slot=None)
                self._reserves = True
            else:
                self._wait(delay)  # others may be quicker
                waited += delay
        if self._reserves:
            super().acquire()


AnyPermit = Permit | UnlimitedPermit


def permit_for(
    limiter: Limiter,
    need: BudgetNeed | None,
    slot: Slot | None,
    *,
    wait: Callable[[float], object],
    on_wait: Callable[[str, float], object],
) -> AnyPermit:
    """Return a message's permit for what it needs, with the slot that it holds.

    ``wait`` may end early when the process is to end: the token is spent then, which errs on the safe side.
    ``on_wait(kind, seconds)`` is told of every wait; a key's kind is the word before its colon.
    """
    if need is None:
        return UnlimitedPermit()
    at = slot.at if slot is not None and slot.key == need.key else None
    waits: dict[str, Any] = {"wait": wait, "on_wait": partial(on_wait, need.key.partition(":")[0])}
    if need.share is not None:
        return SparePermit(limiter, need.key, need.share, slot=at, **waits)
    return Permit(limiter, need.key, slot=at, max_wait=need.max_wait, **waits)
