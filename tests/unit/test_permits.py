"""A permit: a short wait holds the thread, a long one postpones the message with its reserved slot (I5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from overheard.errors import BudgetExhausted
from overheard.permits import (
    MAX_THREAD_WAIT_SECONDS,
    SLOT_STALE_SECONDS,
    Permit,
    Reservation,
    Slot,
    SparePermit,
    TokenRate,
)

KEY = "reddit:x"


class Line:
    """A limiter with scripted answers, at time 1000."""

    def __init__(self, *delays: float | None) -> None:
        self.delays = list(delays)
        self.reserved = 0
        self.patient: list[bool] = []
        self.told: list[tuple[object, ...]] = []

    def reserve(self, key: str, pace: TokenRate | None = None, *, patient: bool = False) -> Reservation:
        assert key == KEY
        self.reserved += 1
        self.patient.append(patient)
        delay = self.delays.pop(0)
        return Reservation(300.0, None) if delay is None else Reservation(delay, 1000 + delay)

    def until(self, key: str, slot: float) -> float:
        return slot - 1000

    def block(self, key: str, seconds: float) -> None:
        self.told.append((key, seconds))

    def observe(self, key: str, remaining: float, reset: float) -> None:
        self.told.append((key, remaining, reset))


class Waits:
    def __init__(self) -> None:
        self.waited: list[float] = []
        self.seen: list[float] = []


@pytest.fixture
def waits() -> Waits:
    return Waits()


def permit(line: Line, waits: Waits, slot: float | None = None, max_wait: float | None = None) -> Permit:
    held = None if slot is None else Slot(KEY, slot)
    return Permit(line, KEY, slot=held, max_wait=max_wait, wait=waits.waited.append, on_wait=waits.seen.append)


def test_a_free_slot_is_taken_without_waiting(waits: Waits) -> None:
    permit(Line(0.0), waits).acquire()
    assert (waits.waited, waits.seen) == ([], [])


@pytest.mark.parametrize("delay", [0.01, MAX_THREAD_WAIT_SECONDS])
def test_a_short_wait_holds_the_thread(waits: Waits, delay: float) -> None:
    permit(Line(delay), waits).acquire()
    assert waits.waited == waits.seen == [delay]


def test_without_max_wait_each_token_may_wait(waits: Waits) -> None:
    held = permit(Line(0.6, 0.7, 0.8), waits)
    for _ in range(3):
        held.acquire()
    assert waits.waited == [0.6, 0.7, 0.8]


def test_with_max_wait_all_waits_of_a_message_together_are_short(waits: Waits) -> None:
    """Otherwise a batch of ten would hold its thread for ten seconds, and all work queued behind it."""
    held = permit(Line(0.6, 0.3, 0.2), waits, max_wait=1.0)
    held.acquire()
    held.acquire()
    with pytest.raises(BudgetExhausted) as postponed:
        held.acquire()
    assert (postponed.value.delay, postponed.value.slot) == (0.2, 1000.2)
    assert waits.waited == [0.6, 0.3]


def test_a_longer_wait_is_postponed_with_its_slot(waits: Waits) -> None:
    with pytest.raises(BudgetExhausted) as postponed:
        permit(Line(7.0), waits).acquire()
    assert (postponed.value.key, postponed.value.delay, postponed.value.slot) == (KEY, 7.0, 1007.0)
    assert (waits.waited, waits.seen) == ([], [7.0])


def test_beyond_the_limiters_horizon_nothing_is_reserved(waits: Waits) -> None:
    with pytest.raises(BudgetExhausted) as postponed:
        permit(Line(None), waits).acquire()
    assert postponed.value.slot is None


@pytest.mark.parametrize(
    ("slot", "waited"), [(1000.0, []), (1000.5, [0.5]), (1000 - SLOT_STALE_SECONDS, [])]
)  # fmt: skip
def test_a_held_slot_is_used_first_and_once(waits: Waits, slot: float, waited: list[float]) -> None:
    line = Line(0.25)
    held = permit(line, waits, slot)
    held.acquire()
    assert (line.reserved, waits.waited) == (0, waited)
    held.acquire()
    assert (line.reserved, waits.waited) == (1, [*waited, 0.25])


@pytest.mark.parametrize("slot", [1000 - SLOT_STALE_SECONDS - 1, -math.inf])
def test_a_stale_or_blocked_slot_is_replaced(waits: Waits, slot: float) -> None:
    line = Line(0.0)
    permit(line, waits, slot).acquire()
    assert line.reserved == 1


def test_a_held_slot_that_is_still_far_off_is_kept(waits: Waits) -> None:
    line = Line()
    with pytest.raises(BudgetExhausted) as postponed:
        permit(line, waits, 1020.0).acquire()
    assert (postponed.value.delay, postponed.value.slot, line.reserved) == (20.0, 1020.0, 0)


def test_the_servers_count_is_passed_on(waits: Waits) -> None:
    line = Line()
    held = permit(line, waits)
    held.observe(5.0, 60.0)
    held.block(30.0)
    assert line.told == [(KEY, 5.0, 60.0), (KEY, 30.0)]


def test_a_message_has_a_permit_for_each_of_its_sources_budgets(waits: Waits) -> None:
    line = Line(0.0)
    both = permit(line, waits, slot=1000.0)
    both.of("y").block(5.0)
    assert line.told == [("reddit:y", 5.0)]
    both.of("x").acquire()  # the held slot is of this budget
    assert (line.reserved, both.held) == (0, None)
    both.of("x").acquire()
    assert line.reserved == 1


def test_a_held_slot_is_not_used_for_another_budget(waits: Waits) -> None:
    line = Line()
    one = permit(line, waits, slot=1000.0)
    with pytest.raises(AssertionError):  # the line knows the key x only
        one.of("y").acquire()
    assert one.held == Slot(KEY, 1000.0)


class Lines:
    """A limiter of several keys: ``order`` is by their next slots; those in ``void`` are blocked."""

    def __init__(self, *order: str, void: tuple[str, ...] = ()) -> None:
        self.order, self.void = order, void
        self.asked: list[tuple[tuple[str, ...], bool]] = []

    def soonest(self, keys: Sequence[str], *, spare: bool = False) -> str:
        self.asked.append((tuple(keys), spare))
        return next(key for key in self.order if key in keys)

    def until(self, key: str, slot: float) -> float:
        return -math.inf if key in self.void else slot - 1000


def chooser(lines: Lines, held: Slot | None = None, kind: type[Permit] = Permit, *share: str) -> Permit:
    return kind(lines, "reddit:x", *share, slot=held, wait=lambda s: None, on_wait=lambda s: None)  # type: ignore[arg-type]


def test_the_client_with_the_next_token_is_chosen() -> None:
    lines = Lines("reddit:b", "reddit:a")
    assert chooser(lines).soonest(["a", "b"]) == "b"
    assert chooser(lines, None, SparePermit, "recheck-reddit:x").soonest(["a", "b"]) == "b"
    assert lines.asked == [(("reddit:a", "reddit:b"), False), (("reddit:a", "reddit:b"), True)]
    assert chooser(lines).soonest(["c"]) == "c", "an only client is not looked up"
    assert len(lines.asked) == 2


def test_a_message_goes_to_the_client_whose_slot_it_holds() -> None:
    held = Slot("reddit:a", 1005)
    assert chooser(Lines("reddit:b", "reddit:a"), held).soonest(["a", "b"]) == "a"
    assert chooser(Lines("reddit:b", "reddit:a"), held).soonest(["b", "c"]) == "b", "it is refused meanwhile"
    assert chooser(Lines("reddit:b", void=("reddit:a",)), held).soonest(["a", "b"]) == "b", "it is blocked meanwhile"


def test_a_message_is_patient_until_its_first_token(waits: Waits) -> None:
    line = Line(30.0, 0.0, 0.0, 0.0)
    held = Permit(line, KEY, patient=True, wait=waits.waited.append, on_wait=waits.seen.append)
    with pytest.raises(BudgetExhausted):
        held.acquire()
    other = held.of("x")
    for _ in range(3):
        other.acquire()
    assert line.patient == [True, True, False, False], "a reading that has begun ends soon"
