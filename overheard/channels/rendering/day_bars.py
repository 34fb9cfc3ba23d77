"""Bars for the days of a period, as text and as shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

BAR_CHARS = 10
EIGHTHS = " ▏▎▍▌▋▊▉█"
DAY_MAX_BARS = 31  # of a longer period each bar is a week


class DayBar(msgspec.Struct, frozen=True):
    """A day, or the week that begins with it. ``share``: of the largest, 0 to 1; ``bar``: block characters."""

    label: str
    count: int
    share: float
    bar: str


def day_bars(by_day: Sequence[tuple[str, int]]) -> Iterator[DayBar]:
    """Yield a bar for each day; for each week of a period of more than 31 days; none for a single day."""
    step = 1 if len(by_day) <= DAY_MAX_BARS else 7
    counts = [
        (by_day[start][0], sum(count for _, count in by_day[start : start + step]))
        for start in range(0, len(by_day), step)
    ]
    if len(counts) < 2:
        return
    most = max(count for _, count in counts) or 1
    for day, count in counts:
        yield DayBar(_label(date.fromisoformat(day)), count, count / most, _bar(count / most))


def _label(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


def _bar(share: float) -> str:
    eighths = max(round(share * BAR_CHARS * 8), 1 if share else 0)
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
