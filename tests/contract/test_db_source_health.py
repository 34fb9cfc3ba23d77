"""Source health, as all processes see it."""

from __future__ import annotations

from overheard.db import source_health
from overheard.db.database import Db
from overheard.db.models import SourceStatus
from overheard.db.source_health import FORGET_FAILURE_SECONDS, RECORD_INTERVAL_SECONDS, SourceState
from tests.fixtures import Clock, Race


def test_a_source_that_is_read_is_healthy(db: Db, clock: Clock) -> None:
    assert source_health.state(db, "reddit") == SourceState()
    began = clock()
    source_health.record_read(db, "reddit", began)
    source_health.record_read(db, "canary", clock.advance(100))
    assert source_health.state(db, "reddit") == SourceState(read_at=began)
    assert source_health.state(db, "reddit").failing_for(clock()) == 0
    source_health.record_read(db, "reddit", clock())
    assert source_health.state(db, "reddit").read_at == clock()


def test_a_busy_source_is_recorded_periodically(db: Db, clock: Clock) -> None:
    first = clock()
    source_health.record_read(db, "reddit", first)
    source_health.record_read(db, "reddit", clock.advance(RECORD_INTERVAL_SECONDS - 1))
    assert source_health.state(db, "reddit").read_at == first
    source_health.record_failure(db, "reddit", "503", clock(), clock())
    source_health.record_read(db, "reddit", clock())
    assert source_health.state(db, "reddit") == SourceState(read_at=clock()), "that it answers again is always noted"


def test_a_source_fails_from_its_first_failure_to_the_next_answer(db: Db, clock: Clock) -> None:
    read_at = clock()
    source_health.record_read(db, "reddit", read_at)
    began = clock.advance(60)
    source_health.record_failure(db, "reddit", "503", began, began)
    source_health.record_failure(db, "reddit", "blocked", clock.advance(200), clock() + 60)
    state = source_health.state(db, "reddit")
    assert state == SourceState(read_at, began, clock() + 60, "blocked")
    assert state.failing_for(clock.advance(100)) == 300
    source_health.record_answer(db, "reddit")
    assert source_health.state(db, "reddit") == SourceState(read_at=read_at), (
        "a refused feed is an answer, and no reading"
    )
    assert source_health.state(db, "reddit").failing_for(clock()) == 0


def test_a_refused_login_is_distinguished_from_an_outage(db: Db, clock: Clock) -> None:
    def failed(*, revoked: bool) -> bool:
        source_health.record_failure(db, "reddit", "why", clock(), clock() + 300, revoked=revoked)
        return source_health.state(db, "reddit").revoked

    assert failed(revoked=True), "from the first failure on"
    assert not failed(revoked=False), "the last try counts"
    assert failed(revoked=True)
    source_health.record_answer(db, "reddit")
    assert source_health.state(db, "reddit") == SourceState()
    assert failed(revoked=True)
    source_health.record_read(db, "reddit", clock())
    assert source_health.state(db, "reddit") == SourceState(read_at=clock())


def test_a_login_that_is_refused_again_is_the_same_refusal(db: Db, clock: Clock) -> None:
    began = clock()
    source_health.record_failure(db, "reddit:1", "401", began, began, revoked=True)
    source_health.record_failure(db, "reddit:1", "401", clock.advance(86_400), clock(), revoked=True)
    assert source_health.state(db, "reddit:1").failing_since == began, "it is tried seldom"
    source_health.record_failure(db, "reddit:1", "503", clock.advance(86_400), clock())
    assert source_health.state(db, "reddit:1").failing_since == clock(), "something else"


def test_a_source_that_never_answered_is_failing(db: Db, clock: Clock) -> None:
    source_health.record_failure(db, "reddit", "away\x00", clock(), clock())
    assert source_health.state(db, "reddit").failing_for(clock.advance(200)) == 200
    assert source_health.state(db, "reddit").reason == "away\ufffd"


def test_a_failure_without_further_tries_is_ignored_later(db: Db, clock: Clock) -> None:
    source_health.record_failure(db, "reddit", "503", clock(), clock())
    assert (
        source_health.state(db, "reddit").failing_for(clock.advance(FORGET_FAILURE_SECONDS)) == FORGET_FAILURE_SECONDS
    )
    assert source_health.state(db, "reddit").failing_for(clock.advance(1)) == 0, "its workspace is gone, say"
    began = clock.advance(86_400)
    source_health.record_failure(db, "reddit", "503", began, began)
    assert source_health.state(db, "reddit").failing_for(clock.advance(5)) == 5, "the failure of yesterday is over"


def test_a_source_with_an_hour_s_retry_after_fails_for_an_hour(db: Db, clock: Clock) -> None:
    source_health.record_failure(db, "reddit", "429", clock(), clock() + 3600)
    assert source_health.state(db, "reddit").failing_for(clock.advance(3600)) == 3600


def test_concurrent_failures_are_recorded(db: Db, clock: Clock, race: Race) -> None:
    now = clock()
    race(*[lambda: source_health.record_failure(db, "reddit", "503", now, now) for _ in range(4)])
    assert source_health.state(db, "reddit") == SourceState(None, now, now, "503")
    race(*[lambda: source_health.record_read(db, "reddit", now) for _ in range(4)])
    assert source_health.state(db, "reddit") == SourceState(now)
    assert SourceStatus.select().count(db.peewee) == 1
