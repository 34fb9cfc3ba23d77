"""Quiet and working hours: when a workspace may be sent messages, in its time zone. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from overheard.errors import InvalidInput
from overheard.schedule import zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALL_DAYS = frozenset(range(7))
PART = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:-[a-z]{3})?)\s+)?(?P<start>\d{1,2}:\d{2})\s*(?:-|–)\s*(?P<end>\d{1,2}:\d{2})",
    re.IGNORECASE,
)
DAY_MINUTES = 24 * 60


class DayRange(msgspec.Struct, frozen=True):
    """From ``start`` to ``end``, in minutes of the day on which it begins; ``end`` may be on the next one."""

    days: frozenset[int]
    start: int
    end: int

    def contains(self, day: int, minute: int) -> bool:
        """Return True if the range contains this minute of this weekday (0: Monday)."""
        return any(
            (day - back) % 7 in self.days and self.start <= minute + back * DAY_MINUTES < self.end for back in (0, 1)
        )


@functools.lru_cache(maxsize=1000)
def parse(text: str) -> tuple[DayRange, ...]:
    """Return the ranges of ``22:00-07:00`` or ``mon-fri 08:00-18:00, sat 10:00-12:00``. Raises InvalidInput."""
    return tuple(_range(part.strip()) for part in text.split(",")) if text.strip() else ()


def check(quiet: str, working: str) -> None:
    """Raise InvalidInput if hours cannot be read, or leave no minute of the week in which something may be sent."""
    minutes = ((day, minute) for day in range(7) for minute in range(DAY_MINUTES))
    if not any(_is_open(parse(quiet), parse(working), day, minute) for day, minute in minutes):
        raise InvalidInput("these hours leave no time at which anything may be sent")


def opens_at(quiet: str, working: str, timezone: str, now: float) -> float | None:
    """Return when messages may be sent again; None if they may be sent now. Times are seconds since the epoch."""
    if not quiet and not working:
        return None
    away, at_work, place = parse(quiet), parse(working), zone(timezone)
    local = datetime.fromtimestamp(now, place)
    if _is_open(away, at_work, local.weekday(), _minute(local)):
        return None
    for moment in sorted(_changes(away + at_work, local)):
        there = datetime.fromtimestamp(moment, place)
        if moment > now and _is_open(away, at_work, there.weekday(), _minute(there)):
            return moment
    raise InvalidInput("these hours leave no time at which anything may be sent")


def _is_open(quiet: tuple[DayRange, ...], working: tuple[DayRange, ...], day: int, minute: int) -> bool:
    away = any(hours.contains(day, minute) for hours in quiet)
    return not away and (not working or any(hours.contains(day, minute) for hours in working))


def _changes(ranges: tuple[DayRange, ...], local: datetime) -> Iterator[float]:
    """Yield the times within the next eight days at which a range begins or ends."""
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for day in range(-1, 9):
        for hours in ranges:
            for minute in (hours.start, hours.end):
                # Wall time first: a day on which the clock changes has 23 or 25 hours.
                wall = (midnight + timedelta(days=day, minutes=minute)).replace(tzinfo=local.tzinfo)
                first, last = sorted(int(wall.replace(fold=fold).timestamp()) for fold in (0, 1))
                # Two times for a wall time that the clock shows twice, or skips: it changes somewhere between them.
                yield from map(float, range(first, last + 1, 60))


def _minute(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _range(part: str) -> DayRange:
    match = PART.fullmatch(part)
    if match is None:
        raise InvalidInput(f"{part[:40]!r} is not a time of day; write 22:00-07:00, or mon-fri 08:00-18:00")
    start, end = _minutes(match["start"]), _minutes(match["end"])
    return DayRange(_days(match["days"]), start, end if end > start else end + DAY_MINUTES)


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > DAY_MINUTES:
        raise InvalidInput(f"{text} is not a time of day: 00:00 to 24:00")
    return total


def _days(text: str | None) -> frozenset[int]:
    if text is None:
        return ALL_DAYS
    first, _, last = text.lower().partition("-")
    for name in filter(None, (first, last)):
        if name not in DAYS:
            raise InvalidInput(f"{name!r} is not a day; valid: {', '.join(DAYS)}")
    start, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset((start + step) % 7 for step in range((end - start) % 7 + 1))
