"""Dates of feeds, in all the forms that publishers write. Pure."""

from __future__ import annotations

import calendar
import time

from feedparser.datetimes import _parse_date

from overheard.sources.feeds.entries import valid_time

DATE_MAX_CHARS = 100


def parse_date(text: str) -> float | None:
    """Return the time that a text names, in seconds since the epoch; None if it names none."""
    return seconds_of(_parse_date(text.strip()[:DATE_MAX_CHARS]))


def seconds_of(moment: time.struct_time | None) -> float | None:
    """Return a time of feedparser, which is in UTC, in seconds since the epoch; None for one that no clock had."""
    if not moment:
        return None
    try:
        return valid_time(float(calendar.timegm(moment)))
    except (ValueError, OverflowError):
        return None
