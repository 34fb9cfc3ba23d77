"""When messages may be sent again: quiet and working hours in the workspace's zone, also when its clock changes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from overheard.errors import InvalidInput
from overheard.quiet_hours import check, opens_at

OPEN = "now"


@pytest.mark.parametrize(
    ("quiet", "working", "now", "opens"),
    [
        ("22:00-07:00", "", "2026-11-28T21:59+01:00", OPEN),
        ("22:00-07:00", "", "2026-11-28T22:00+01:00", "2026-11-29T07:00+01:00"),
        ("22:00-07:00", "", "2026-11-29T06:59+01:00", "2026-11-29T07:00+01:00"),
        ("22:00-07:00", "", "2026-11-29T07:00+01:00", OPEN),
        ("23:00-24:00", "", "2026-11-28T23:30+01:00", "2026-11-29T00:00+01:00"),
        ("00:00-00:30", "fri 22:00-06:00", "2026-11-28T00:10+01:00", "2026-11-28T00:30+01:00"),
        ("", "fri 22:00-06:00", "2026-11-28T05:59+01:00", OPEN),
        ("", "fri 22:00-06:00", "2026-11-28T06:00+01:00", "2026-12-04T22:00+01:00"),
        ("", "mon-fri 08:00-18:00", "2026-11-28T12:00+01:00", "2026-11-30T08:00+01:00"),
        ("08:00-09:00", "mon-fri 08:00-18:00", "2026-11-28T12:00+01:00", "2026-11-30T09:00+01:00"),
        # The clock goes from 02:00 to 03:00 …
        ("22:00-07:00", "", "2027-03-28T01:30+01:00", "2027-03-28T07:00+02:00"),
        ("22:00-02:30", "", "2027-03-28T01:30+01:00", "2027-03-28T03:00+02:00"),
        # … and from 03:00 back to 02:00, so that 02:15 is there twice.
        ("22:00-07:00", "", "2026-10-25T02:15+01:00", "2026-10-25T07:00+01:00"),
        ("01:00-02:30", "", "2026-10-25T02:15+02:00", "2026-10-25T02:30+02:00"),
        ("01:00-02:30", "", "2026-10-25T02:45+02:00", OPEN),
        ("01:00-02:30", "", "2026-10-25T02:15+01:00", "2026-10-25T02:30+01:00"),
    ],
)
def test_hours_end_when_the_clock_of_the_zone_says_so(quiet: str, working: str, now: str, opens: str) -> None:
    zone = ZoneInfo("Europe/Berlin")
    opening = opens_at(quiet, working, "Europe/Berlin", datetime.fromisoformat(now).timestamp())
    shown = OPEN if opening is None else datetime.fromtimestamp(opening, zone).isoformat(timespec="minutes")
    assert shown == opens


@pytest.mark.parametrize(
    ("quiet", "working"),
    [("00:00-24:00", ""), ("08:00-18:00", "mon-fri 08:00-18:00"), ("00:00-12:00, 12:00-24:00", "")],
)
def test_hours_that_leave_no_time_are_refused(quiet: str, working: str) -> None:
    with pytest.raises(InvalidInput, match="leave no time"):
        check(quiet, working)
