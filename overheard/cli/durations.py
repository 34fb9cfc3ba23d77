"""Times as they are typed, and as programs read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import click

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def rfc3339(moment: float | None) -> str | None:
    """Format seconds since the epoch as ``2026-11-23T09:00:00.123Z``; None for None and 0 (never)."""
    if not moment:  # 0 is how the database stores "never"
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Parse ``2026-11-23T09:00:00.123Z`` to seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


class PastTime(click.ParamType[float]):
    """A time in the past: an age (``90s 30m 2h 7d 1w``), or ISO 8601 (local time if it has no zone)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        now = datetime.now(UTC).timestamp()
        text = str(value).strip()
        try:
            moment = _parsed(text, None, now)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{text!r} is not a time: write 30m, 2h, 7d, 2026-11-01 or 2026-11-01T09:00:00Z", param, context)
        if moment > now:
            self.fail(f"{text!r} is in the future", param, context)
        return moment


def past_time(text: str, zone: tzinfo, now: float) -> float:
    """Parse what ``PastTime`` does, or a time of day, ``14:05``, which is the last one. Raises BadParameter.

    Times without a zone of their own are in ``zone``.
    """
    text = text.strip()
    try:
        if match := re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text):
            today = datetime.fromtimestamp(now, zone)
            hour, minute, second = (int(part or 0) for part in match.groups())
            days = (today - timedelta(days=back) for back in (0, 1))
            moments = [day.replace(hour=hour, minute=minute, second=second, microsecond=0).timestamp() for day in days]
            return next(moment for moment in moments if moment <= now)
        moment = _parsed(text, zone, now)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is not a time: write 14:05, 30m, 2h, 7d, 2026-11-01T09:00 or 2026-11-01T09:00:00Z"
        ) from None
    if moment > now:
        raise click.BadParameter(f"{text!r} is in the future")
    return moment


def _parsed(text: str, zone: tzinfo | None, now: float) -> float:
    """Parse an age or ISO 8601; in local time if neither it nor ``zone`` says otherwise. Raises ValueError and more."""
    if match := re.fullmatch(r"(\d{1,6})\s*([smhdw])", text):
        return now - int(match[1]) * UNIT_SECONDS[match[2]]
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo or zone is None else moment.replace(tzinfo=zone)).timestamp()


class DurationParam(click.ParamType[float]):
    """A duration, ``30s``, ``2m`` or ``1h``, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        match = re.fullmatch(r"(\d{1,6})\s*([smh]?)", str(value).strip())
        if match is None or int(match[1]) == 0:
            self.fail(f"{value!r} is not a duration: write 30s, 2m or 1h", param, context)
        return float(int(match[1]) * UNIT_SECONDS[match[2] or "s"])
