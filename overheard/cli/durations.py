"""Times as they are typed, and as programs read them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import click

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


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


class Duration(click.ParamType[float]):
    """``30s``, ``2m`` or ``1h`` → seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        match = re.fullmatch(r"(\d{1,6})\s*([smh]?)", str(value).strip())
        if match is None or int(match[1]) == 0:
            self.fail(f"{value!r} is no duration: write 30s, 2m or 1h", param, context)
        return float(int(match[1]) * SECONDS[match[2] or "s"])
