from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest
import time_machine

from overheard.cli.times import Since, rfc3339
from overheard.operations.wording import ago, ahead, span

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (45, "45 s"), (89, "89 s"), (113, "2 min"), (3600, "60 min"), (7200, "2 h"), (86400, "24 h"),
     (10 * 86400, "10 days"), (-5, "0 s")],
)  # fmt: skip
def test_span(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_ago_and_ahead() -> None:
    assert ago(NOW - 180, NOW) == "3 min ago"
    assert ago(NOW + 2, NOW) == "just now"
    assert ago(None, NOW) == ago(0, NOW) == "never"
    assert ahead(NOW + 180, NOW) == "in 3 min"
    assert ahead(NOW - 1, NOW) == "now"
    assert rfc3339(NOW) == "2026-11-23T12:00:00.000Z"


@pytest.mark.parametrize(
    ("text", "before"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604800), ("1w", 604800), ("2026-11-23T11:59:00Z", 60),
     ("2026-11-23T12:59:00+01:00", 60)],
)  # fmt: skip
def test_since(text: str, before: float) -> None:
    with time_machine.travel(NOW, tick=False):
        assert Since().convert(text, None, None) == NOW - before


@pytest.mark.parametrize("text", ["yesterday", "2 fortnights", "", "2026-13-01", "2027-01-01", "9999999999d"])
def test_no_time(text: str) -> None:
    with time_machine.travel(NOW, tick=False), pytest.raises(click.BadParameter):
        Since().convert(text, None, None)
