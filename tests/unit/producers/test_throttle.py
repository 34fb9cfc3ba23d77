"""What is done at most once in a while."""

from __future__ import annotations

from producers.throttle import Throttle


def test_it_allows_the_first_time_and_then_one_for_each_period() -> None:
    throttle = Throttle(60)
    assert [now for now in (1000, 1001, 1059.9, 1060, 1061, 1200) if throttle.allows(now)] == [1000, 1060, 1200]


def test_a_clock_that_was_set_back_suspends_nothing() -> None:
    throttle = Throttle(60)
    assert throttle.allows(5000)
    assert throttle.allows(1000), "not only from 5060 on"
    assert not throttle.allows(1059)


def test_after_a_reset_the_next_time_is_allowed_at_once() -> None:
    throttle = Throttle(60)
    assert throttle.allows(1000)
    throttle.reset()
    assert throttle.allows(1001)
    assert not throttle.allows(1002)
