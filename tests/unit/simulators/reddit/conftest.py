"""A simulator over real HTTP, read with real PRAW and, where PRAW hides too much, with plain requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import praw
import pytest
import requests
from prawcore.sessions import FiniteRetryStrategy

from overheard.simulators.reddit import CLIENT_ID, CLIENT_SECRET, RedditSimulator

AGENT = "linux:overheard.tests:1.0 (by /u/simulator)"


class OneAttempt(FiniteRetryStrategy):
    """No retries: PRAW waits seconds between attempts, and these tests check single responses."""

    def should_retry_on_failure(self) -> bool:
        return False


def praw_of(simulator: RedditSimulator, **options: object) -> praw.Reddit:
    settings = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "user_agent": AGENT}
    settings |= {"reddit_url": simulator.url, "oauth_url": simulator.url, "check_for_updates": False}
    reddit = praw.Reddit(**(settings | options))
    reddit._core._retry_strategy_class = OneAttempt
    return reddit


class Bare:
    """Plain requests with a token, without retries, waits or rewriting."""

    def __init__(self, simulator: RedditSimulator) -> None:
        self.url = simulator.url
        self.session = requests.Session()
        self.session.headers["User-Agent"] = AGENT
        self.sign_in()

    def sign_in(self) -> None:
        form = {"grant_type": "client_credentials"}
        granted = self.post("api/v1/access_token", data=form, auth=(CLIENT_ID, CLIENT_SECRET)).json()
        self.session.headers["Authorization"] = f"bearer {granted['access_token']}"

    def get(self, path: str, **options: object) -> requests.Response:
        return self.session.get(self.url + path, allow_redirects=False, timeout=60, **options)

    def post(self, path: str, **options: object) -> requests.Response:
        return self.session.post(self.url + path, timeout=60, **options)

    def names(self, path: str) -> list[str]:
        return [child["data"]["name"] for child in self.get(path).json()["data"]["children"]]


@pytest.fixture
def make_simulator() -> Iterator[Callable[..., RedditSimulator]]:
    started: list[RedditSimulator] = []

    def make(**options: object) -> RedditSimulator:
        # PRAW spreads its requests over the budget: a large one keeps it from sleeping.
        started.append(RedditSimulator(**({"requests_per_minute": 1_000_000} | options)).start())
        return started[-1]

    yield make
    for simulator in started:
        simulator.stop()


@pytest.fixture
def simulator(make_simulator: Callable[..., RedditSimulator]) -> RedditSimulator:
    return make_simulator()


@pytest.fixture
def make_bare() -> Iterator[Callable[[RedditSimulator], Bare]]:
    opened: list[Bare] = []

    def make(simulator: RedditSimulator) -> Bare:
        opened.append(Bare(simulator))
        return opened[-1]

    yield make
    for bare in opened:
        bare.session.close()


@pytest.fixture
def bare(simulator: RedditSimulator, make_bare: Callable[[RedditSimulator], Bare]) -> Bare:
    return make_bare(simulator)


@pytest.fixture
def make_reddit() -> Iterator[Callable[..., praw.Reddit]]:
    opened: list[praw.Reddit] = []

    def make(simulator: RedditSimulator, **options: object) -> praw.Reddit:
        opened.append(praw_of(simulator, **options))
        return opened[-1]

    yield make
    for reddit in opened:
        reddit._core.close()


@pytest.fixture
def reddit(simulator: RedditSimulator, make_reddit: Callable[..., praw.Reddit]) -> praw.Reddit:
    return make_reddit(simulator)
