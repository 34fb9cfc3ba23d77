"""Permits for a shared budget. A message that has to wait holds a reserved slot, so that messages do not stampede.

A ``Limiter`` (in production the database: ``db.budgets``) reserves slots on its own clock. A ``Permit`` belongs to one
message while it is processed; sources acquire a token from it for each request. ``bus.rate_limit`` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from typing import Any, NamedTuple, Protocol, Self

import msgspec

from overheard.errors import BudgetExhausted

MAX_THREAD_WAIT_SECONDS = 1.0  # for a token, on a worker thread (I5)
SERVICE = "service"  # the kind of the budgets of services to which channels send
SLOT_STALE_SECONDS = 30.0  # a slot missed by more is void: others have used the rate of that time


TokenRate = tuple[float, int]  # tokens a minute, and how many of them may come at once


class Slot(NamedTuple):
    """A reserved slot: a budget's key and a time on the limiter's clock. A postponed message carries it."""

    key: str
    at: float


class BudgetNeed(msgspec.Struct, frozen=True):
    """The budget that a message needs.

    ``max_wait`` bounds the seconds for which all its tokens together may hold a thread; None: MAX_THREAD_WAIT_SECONDS
    for each. With ``share``, the key of a second budget, the message gets a SparePermit. ``patient``: until the message
    has its first token, it leaves the last ones that are free to those that are not.
    """

    key: str
    max_wait: float | None = None
    share: str | None = None
    patient: bool = False


class Reservation(msgspec.Struct, frozen=True):
    """A reserved ``slot`` (a time on the limiter's clock), ``delay`` seconds from now.

    ``slot`` is None if the slots are booked beyond the limiter's horizon: nothing was reserved.
    """

    delay: float
    slot: float | None


class Limiter(Protocol):
    """Shared budgets by key. All times are on the limiter's own clock, never the caller's."""

    def reserve(self, key: str, pace: TokenRate | None = None, *, patient: bool = False) -> Reservation:
        """Reserve the next free slot of ``key``. ``pace``: its rate; None: the one of its kind.

        ``patient``: leave the next few to others.
        """

    def until(self, key: str, slot: float) -> float:
        """Return the seconds until ``slot`` (negative: passed); ``-inf`` for a slot within a block: reserve again."""

    def spare(self, key: str) -> float:
        """Take a token that would otherwise go unused: return 0 if taken, else the seconds until the next try.

        Nothing is reserved, and no reservation is ever delayed by it.
        """

    def soonest(self, keys: Sequence[str], *, spare: bool = False) -> str:
        """Return the key with the earliest free slot, of several the least recently used; nothing is reserved.

        ``spare``: keys that have no spare tokens, because their credentials are in use elsewhere, come last.
        """

    def block(self, key: str, seconds: float) -> None:
        """Block the key for ``seconds``."""

    def observe(self, key: str, remaining: float, reset: float) -> None:
        """Record the server's own count: ``remaining`` requests until ``reset`` seconds from now."""


class UnlimitedPermit:
    """The permit of a message that needs no budget."""

    key = ""
    held: Slot | None = None

    def of(self, name: str) -> UnlimitedPermit:
        """Return itself: nothing is limited."""
        return self

    def paced(self, name: str, pace: TokenRate) -> UnlimitedPermit:
        """Return itself: nothing is limited."""
        return self

    def soonest(self, names: Sequence[str]) -> str:
        """Return the first name: nothing is limited."""
        return names[0]

    def acquire(self) -> None: ...

    def observe(self, remaining: float, reset: float) -> None: ...

    def block(self, seconds: float) -> None: ...


class _Held(msgspec.Struct):
    """What a message's permits share: the slot that it holds, and for how long they may still wait in the thread.

    ``patient``: it has had no token yet, and others come first.
    """

    slot: Slot | None
    max_wait: float | None
    patient: bool


class Permit:
    """One message's access to a budget.

    ``slot`` is the one that the message holds from an earlier, postponed run; the first ``acquire`` of its key uses
    it. ``wait`` sleeps for a number of seconds; ``on_wait`` is called with every wait, for the metrics.
    """

    _spare = False  # whether it takes spare tokens first
    _pace: TokenRate | None = None  # of a budget that has a rate of its own

    def __init__(
        self,
        limiter: Limiter,
        key: str,
        *,
        slot: Slot | None = None,
        max_wait: float | None = None,
        patient: bool = False,
        wait: Callable[[float], object],
        on_wait: Callable[[float], object],
    ) -> None:
        self.key = key
        self._limiter = limiter
        self._held = _Held(slot, max_wait, patient)
        self._wait = wait
        self._on_wait = on_wait

    def of(self, name: str) -> Self:
        """Return the message's permit for another budget of the same kind: of a host, or a client."""
        other = copy(self)
        other.key = self._key_of(name)
        return other

    def paced(self, name: str, pace: TokenRate) -> Self:
        """Return the message's permit for the budget of a service, which has a rate of its own."""
        other = copy(self)
        other.key, other._pace = f"{SERVICE}:{name}", pace
        return other

    def soonest(self, names: Sequence[str]) -> str:
        """Return the name whose budget (``of``) has the next free token, or the slot that the message holds."""
        if len(names) == 1:
            return names[0]
        by_key = {self._key_of(name): name for name in names}
        held = self._held.slot
        # A slot that has become void, by a block, must not tie the message to its budget.
        if held is not None and held.key in by_key and self._limiter.until(*held) >= -SLOT_STALE_SECONDS:
            return by_key[held.key]
        return by_key[self._limiter.soonest(list(by_key), spare=self._spare)]

    def _key_of(self, name: str) -> str:
        return f"{self.key.partition(':')[0]}:{name}"

    @property
    def held(self) -> Slot | None:
        """Return the slot that the next ``acquire`` of its key uses, if there is one."""
        return self._held.slot

    def _take_slot(self) -> float | None:
        held = self._held.slot
        if held is None or held.key != self.key:
            return None
        self._held.slot = None
        return held.at

    def acquire(self) -> None:
        """Take one token. Wait if its slot is near, else raise BudgetExhausted with the reserved slot."""
        slot = self._take_slot()
        delay = self._limiter.until(self.key, slot) if slot is not None else 0.0
        if slot is None or delay < -SLOT_STALE_SECONDS:
            reservation = self._limiter.reserve(self.key, self._pace, patient=self._held.patient)
            delay, slot = reservation.delay, reservation.slot
        left = self._held.max_wait
        max_wait = MAX_THREAD_WAIT_SECONDS if left is None else left
        if self._held.patient:
            max_wait = 0.0  # its thread may be needed for a message that comes first
        if slot is None or delay > max_wait:
            self._on_wait(delay)
            raise BudgetExhausted(self.key, delay=delay, slot=slot)
        if delay > 0:
            if left is not None:
                self._held.max_wait = left - delay
            self._on_wait(delay)
            self._wait(delay)
        # A reading that has begun ends sooner if it waits for no others, and until then nothing else reads its feeds.
        self._held.patient = False

    def observe(self, remaining: float, reset: float) -> None:
        """Pass on the count in the server's headers."""
        self._limiter.observe(self.key, remaining, reset)

    def block(self, seconds: float) -> None:
        """Pass on that the server asks for no requests for ``seconds``."""
        self._limiter.block(self.key, seconds)


class SparePermit(Permit):
    """A permit for work that can wait and must delay nothing else: rechecks.

    It takes tokens that would otherwise go unused (``Limiter.spare``). Under constant load there may be none for days.
    So work that its handler marks as ``urgent`` has a share: a small budget of its own, whose tokens allow it to
    reserve slots of the main budget like all other work.
    """

    _spare = True

    def __init__(
        self,
        limiter: Limiter,
        key: str,
        share: str,
        *,
        slot: Slot | None = None,
        wait: Callable[[float], object],
        on_wait: Callable[[float], object],
    ) -> None:
        super().__init__(limiter, key, slot=slot, patient=True, wait=wait, on_wait=on_wait)
        self.urgent = False
        self._share = share
        # For all tokens of the message: a login's must not cost a second one of the share.
        self._reserves = slot is not None and slot.key == key

    def of(self, name: str) -> Self:
        """Return the message's permit for another budget of the same kind, with its share."""
        other = super().of(name)
        other._share = f"{self._share.partition(':')[0]}:{name}"
        held = self._held.slot
        other._reserves = held is not None and held.key == other.key
        return other

    def acquire(self) -> None:
        """Take one token; wait up to a second for a spare one.

        Raises BudgetExhausted: with a slot if one was reserved, without if there is no token for it now.
        """
        waited = 0.0
        while not self._reserves and (delay := self._limiter.spare(self.key)) > 0:
            if waited + delay > MAX_THREAD_WAIT_SECONDS:
                if not self.urgent or self._limiter.spare(self._share) > 0:
                    raise BudgetExhausted(self.key, delay=delay, slot=None)
                self._reserves = True
            else:
                self._wait(delay)  # another process may take that token first: check again
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
    """Return a message's permit for its need, with the slot that it holds.

    ``wait`` may return early when the process stops: the token is spent then, which errs on the safe side.
    ``on_wait(kind, seconds)`` is called with every wait; a key's kind is the part before its colon.
    """
    if need is None:
        return UnlimitedPermit()
    kind = need.key.partition(":")[0]
    of_this_kind = slot if slot is not None and slot.key.partition(":")[0] in (kind, SERVICE) else None
    waits: dict[str, Any] = {"wait": wait, "on_wait": partial(on_wait, kind)}
    if need.share is not None:
        return SparePermit(limiter, need.key, need.share, slot=of_this_kind, **waits)
    return Permit(limiter, need.key, slot=of_this_kind, max_wait=need.max_wait, patient=need.patient, **waits)
