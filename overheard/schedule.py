"""When things are due: cron expressions and intervals, in a workspace's time zone, right over changes of its clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

from overheard.errors import InvalidInput

INTERVAL = re.compile(r"([0-9]{1,6})\s*([smhd])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST = 2  # seconds: below this, a schedule only makes work
LONGEST = 366 * 86400
HASHED = re.compile(r"(^|,)[hr]", re.IGNORECASE)  # croniter's H and R: another time with each reading


def zone(name: str) -> ZoneInfo:
    """The time zone ``Europe/Berlin``. Raises InvalidInput with the nearest names."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = sorted(known for known in available_timezones() if name.split("/")[-1].lower() in known.lower())[:3]
        hint = f"; did you mean {', '.join(near)}?" if near and name.strip() else ""
        raise InvalidInput(f"unknown time zone {name!r} (a name such as Europe/Berlin or UTC{hint})") from None


def check(text: str) -> None:
    """Raise InvalidInput unless ``text`` is an interval (``30s``, ``5m``, ``2h``, ``1d``) or a cron expression."""
    if interval(text) is not None:
        return
    if len(text.split()) != 5:
        raise InvalidInput(f"{text!r} is neither an interval (30s, 5m, 2h, 1d) nor a cron expression with five fields")
    if any(HASHED.search(field) for field in text.split()):
        raise InvalidInput(f"{text!r}: H and R stand for no time that could be kept; write the number")
    try:
        croniter(text, datetime(2026, 1, 1, tzinfo=UTC)).get_next(datetime)
    except (CroniterBadCronError, CroniterBadDateError, ValueError) as error:
        raise InvalidInput(f"{text!r} is not a cron expression that is ever due: {error}") from None


def interval(text: str) -> int | None:
    """``5m`` → 300 seconds; None when it is no interval. Raises InvalidInput when it is too short or too long."""
    match = INTERVAL.fullmatch(text.strip())
    if match is None:
        return None
    seconds = int(match[1]) * SECONDS[match[2]]
    if seconds < SHORTEST:
        raise InvalidInput(f"{text!r} is too often: {SHORTEST}s is the shortest interval")
    if seconds > LONGEST:
        raise InvalidInput(f"{text!r} is too seldom: {LONGEST // 86400}d is the longest interval")
    return seconds


def next_due(text: str, timezone: str, after: float) -> float:
    """The first due time after ``after`` (seconds since the epoch), for an interval or a cron expression.

    Changes of the clock are treated as Vixie cron treats them (crontab(5), cron(8)): what comes every hour or oftener
    keeps its pace through them; a fixed time that the clock jumps over in spring is due at the jump; one that comes
    twice in autumn is due once, the first time. However long nothing ran, the answer is one time in the future: what
    was missed becomes one run, not many.
    """
    every = interval(text)
    if every is not None:
        return after + every
    tz = zone(timezone)
    hour = text.split()[1]
    return _hourly(text, tz, after) if hour.startswith("*") else _fixed(text, tz, after)


def _fixed(text: str, tz: ZoneInfo, after: float) -> float:
    # Cron counts in wall-clock time: step on the naive local clock and place the answer in the zone afterwards.
    steps = croniter(text, _wall(after, tz))
    while True:
        wall = steps.get_next(datetime)
        moment = wall.replace(tzinfo=tz, fold=0).timestamp()
        if _wall(moment, tz) != wall:  # jumped over: read with the old offset it lies after the jump
            moment = _change(tz, moment - 25 * 3600, moment)  # Samoa once left out a day
        if moment > after:  # the second of two equal wall times is passed over here
            return moment


def _hourly(text: str, tz: ZoneInfo, after: float) -> float:
    offset = _offset(after, tz)
    due = after + (croniter(text, _wall(after, tz)).get_next(datetime) - _wall(after, tz)).total_seconds()
    if _offset(due, tz) == offset:
        return due
    change = _change(tz, after, due)
    first = _wall(change, tz)
    return change + (croniter(text, first - timedelta(seconds=1)).get_next(datetime) - first).total_seconds()


def _wall(moment: float, tz: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment, tz).replace(tzinfo=None)


def _offset(moment: float, tz: ZoneInfo) -> timedelta | None:
    return datetime.fromtimestamp(moment, tz).utcoffset()


def _change(tz: ZoneInfo, low: float, high: float) -> float:
    """The moment between ``low`` and ``high`` at which the zone takes the offset that it has at ``high``."""
    offset = _offset(high, tz)
    while high - low > 0.5:
        middle = (low + high) / 2
        low, high = (low, middle) if _offset(middle, tz) == offset else (middle, high)
    return float(round(high))
