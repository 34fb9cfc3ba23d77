"""An outage is a problem in ``status`` first, and an alert later."""

from __future__ import annotations

import pytest

from overheard.db import canaries, source_health
from overheard.operations.outages import REDDIT_ALERT_SECONDS, REDDIT_AWAY_SECONDS, outages

NOW = 1_800_000_000.0


def failing(seconds: float, *, revoked: bool = False, reason: str | None = "503") -> source_health.SourceState:
    return source_health.SourceState(failing_since=NOW - seconds, retry_at=NOW, reason=reason, revoked=revoked)


def test_there_are_no_outages_of_healthy_sources() -> None:
    assert list(outages(None, source_health.SourceState(), NOW)) == []
    assert (
        list(outages(canaries.CanaryState(300, NOW - 1000, NOW - 10), source_health.SourceState(read_at=NOW), NOW))
        == []
    )


@pytest.mark.parametrize(
    ("seconds", "revoked", "kind", "is_problem", "is_alert"),
    [
        (REDDIT_AWAY_SECONDS, False, "reddit away", False, False),
        (REDDIT_AWAY_SECONDS + 1, False, "reddit away", True, False),
        (REDDIT_ALERT_SECONDS + 1, False, "reddit away", True, True),
        (1, True, "reddit login refused", True, False),
        (REDDIT_ALERT_SECONDS + 1, True, "reddit login refused", True, True),
    ],
)
def test_a_reddit_outage_is_a_problem_before_it_is_an_alert(
    seconds: float, revoked: bool, kind: str, is_problem: bool, is_alert: bool
) -> None:
    (found,) = outages(None, failing(seconds, revoked=revoked), NOW)
    assert (found.kind, found.since, found.seconds, found.where) == (kind, NOW - seconds, seconds, "503")
    assert (found.is_problem, found.is_alert) == (is_problem, is_alert)


def test_an_outage_has_a_place_or_a_reason() -> None:
    canary = canaries.CanaryState(300, NOW - 5000, NOW - 2000)
    late, away = outages(canary, failing(700, reason=None), NOW)
    assert (late.kind, late.where, late.since, late.seconds) == ("canary late", "canary", NOW - 2000 + 900, 2000)
    assert (late.is_problem, late.is_alert) == (True, True)
    assert away.where == "no answer"
