"""Times as people say and read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
STEPS = ((129600, 86400, "days"), (5400, 3600, "h"), (90, 60, "min"), (0, 1, "s"))


def span(seconds: float) -> str:
    """``45 s``, ``3 min``, ``5 h``, ``12 days``."""
    seconds = max(seconds, 0.0)
    for least, unit, name in STEPS:
        if seconds >= least:
            return f"{round(seconds / unit):,} {name}"
    raise AssertionError("unreachable")


def ago(moment: float | None, now: float) -> str:
    """How long ago; a clock that runs a little ahead is no future."""
    if not moment:
        return "never"
    return "just now" if now - moment < 1 else f"{span(now - moment)} ago"


def ahead(moment: float | None, now: float) -> str:
    """How soon."""
    if moment is None:
        return "never"
    return "now" if moment <= now else f"in {span(moment - now)}"


def rfc3339(moment: float | None) -> str | None:
    """Seconds since the epoch → ``2026-11-23T09:00:00.123Z``, for JSON and CSV; None for never."""
    if not moment:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """``2026-11-23T09:00:00.123Z`` → seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


class Since(click.ParamType[float]):
    """``90s 30m 2h 7d 1w`` before now, or a date or time of ISO 8601 (local time where it names no zone)."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        now = datetime.now(UTC).timestamp()
        text = str(value).strip()
        if match := re.fullmatch(r"(\d{1,6})\s*([smhdw])", text):
            return now - int(match[1]) * SECONDS[match[2]]
        try:
            moment = datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError, OSError):
            self.fail(f"{text!r} is no time: write 30m, 2h, 7d, 2026-11-01 or 2026-11-01T09:00:00Z", param, context)
        if moment > now:
            self.fail(f"{text!r} is in the future", param, context)
        return moment
