"""The same people as in ``fetch_world``, behind a real HTTP server: the simulator's, read through PRAW.

Either in virtual time, where only the way to Reddit differs, or by a process of its own in real time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from overheard.config import RedditSettings
from overheard.observability.metrics import ProcessMetrics
from overheard.simulators.http.exchange import SimulatedRequest, SimulatedResponse
from overheard.simulators.reddit import RedditSimulator
from overheard.simulators.reddit.application import TOKEN_PATH
from overheard.simulators.reddit.routes import reddit_path
from overheard.simulators.reddit.store import NumberHoles, SimulatedContent
from overheard.sources.reddit.clients import RedditClients
from overheard.sources.reddit.requestor import RequestPurpose
from tests.benchmarks.fetch_world import InProcessReddit

CLIENT_ID, CLIENT_SECRET = "bench", "bench-secret"


class WallClock:
    """Real time."""

    def __call__(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class PeopledSimulator(RedditSimulator):
    """A simulator in which ``receive`` is called before each request for data, with its path."""

    def __init__(self, receive: Callable[[str], None], **options: Any) -> None:
        super().__init__(clients={CLIENT_ID: CLIENT_SECRET}, **options)
        self._receive = receive

    def answer(self, request: SimulatedRequest) -> SimulatedResponse:
        """Answer any request."""
        if reddit_path(request) != TOKEN_PATH:
            self._receive(reddit_path(request))
        return super().answer(request)


class HttpReddit(InProcessReddit):
    """Reddit over HTTP. Use it only while it is ``served``."""

    simulator: PeopledSimulator

    @contextmanager
    def served(self) -> Iterator[None]:
        """Listen, and let ``get`` read from there as the program does."""
        with self.simulator:
            url = self.simulator.url.rstrip("/")
            settings = RedditSettings.model_validate(
                {
                    "client_id": CLIENT_ID,
                    "client_secret": CLIENT_SECRET,
                    "user_agent": "linux:overheard-bench:1 (by /u/bench)",
                    "reddit_url": url,
                    "oauth_url": url,
                }
            )
            self._http = RedditClients(settings, ProcessMetrics(CollectorRegistry()), self.clock)
            try:
                yield
            finally:
                self._http.close()

    def get(self, path: str, params: Mapping[str, str], call: RequestPurpose) -> object:
        """One request, and one for a login before the first."""
        return self._http.get(path, params, call)

    def arrive(self) -> None:
        """Let everything happen that people do until now; the server's threads may all ask for it."""
        with self._store.lock:
            super().arrive()

    def _content(self, holes: NumberHoles) -> SimulatedContent:
        self.simulator = PeopledSimulator(self._receive_one, seed=1, clock=self.clock, holes=holes)
        return self.simulator.store

    def _receive_one(self, path: str) -> None:
        self.receive(path.strip("/"))
        if self.fails():
            self.simulator.faults.fail(502)
