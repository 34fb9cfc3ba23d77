"""Which numbers a gap may hold, and the order in which those of many gaps are looked up."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from overheard.reading.numbers import (
    APPROVED_LATE_MAX_NUMBERS,
    NEIGHBOURS_NUMBERS,
    in_requests,
    lowest,
    with_margins,
)

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda each: (each[0], sum(each))), max_size=8)


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(RANGES, st.integers(0, 100))
def test_the_lowest_numbers_of_all_ranges_each_once(ranges: list[tuple[int, int]], count: int) -> None:
    found = lowest(ranges, count)
    assert sorted(members(ranges))[:count] == [number for numbers in in_requests(found, 7) for number in numbers]
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found)), "apart"
    assert all(len(numbers) <= 7 for numbers in in_requests(found, 7))


def test_a_gap_of_any_range_is_inside_one_of_them() -> None:
    """Store moves a gap to the end of the range that its next number is in."""
    assert lowest([(0, 9), (5, 20), (21, 30), (40, 41)], 100) == [(0, 30), (40, 41)]
    assert lowest([(0, 9), (5, 20)], 15) == [(0, 14)]


def test_the_margin_for_what_was_approved_late_grows_with_the_gap() -> None:
    assert with_margins(100_000, 100_100) == (100_000 - NEIGHBOURS_NUMBERS, 100_100 + NEIGHBOURS_NUMBERS)
    assert with_margins(100_000, 103_000) == (97_000, 103_000 + NEIGHBOURS_NUMBERS)
    assert with_margins(100_000, 300_000)[0] == 100_000 - APPROVED_LATE_MAX_NUMBERS
    assert with_margins(100, 50) == (0, 100 + NEIGHBOURS_NUMBERS), "bounds out of order lie between their margins, too"
