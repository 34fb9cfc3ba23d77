"""How often a refused login is retried, with real PRAW over real HTTP against the simulator."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from overheard.errors import BudgetExhausted, LoginRefused, RetryableError
from overheard.simulators.reddit import RedditSimulator
from overheard.sources.reddit.source import RedditSource
from tests.fixtures import Clock
from tests.unit.sources.reddit_world import RecordingBudget, source_of

MINUTE = 60.0


@pytest.fixture
def simulator() -> Iterator[RedditSimulator]:
    with RedditSimulator() as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source(simulator: RedditSimulator, clock: Clock) -> Iterator[RedditSource]:
    made = source_of(simulator, clock=clock)
    yield made
    made.close()


def revoke(simulator: RedditSimulator, times: int = 1000) -> None:
    simulator.expire_tokens()
    simulator.faults.fail(401, times=times, path="access_token")


def read(source: RedditSource, budget: RecordingBudget | None = None) -> int:
    return len(source.look_up(["t3_1"], budget or RecordingBudget()).absent)


def logins(simulator: RedditSimulator) -> int:
    return simulator.counts()["by_endpoint"].get("token", 0)


def test_refused_logins_are_retried_at_growing_intervals(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    assert read(source) == 1
    revoke(simulator)
    simulator.reset_counts()
    budget, tried, last = RecordingBudget(), [], 0
    for minute in range(181):
        with pytest.raises(LoginRefused, match="revoked this app") as refused:
            read(source, budget)
        assert refused.value.delay is not None
        assert 0 < refused.value.delay <= 60, (
            "short: checking costs no request, and a restart with a new key takes effect soon"
        )
        if logins(simulator) > last:
            tried.append(minute)
            last = logins(simulator)
        clock.advance(MINUTE)
    assert tried == [0, 5, 15, 35, 75, 135]
    assert budget.taken == simulator.counts()["total"] == len(tried) + 1, "plus the read whose token was not accepted"


def test_reading_resumes_when_the_key_is_accepted_again(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    revoke(simulator, times=2)
    for _ in range(2):
        with pytest.raises(LoginRefused):
            read(source)
        clock.advance(5 * MINUTE)
    with pytest.raises(LoginRefused):
        read(source)
    clock.advance(5 * MINUTE)
    assert read(source) == 1
    revoke(simulator, times=1)
    with pytest.raises(LoginRefused):
        read(source)
    clock.advance(5 * MINUTE)
    assert read(source) == 1, "the next refusal starts with the shortest pause"


def test_a_refusal_blocks_every_thread_that_is_not_logged_in(simulator: RedditSimulator, source: RedditSource) -> None:
    assert read(source) == 1
    simulator.faults.fail(401, times=1000, path="access_token")
    for _ in range(3):
        thread = threading.Thread(target=_refused, args=(source,))
        thread.start()
        thread.join()
    assert logins(simulator) == 2, "this thread's, and the first one of the others"
    assert read(source) == 1, "its token is still valid"


def _refused(source: RedditSource) -> None:
    with suppress(LoginRefused):
        read(source)


def test_other_failures_of_a_login_are_not_a_refusal(simulator: RedditSimulator, source: RedditSource) -> None:
    simulator.faults.fail(503, path="access_token")
    with pytest.raises(RetryableError) as fault:
        read(source)
    assert not isinstance(fault.value, LoginRefused)
    with pytest.raises(BudgetExhausted):
        read(source, RecordingBudget(tokens=0))
    assert read(source) == 1


def test_a_clock_that_is_set_back_blocks_no_login(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    revoke(simulator, times=1)
    with pytest.raises(LoginRefused):
        read(source)
    clock.advance(-86_400)
    assert read(source) == 1
