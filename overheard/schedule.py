"""Schedules: cron expressions and intervals in a workspace's time zone, correct across changes of its clock."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from overheard.errors import InvalidInput

INTERVAL = re.compile(r"([0-9]{1,6})\s*([smhd])")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MIN_INTERVAL_SECONDS = 2  # chosen: a shorter one finds hardly more and costs a claim each time
MAX_INTERVAL_SECONDS = 366 * 86400
LOOK_BACK_DAYS = (1, 8, 63, 5 * 366)  # how far due_before looks for the last due time, one after the other
UNTIL_HINT = "a date or a time, such as 2026-12-31 or 2026-12-31T18:00"
CRON_HINT = "ranges go upwards (22-23,0-4; 5-7), the last Friday is 5L, and there is no ?, W, H or R"


def zone(name: str) -> ZoneInfo:
    """Return the time zone of a name such as ``Europe/Berlin``. Raises InvalidInput with similar names."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        city = name.split("/")[-1].lower()
        known = sorted(available_timezones())
        similar = [each for each in known if city in each.lower()][:3] or get_close_matches(name[:100], known, n=1)
        hint = f"; did you mean {', '.join(similar)}?" if similar and name.strip() else ""
        raise InvalidInput(f"unknown time zone {name!r} (a name such as Europe/Berlin or UTC{hint})") from None


def check(text: str) -> None:
    """Raise InvalidInput unless ``text`` is an interval (``30s``, ``5m``, ``2h``, ``1d``) or a cron expression."""
    next_due(text, "UTC", 0.0)


def interval(text: str) -> int | None:
    """Return the seconds of an interval (``5m``: 300); None for other texts. Raises InvalidInput if out of bounds."""
    match = INTERVAL.fullmatch(text.strip())
    if match is None:
        return None
    seconds = int(match[1]) * UNIT_SECONDS[match[2]]
    if seconds < MIN_INTERVAL_SECONDS:
        raise InvalidInput(f"{text!r} is too often: {MIN_INTERVAL_SECONDS}s is the shortest interval")
    if seconds > MAX_INTERVAL_SECONDS:
        raise InvalidInput(f"{text!r} is too seldom: {MAX_INTERVAL_SECONDS // 86400}d is the longest interval")
    return seconds


def spacing(text: str, timezone: str, now: float) -> float:
    """Return the seconds between two due times of a valid schedule; of a cron expression, between the next two."""
    first = next_due(text, timezone, now)
    return next_due(text, timezone, first) - first


def span_seconds(text: str) -> float:
    """Return the seconds of a span such as ``0s`` or ``90s``, which may be 0. Raises InvalidInput."""
    match = INTERVAL.fullmatch(text.strip())
    if match is None or (seconds := int(match[1]) * UNIT_SECONDS[match[2]]) > MAX_INTERVAL_SECONDS:
        raise InvalidInput(f"{text[:40]!r} is not a span of time: write 0s, 30s, 5m, 2h or 1d")
    return float(seconds)


def span_text(seconds: float) -> str:
    """Return a span as ``span_seconds`` reads it, in the largest unit that fits: ``30s``, ``5m``."""
    whole = round(seconds)
    unit = next((unit for unit in "dhm" if whole and whole % UNIT_SECONDS[unit] == 0), "s")
    return f"{whole // UNIT_SECONDS[unit]}{unit}"


def until_seconds(text: str, timezone: str) -> float | None:
    """Return the end of a rule in seconds since the epoch; None for one without end. Raises InvalidInput.

    A date is the beginning of that day in the time zone, as is a time without an offset.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone(timezone))).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput(f"until {text[:40]!r} is not {UNTIL_HINT}") from None


def next_due(text: str, timezone: str, after: float) -> float:
    """Return the first due time after ``after``, both in seconds since the epoch, of an interval or a cron expression.

    Changes of the clock are handled as by Debian's cron (cron(8)): a schedule with ``*`` as its minute or hour keeps
    its pace; a fixed time that the clock skips in spring is due at the jump; one that occurs twice in autumn is due
    once, the first time. After an outage, the missed times become one run, not many. Raises InvalidInput for a text or
    zone that is invalid, or a schedule that is never due.
    """
    every = interval(text)
    if every is not None:
        return after + every
    for due in _cron_times(text, timezone, after):
        return due
    raise InvalidInput(f"{text!r} is not a cron expression that is ever due: no date matches")


def due_before(text: str, timezone: str, before: float, known: float) -> float:
    """Return the last due time before ``before``. ``known`` is one of them: those of an interval are counted from it.

    Of a cron expression that was not due in the five years before: the time five years ago. Raises InvalidInput.
    """
    every = interval(text)
    if every is not None:
        return known + (math.ceil((before - known) / every) - 1) * every
    # Forwards from some time ago, so that the times are exactly those of ``next_due``. From the day before first: a
    # schedule may be due every minute.
    for days in LOOK_BACK_DAYS:
        began = before - days * UNIT_SECONDS["d"]
        found = began
        for due in takewhile(lambda due: due < before, _cron_times(text, timezone, began)):
            found = due
        if found > began:
            break
    return found


def as_long_before(start: float, end: float, timezone: str) -> float:
    """Return when the period before began, which is as long by the zone's clock as the one from ``start`` to ``end``.

    The day before a day that lost an hour has 24.
    """
    local = zone(timezone)
    first, last = (datetime.fromtimestamp(moment, local).replace(tzinfo=None) for moment in (start, end))
    return (first - (last - first)).replace(tzinfo=local).timestamp()


def _cron_times(text: str, timezone: str, after: float) -> Iterator[float]:
    """Yield the due times after ``after``. Raises InvalidInput."""
    if len(text.split()) != 5:
        raise InvalidInput(f"{text!r} is neither an interval (30s, 5m, 2h, 1d) nor a cron expression with five fields")
    try:
        for due in CronSim(text, datetime.fromtimestamp(after, zone(timezone))):
            if (moment := due.timestamp()) > after:  # skips the second of two equal wall times
                yield moment
                after = moment
    except CronSimError as error:
        raise InvalidInput(
            f"{text!r} is not a cron expression that is ever due: {str(error).lower()}; {CRON_HINT}"
        ) from None
