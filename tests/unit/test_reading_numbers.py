"""The order in which the numbers of many gaps are looked up."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from overheard.reading.numbers import beginning, highest, in_requests, joined

RANGES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda each: (each[0], sum(each))), max_size=8)


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(RANGES, st.integers(0, 100), st.integers(0, 15))
def test_the_highest_numbers_of_all_ranges_each_once_from_the_top_down(
    ranges: list[tuple[int, int]], count: int, requests: int
) -> None:
    found = highest(ranges, count, 7)
    asked = list(in_requests(found, 7))
    assert [len(numbers) for numbers in asked[:-1]] == [7] * len(asked[:-1])
    expected = sorted(members(ranges), reverse=True)[:count]
    assert sum(map(len, asked)) == len(expected)
    looked_up = joined(beginning(found, 7 * requests))
    assert sorted(members(looked_up), reverse=True) == expected[: 7 * requests], "whatever it ends after"
    assert members(looked_up) == {number for numbers in asked[:requests] for number in numbers}


@given(RANGES)
def test_joined_ranges_lie_apart(ranges: list[tuple[int, int]]) -> None:
    """Store moves a gap below the range that its last number is in."""
    found = joined(ranges)
    assert members(found) == members(ranges)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(found))
