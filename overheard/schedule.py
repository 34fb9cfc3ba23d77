"""When things are due: cron expressions and intervals, in a workspace's time zone, right over changes of its clock."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from overheard.errors import InvalidInput

INTERVAL = re.compile(r"([0-9]{1,6})\s*([smhd])")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MIN_INTERVAL_SECONDS = 2  # seconds: below this, a schedule only makes work
MAX_INTERVAL_SECONDS = 366 * 86400
CRON_HINT = "ranges go upwards (22-23,0-4; 5-7), the last Friday is 5L, and there is no ?, W, H or R"


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
    next_due(text, "UTC", 0.0)


def interval(text: str) -> int | None:
    """``5m`` → 300 seconds; None when it is no interval. Raises InvalidInput when it is too short or too long."""
    match = INTERVAL.fullmatch(text.strip())
    if match is None:
        return None
    seconds = int(match[1]) * UNIT_SECONDS[match[2]]
    if seconds < MIN_INTERVAL_SECONDS:
        raise InvalidInput(f"{text!r} is too often: {MIN_INTERVAL_SECONDS}s is the shortest interval")
    if seconds > MAX_INTERVAL_SECONDS:
        raise InvalidInput(f"{text!r} is too seldom: {MAX_INTERVAL_SECONDS // 86400}d is the longest interval")
    return seconds


def next_due(text: str, timezone: str, after: float) -> float:
    """The first due time after ``after`` (seconds since the epoch), for an interval or a cron expression.

    Changes of the clock are treated as Debian's cron treats them (cron(8)): what has ``*`` as its minute or hour keeps
    its pace through them; a fixed time that the clock jumps over in spring is due at the jump; one that comes twice in
    autumn is due once, the first time. However long nothing ran, the answer is one time in the future: what was missed
    becomes one run, not many. Raises InvalidInput for a text or zone that cannot be read, or is never due.
    """
    every = interval(text)
    if every is not None:
        return after + every
    if len(text.split()) != 5:
        raise InvalidInput(f"{text!r} is neither an interval (30s, 5m, 2h, 1d) nor a cron expression with five fields")
    reason = "no date is like that"
    try:
        for due in CronSim(text, datetime.fromtimestamp(after, zone(timezone))):
            if due.timestamp() > after:  # the second of two equal wall times is passed over here
                return due.timestamp()
    except CronSimError as error:
        reason = f"{str(error).lower()}; {CRON_HINT}"
    raise InvalidInput(f"{text!r} is not a cron expression that is ever due: {reason}")
