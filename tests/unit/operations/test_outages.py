"""An outage is a problem in ``status`` first, and an alert later."""

from __future__ import annotations

import pytest

from overheard.db import canaries, source_health
from overheard.operations.outages import ALERT_SECONDS, AWAY_SECONDS, outages
from overheard.operations.reddit_clients import ClientState
from producers.reading import PROBE_SECONDS

NOW = 1_800_000_000.0


def failing(seconds: float, *, revoked: bool = False, reason: str | None = "503") -> source_health.SourceState:
    return source_health.SourceState(failing_since=NOW - seconds, retry_at=NOW, reason=reason, revoked=revoked)


def client(number: int, refused_for: float | None = None) -> ClientState:
    since = None if refused_for is None else NOW - refused_for
    return ClientState(number, 3, remaining=None, booked=0, refused_since=since)


def test_there_are_no_outages_of_healthy_sources() -> None:
    assert list(outages(None, {}, [], NOW)) == []
    canary = canaries.CanaryState(300, NOW - 1000, NOW - 10)
    assert list(outages(canary, {"reddit": source_health.SourceState(read_at=NOW)}, [client(1), client(2)], NOW)) == []


@pytest.mark.parametrize(
    ("seconds", "revoked", "kind", "is_problem", "is_alert"),
    [
        (AWAY_SECONDS, False, "reddit away", False, False),
        (AWAY_SECONDS + 1, False, "reddit away", True, False),
        (ALERT_SECONDS + 1, False, "reddit away", True, True),
        (1, True, "reddit login refused", True, False),
        (ALERT_SECONDS + 1, True, "reddit login refused", True, True),
    ],
)
def test_a_reddit_outage_is_a_problem_before_it_is_an_alert(
    seconds: float, revoked: bool, kind: str, is_problem: bool, is_alert: bool
) -> None:
    (found,) = outages(None, {"reddit": failing(seconds, revoked=revoked)}, [], NOW)
    assert (found.kind, found.since, found.seconds, found.where) == (kind, NOW - seconds, seconds, "503")
    assert (found.is_problem, found.is_alert) == (is_problem, is_alert)


def test_a_source_that_two_probes_found_down_is_a_problem() -> None:
    down, passing = (next(outages(None, {"reddit": failing(after)}, [], NOW)) for after in (61, 2 * PROBE_SECONDS))
    assert (down.is_problem, passing.is_problem) == (True, False)


def test_an_outage_has_a_place_or_a_reason() -> None:
    canary = canaries.CanaryState(300, NOW - 5000, NOW - 2000)
    late, away = outages(canary, {"reddit": failing(700, reason=None)}, [], NOW)
    assert (late.kind, late.where, late.since, late.seconds) == ("canary late", "canary", NOW - 2000 + 900, 2000)
    assert (late.is_problem, late.is_alert) == (True, True)
    assert away.where == "no answer"


def test_every_source_has_outages_of_its_own() -> None:
    found = list(outages(None, {"reddit": failing(700), "hackernews": failing(800), "replay": failing(0)}, [], NOW))
    assert [(each.kind, each.place) for each in found] == [("reddit away", "503"), ("source away", "hackernews: 503")]
    assert len({each.key for each in found}) == 2


def test_a_refused_client_is_an_outage_of_its_own() -> None:
    states = {"reddit": source_health.SourceState(read_at=NOW)}
    first, third = outages(None, states, [client(1, 30), client(2), client(3, ALERT_SECONDS + 1)], NOW)
    assert (first.kind, first.place, first.seconds) == ("reddit client refused", "client 1 of 3", 30)
    assert (first.is_problem, first.is_alert) == (True, False)
    assert (third.place, third.is_problem, third.is_alert) == ("client 3 of 3", True, True)
    assert first.key != third.key
    assert list(outages(None, states, [client(1, 30), client(2, 30)], NOW)) == [], "then the source itself is refused"
    assert list(outages(None, {}, [client(1, 30), client(2)], NOW)) == [], "Reddit is not watched"
