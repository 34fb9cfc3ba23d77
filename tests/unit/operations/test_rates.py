"""Rates per day, from a sample that does not cover a day of everything."""

from __future__ import annotations

from typing import Any

import pytest

from overheard.db.sample import Coverage, Sampled
from overheard.items import Item
from overheard.operations.rates import RateEstimate

NOW, HOUR, DAY = 1_000_000.0, 3600.0, 86400.0


def item(age: float, place: str = "python", **fields: Any) -> Item:
    return Item(
        **{"source": "reddit", "id": f"{place}{age}", "kind": "post", "place": place, "created_at": NOW - age} | fields
    )


def coverage(**hours: float) -> Coverage:
    """Since how many hours each place is watched."""
    watched: Any = {("reddit", "post", place): NOW - age * HOUR for place, age in hours.items()}
    return Coverage({"reddit": 0.0}, watched, NOW - DAY)


def test_each_item_stands_for_as_many_as_its_weight_says() -> None:
    rates: RateEstimate[str] = RateEstimate(coverage(), NOW)
    for age, weight, keys in ((HOUR, 1.0, ["a"]), (2 * HOUR, 40.0, ["a", "b"]), (3 * HOUR, 9.0, [])):
        rates.see(Sampled(item(age), weight), keys)
    assert (rates.per_day("a"), rates.per_day("b"), rates.per_day("c"), rates.hours) == (41.0, 40.0, 0.0, 24.0)


def test_a_place_that_is_watched_for_some_hours_counts_for_as_long() -> None:
    rates: RateEstimate[str] = RateEstimate(coverage(python=6, rust=48), NOW)
    rates.see(Sampled(item(5 * HOUR), 1.0), ["a"])
    rates.see(Sampled(item(7 * HOUR), 1.0), ["a"])  # its first reading brought older ones, which do not count
    rates.see(Sampled(item(7 * HOUR, "rust"), 1.0), ["a"])
    assert (rates.per_day("a"), rates.hours) == (4 + 1, 6)


def test_in_the_first_hour_everything_counts_that_the_first_reading_brought() -> None:
    rates: RateEstimate[str] = RateEstimate(coverage(python=0.1), NOW)
    for age in (0.0, 2 * HOUR, 4 * HOUR):
        rates.see(Sampled(item(age), 1.0), ["a"] if age else [])
    assert (rates.per_day("a"), rates.hours) == (pytest.approx(12), 4)


def test_a_single_item_of_this_moment_is_no_rate_of_millions() -> None:
    rates: RateEstimate[str] = RateEstimate(coverage(python=0), NOW)
    rates.see(Sampled(item(0.0), 1.0), ["a"])
    assert rates.per_day("a") == 1440
    empty: RateEstimate[str] = RateEstimate(coverage(python=0), NOW)
    assert (empty.per_day("a"), empty.hours) == (0, 24)
