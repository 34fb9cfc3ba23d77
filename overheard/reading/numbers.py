"""Numbers of a source's items: the order in which those of many gaps are looked up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

NumberRange = tuple[int, int]  # the first and the last number, both included

# Reasons of gaps between two numbers that were asked for themselves: these are exact. Some of a hole's numbers had no
# item yet; those of a jump are far more than were published at the time, so it probably holds nothing.
HOLE, JUMP = "hole", "jump"
# Before such numbers are looked up again: a source that shows nothing for a while shows it later, and so does a filter.
HOLE_SECONDS = 900.0
# Of a jump, at a time, from its upper end: what was published just after it is there.
JUMP_NUMBERS = 1000
EMPTY_NUMBERS = 300  # in a row, without an item: the rest of the jump has none, either. Chosen, not measured


def highest(ranges: Iterable[NumberRange], count: int, size: int) -> list[NumberRange]:
    """Return the highest ``count`` numbers that are in any of the ranges, each once, from the top down.

    They are cut so that each request of ``size`` numbers has whole ranges: what ends early has looked up the highest.
    """
    chosen: list[NumberRange] = []
    taken = 0
    for first, last in sorted(ranges, key=lambda each: each[1], reverse=True):
        top = min(last, chosen[-1][0] - 1) if chosen else last
        while first <= top and taken < count:
            begin = max(first, top + 1 - min(size - taken % size, count - taken))
            chosen.append((begin, top))
            taken += top + 1 - begin
            top = begin - 1
    return chosen


def beginning(ranges: Iterable[NumberRange], count: int) -> Iterator[NumberRange]:
    """Yield the first ``count`` numbers of the ranges, in their order."""
    for first, last in ranges:
        end = min(last, first + count - 1)
        if first <= end:
            yield first, end
            count -= end + 1 - first


def joined(ranges: Iterable[NumberRange]) -> list[NumberRange]:
    """Return the numbers that are in any of the ranges, as ranges that neither meet nor overlap."""
    apart: list[NumberRange] = []
    for first, last in sorted(ranges):
        if apart and first <= apart[-1][1] + 1:
            apart[-1] = (apart[-1][0], max(last, apart[-1][1]))
        else:
            apart.append((first, last))
    return apart


def in_requests(ranges: Sequence[NumberRange], size: int) -> Iterator[tuple[int, ...]]:
    """Yield the numbers of the ranges in order, at most ``size`` at a time."""
    numbers = [number for first, last in ranges for number in range(first, last + 1)]
    return (tuple(numbers[start : start + size]) for start in range(0, len(numbers), size))
