"""Several clients in turn, with real PRAW over real HTTP against the simulator, and budgets in the database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from overheard.db.budgets import DatabaseLimiter
from overheard.db.database import Db
from overheard.db.models import Budget
from overheard.db.token_rates import Rate
from overheard.errors import BudgetExhausted, LoginRefused, RetryableError
from overheard.permits import Permit, SparePermit
from overheard.simulators.reddit import RedditSimulator
from overheard.sources import ReadRequest, SeveralClients
from overheard.sources.reddit.names import client_key, client_name
from overheard.sources.reddit.source import RedditSource
from tests.fixtures import Clock
from tests.unit.sources.reddit_world import RawServer, RecordingBudget, http, new_metrics, sends, source_at

MINUTE = 60.0
NAMES = ("a", "b", "c")
WRONG_TOKEN = http('{"message": "Unauthorized", "error": 401}', 401)


@pytest.fixture
def simulator() -> Iterator[RedditSimulator]:
    with RedditSimulator(clients=dict.fromkeys(NAMES, "secret")) as made:
        made.add_post("python", "Hello")
        yield made


@pytest.fixture
def open_source(simulator: RedditSimulator, clock: Clock) -> Iterator[Callable[..., RedditSource]]:
    opened: list[RedditSource] = []

    def source(*names: str, **settings: Any) -> RedditSource:
        settings.setdefault("client", tuple({"client_id": name, "client_secret": "secret"} for name in names))
        opened.append(source_at(simulator.url, clock=clock, **{"client_id": "", "client_secret": ""} | settings))
        return opened[-1]

    yield source
    for each in opened:
        each.close()


@pytest.fixture
def source(open_source: Callable[..., RedditSource]) -> RedditSource:
    return open_source(*NAMES)


class RotatingBudget(RecordingBudget):
    """Names the budgets in turn, and records the choices."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0
        self.choices: list[tuple[str, ...]] = []

    def soonest(self, names: Sequence[str]) -> str:
        self.choices.append(tuple(names))
        self.last += 1
        return names[self.last % len(names)]


TURN = RotatingBudget()


@pytest.fixture(autouse=True)
def _first_turn() -> None:
    TURN.last = -1


def read(source: RedditSource, budget: Any = None) -> int:
    return len(source.read(ReadRequest(kind="posts", places=("python",)), budget or TURN).items)


def requests(simulator: RedditSimulator) -> list[int]:
    return [simulator.requests_of(name) for name in NAMES]


def test_requests_go_to_the_client_with_the_next_token(
    db_limiter: DatabaseLimiter, simulator: RedditSimulator, source: RedditSource
) -> None:
    for _ in range(12):
        assert read(source, permit(db_limiter)) == 1
    assert sum(requests(simulator)) == 12
    assert min(requests(simulator)) >= 3
    before = requests(simulator)
    assert simulator.counts()["by_endpoint"]["token"] == 3, "one login each"
    for name in NAMES[:2]:
        db_limiter.block(client_key(name), 300)
    for _ in range(3):
        read(source, permit(db_limiter))
    assert requests(simulator) == [*before[:2], before[2] + 3]
    db_limiter.block(client_key("c"), 30)
    with pytest.raises(BudgetExhausted) as exhausted:
        read(source, permit(db_limiter))
    assert exhausted.value.key == client_key("c"), "the one that is free first"


@pytest.fixture
def db_limiter(sqlite_db: Db) -> DatabaseLimiter:
    return DatabaseLimiter(sqlite_db, {"reddit": Rate(6000, 100)})


def permit(limiter: DatabaseLimiter) -> Permit:
    return Permit(limiter, client_key("a"), wait=lambda seconds: None, on_wait=lambda seconds: None)


def test_every_request_is_paid_for_by_its_own_client(
    db_limiter: DatabaseLimiter, sqlite_db: Db, simulator: RedditSimulator, source: RedditSource
) -> None:
    for _ in range(6):
        read(source, permit(db_limiter))
    keys = {key for (key,) in Budget.select(Budget.key).tuples().execute(sqlite_db.peewee)}
    assert keys == {client_key(name) for name in NAMES}
    remaining = dict(Budget.select(Budget.key, Budget.remaining).tuples().execute(sqlite_db.peewee))
    assert remaining == {client_key(name): 999.0 for name in NAMES}, "each has Reddit's count of its own"


def test_rechecks_use_the_spare_tokens_of_every_client(
    db_limiter: DatabaseLimiter, simulator: RedditSimulator, source: RedditSource
) -> None:
    db_limiter.observe(client_key("a"), 5.0, 300)  # it is in use elsewhere
    db_limiter.block(client_key("b"), 300)
    key, share = client_key("a"), f"recheck-{client_key('a')}"
    # The login's token and the request's are 10 ms apart.
    spare = SparePermit(db_limiter, key, share, wait=threading.Event().wait, on_wait=lambda seconds: None)
    assert source.look_up(["t3_1"], spare).absent == ("t3_1",)
    assert requests(simulator) == [0, 0, 1]


def test_the_single_keys_are_one_more_client(open_source: Callable[..., RedditSource]) -> None:
    both = open_source("a", client_id="b", client_secret="secret")
    assert list(both.client_names()) == [client_name("a"), client_name("b")]
    same = open_source("a", client_id="a", client_secret="other")
    assert list(same.client_names()) == [client_name("a")], "its budget must not count twice"


def test_a_revoked_client_leaves_the_turn_and_returns_by_itself(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    for _ in range(3):
        read(source)
    simulator.revoke("b")
    simulator.reset_counts()
    tried = []
    for minute in range(200):
        before = simulator.counts()["by_endpoint"].get("token", 0)
        assert read(source) == 1, "the others go on"
        if simulator.counts()["by_endpoint"].get("token", 0) > before:
            tried.append(minute)
        clock.advance(MINUTE)
    assert 60 <= tried[-1] - tried[-2] <= 63, "hourly at last, with an ordinary request"
    assert len(tried) <= 7
    assert requests(simulator)[1] == 1, "a revoked client costs nothing but its logins"
    for _ in range(6):
        read(source)
    assert set(TURN.choices[-3:]) == {(client_name("a"), client_name("c"))}, "nor is it chosen"
    simulator.restore("b")
    for _ in range(70):
        read(source)
        clock.advance(MINUTE)
    assert requests(simulator)[1] > 1


def test_only_when_all_are_refused_the_source_fails(
    simulator: RedditSimulator, source: RedditSource, clock: Clock
) -> None:
    assert read(source) == 1
    for name in ("a", "b"):
        simulator.revoke(name)
        assert read(source) == 1
    simulator.revoke("c")
    for _ in range(3):
        with pytest.raises(LoginRefused, match="revoked this app"):
            read(source)
    simulator.restore("b")
    clock.advance(5 * MINUTE)
    assert read(source) == 1


def test_a_client_that_is_asked_to_wait_leaves_its_request_to_another(
    simulator: RedditSimulator, source: RedditSource
) -> None:
    for _ in range(3):
        read(source)
    simulator.faults.fail(429, headers={"retry-after": "7"})
    budget = RotatingBudget()
    assert read(source, budget) == 1
    assert budget.blocked == [7.0]
    assert [len(names) for names in budget.choices] == [3, 2]
    simulator.faults.fail(429, times=3)
    with pytest.raises(RetryableError, match="too many requests"):
        read(source, RotatingBudget())


def test_other_failures_are_not_of_one_client(simulator: RedditSimulator, source: RedditSource) -> None:
    for _ in range(3):
        read(source)
    simulator.reset_counts()
    simulator.faults.fail(503)
    with pytest.raises(RetryableError, match="503"):
        read(source)
    assert simulator.counts()["total"] == 1


def test_outcomes_are_told_once(simulator: RedditSimulator, source: RedditSource, clock: Clock) -> None:
    assert isinstance(source, SeveralClients)
    for _ in range(3):
        read(source)
    simulator.revoke("b")
    for _ in range(3):
        read(source)
    told = {outcome.key: outcome for outcome in source.client_outcomes()}
    assert set(told) == {client_key(name) for name in NAMES}
    refused = told.pop(client_key("b"))
    assert refused.refusal is not None
    assert "revoked this app" in refused.refusal
    assert refused.retry_in == 5 * MINUTE
    assert all(outcome.refusal is None for outcome in told.values())
    assert source.client_outcomes() == []
    for name in ("a", "c"):
        simulator.revoke(name)
    for _ in range(3):
        with pytest.raises(LoginRefused):
            read(source)
    told = {outcome.key: outcome for outcome in source.client_outcomes()}
    assert client_key("b") not in told, "it was not tried again: another process may know better"
    assert len(told) == 2


def test_an_only_client_has_no_outcomes(simulator: RedditSimulator, open_source: Callable[..., RedditSource]) -> None:
    only = open_source("a")
    read(only)
    simulator.revoke("a")
    with pytest.raises(LoginRefused):
        read(only)
    assert only.client_outcomes() == []


def test_a_client_whose_tokens_are_refused_again_and_again_is_refused(clock: Clock) -> None:
    """Logins are accepted, and each token is not: the app is as good as revoked."""
    with RawServer(sends(WRONG_TOKEN)) as server:
        source = source_at(server.url, new_metrics(), clock=clock)
        for _ in range(2):
            with pytest.raises(RetryableError, match="does not accept its own token") as transient:
                read(source, RecordingBudget())
            assert not isinstance(transient.value, LoginRefused)
        for minutes in (5, 10, 20):
            made = len(server.heads)
            for _ in range(2):
                with pytest.raises(LoginRefused, match="refuses each token"):
                    read(source, RecordingBudget())
            assert 2 <= len(server.heads) - made <= 4, "once, and then not until the backoff is over"
            clock.advance(minutes * MINUTE)
        source.close()


def test_no_outcome_has_a_client_s_id_or_secret(clock: Clock) -> None:
    ids = {"canary-id-1": "canary-secret", "canary-id-2": "canary-secret"}
    with RedditSimulator(clients=ids) as other:
        clients = tuple({"client_id": name, "client_secret": "canary-wrong"} for name in ids)
        source = source_at(other.url, clock=clock, client=clients, client_id="", client_secret="")
        with pytest.raises(LoginRefused) as refused:
            read(source)
        assert "canary" not in f"{refused.value} {source.client_outcomes()}"
        source.close()
