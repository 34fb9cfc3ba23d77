from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest
import time_machine

from overheard.cli.durations import PastTime, rfc3339

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
