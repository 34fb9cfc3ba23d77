"""``Later`` becomes a copy that holds its slot and uses no retry."""

from __future__ import annotations

import pytest

from overheard.bus.rate_limit import held_slot, reschedule
from overheard.bus.retry_policy import Republication
from overheard.errors import BudgetExhausted
from overheard.messages import NotifyChannel
from overheard.outcomes import Later
from overheard.permits import Slot


def test_later_uses_no_retry_and_holds_its_slot() -> None:
    later = Later.for_slot(BudgetExhausted("reddit", delay=1.0001, slot=99.5))
    found = reschedule(later, {"retries": 8, "traceback": "old", "eta": 5, "slot": 1.0, "slot_key": "other"})
    assert found == Republication(1_001, {"retries": 8, "traceback": "old", "slot": 99.5, "slot_key": "reddit"})
    assert held_slot(found.options) == Slot("reddit", 99.5)
    assert held_slot({}) is None


def test_later_without_a_slot_holds_none() -> None:
    assert reschedule(Later(0.02), {"run": "r", "slot": 1.0, "slot_key": "reddit"}) == Republication(20, {"run": "r"})


def test_a_slot_that_was_not_used_is_kept() -> None:
    found = reschedule(Later(0.02), {}, Slot("reddit", 7.0))
    assert found == Republication(20, {"slot": 7.0, "slot_key": "reddit"})
    other = reschedule(Later.for_slot(BudgetExhausted("reddit", delay=1, slot=9.0)), {}, Slot("reddit", 7.0))
    assert other == Republication(1000, {"slot": 9.0, "slot_key": "reddit"})


def test_later_may_replace_the_message() -> None:
    rest = NotifyChannel(channel_id=2)
    found = reschedule(Later.for_slot(BudgetExhausted("reddit", delay=1, slot=2.0), rest), {})
    assert found is not None
    assert found.message is rest


@pytest.mark.parametrize(("delay", "slot"), [(5, None), (300.1, 7.0)])
def test_a_wait_too_long_for_the_bus_is_left_to_the_sweep(delay: float, slot: float | None) -> None:
    assert reschedule(Later.for_slot(BudgetExhausted("reddit", delay=delay, slot=slot)), {}) is None
