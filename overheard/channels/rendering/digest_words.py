"""Say a digest's period and numbers in words, in the workspace's zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from overheard.notices import Totals

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def period_text(since: str | None, until: str | None, timezone: str) -> str:
    """Return ``Thu 26 Nov 09:00 – Fri 27 Nov 09:00 (Europe/Berlin)``; of whole days the days alone; "" if unknown."""
    if since is None or until is None:
        return ""
    start, end = _local(since, timezone), _local(until, timezone)
    if start.time() == end.time() == datetime.min.time():
        first, last = _day(start), _day(end - DAY)
        return f"{first if first == last else f'{first} – {last}'} ({timezone})"
    return f"{_day(start)} {start:%H:%M} – {_day(end)} {end:%H:%M} ({timezone})"


def summary_text(totals: Totals, timezone: str) -> str:
    """Return ``37 mentions, 12 more than the day before``."""
    text = f"{totals.total:,} mention{'' if totals.total == 1 else 's'}"
    if totals.before is None or totals.since is None or totals.until is None:
        return text
    before = _before_text(totals.since, totals.until, timezone)
    change = totals.total - totals.before
    if not totals.before:
        return f"{text}, none {before}"
    if not change:
        return f"{text}, as many as {before}"
    return f"{text}, {abs(change):,} {'more' if change > 0 else 'fewer'} than {before}"


def notes(totals: Totals) -> Iterator[str]:
    """Yield what else the numbers need."""
    if totals.at_once:
        were = "was" if totals.at_once == 1 else "were"
        yield f"{totals.at_once:,} of them {were} sent at once, and not repeated here"
    if totals.muted:
        yield f"{totals.muted:,} more {'is' if totals.muted == 1 else 'are'} muted, and not counted"


def is_one_day(totals: Totals, timezone: str) -> bool:
    """Return True for a period of at most a day: numbers of the parts of two days would say nothing."""
    if totals.since is None or totals.until is None:
        return False
    return _span(totals.since, totals.until, timezone) <= DAY


def _span(since: str, until: str, timezone: str) -> timedelta:
    """Return the clock's difference: a day that begins and ends at 9:00 is a day, however many hours it had."""
    return _local(until, timezone).replace(tzinfo=None) - _local(since, timezone).replace(tzinfo=None)


def _before_text(since: str, until: str, timezone: str) -> str:
    """Return what the period before is called: ``the day before``, ``the week before``, ``the 3 days before``."""
    span = _span(since, until, timezone)
    if span % DAY == timedelta():
        days = span // DAY
        return "the day before" if days == 1 else "the week before" if days == 7 else f"the {days} days before"
    if span % HOUR == timedelta():
        hours = span // HOUR
        return "the hour before" if hours == 1 else f"the {hours} hours before"
    return "the period before"


def _local(moment: str, timezone: str) -> datetime:
    return datetime.fromisoformat(moment).astimezone(ZoneInfo(timezone))


def _day(moment: datetime) -> str:
    return f"{moment:%a} {moment.day} {moment:%b}"
