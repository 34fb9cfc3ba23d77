from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
import pytest
import time_machine

from overheard.cli.durations import PastTime, past_time, rfc3339

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()


def test_rfc3339() -> None:
    assert rfc3339(NOW) == "2026-11-23T12:00:00.000Z"
    assert rfc3339(None) is rfc3339(0) is None


@pytest.mark.parametrize(
    ("text", "before"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604800), ("1w", 604800), ("2026-11-23T11:59:00Z", 60),
     ("2026-11-23T12:59:00+01:00", 60)],
)  # fmt: skip
def test_since(text: str, before: float) -> None:
    with time_machine.travel(NOW, tick=False):
        assert PastTime().convert(text, None, None) == NOW - before


@pytest.mark.parametrize("text", ["yesterday", "2 fortnights", "", "2026-13-01", "2027-01-01", "9999999999d"])
def test_invalid_times_are_rejected(text: str) -> None:
    with time_machine.travel(NOW, tick=False), pytest.raises(click.BadParameter):
        PastTime().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12:30", "2026-11-23T12:30+01:00"),
        ("13:00", "2026-11-23T13:00+01:00"),
        ("13:00:01", "2026-11-22T13:00:01+01:00"),
        ("14:05", "2026-11-22T14:05+01:00"),
        ("2026-11-23T09:00", "2026-11-23T09:00+01:00"),
        ("2026-11-23T09:00Z", "2026-11-23T09:00Z"),
        ("2026-11-23", "2026-11-23T00:00+01:00"),
        ("30m", "2026-11-23T11:30Z"),
    ],
)
def test_times_of_day_and_dates_are_in_the_zone(text: str, moment: str) -> None:
    assert past_time(text, ZoneInfo("Europe/Berlin"), NOW) == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize("text", ["25:00", "12:60", "soon", "", "2026-11-23T13:01", "1:2"])
def test_times_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        past_time(text, ZoneInfo("Europe/Berlin"), NOW)
