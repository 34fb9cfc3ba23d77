"""The health of each source: its latest success, its refusals, and whether it refuses one feed or all of them.

A source gives the same response (403, say) for a private place, and for every place while the source itself has a
problem. The second must not back off every feed for half an hour.
"""

from __future__ import annotations

from collections import defaultdict, deque

from overheard.clock import Clock
from overheard.db import source_health
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, FeedRefused, LoginRefused, OverheardError, PermanentError, RetryableError
from overheard.sources import RequestTokens, SeveralClients, Source
from overheard.sources.registry import source_type

# Chosen, not measured: five private places in a row are unlikely, and a source that refuses everything shows it within
# five requests.
REFUSALS_IN_A_ROW = 5
REFUSALS_WITHIN_SECONDS = 60.0
PROBE_SECONDS = 30.0  # between two attempts at a refused feed while the source itself may be the cause


class SourceHealth:
    """What this process has seen of the sources; the database has what monitoring shows. Thread-safe."""

    def __init__(self, db: Db, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._succeeded_at: dict[str, float] = {}
        self._probe_failed_at: dict[str, float] = {}
        self._refusals: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REFUSALS_IN_A_ROW))

    def record_success(self, source: str) -> None:
        """Record that the source served a request."""
        self._succeeded_at[source] = self._clock()
        self._refusals[source].clear()
        source_health.record_read(self._db, source, self._clock())

    def record_refusal(self, source: str) -> None:
        """Record a refused request. Unless the source refuses all feeds, that is a response: the source is up."""
        self._refusals[source].append(self._clock())
        if not self.refuses_all_feeds(source):
            source_health.record_answer(self._db, source)

    def record_failure(self, source: str, error: OverheardError) -> None:
        """Record that the source did not respond, or that its response could not be read."""
        now = self._clock()
        until = now + (getattr(error, "delay", None) or 0.0)
        source_health.record_failure(self._db, source, str(error), now, until, revoked=isinstance(error, LoginRefused))

    def record_clients(self, source: Source) -> None:
        """Record which clients of a source with several it has served, and which it refuses."""
        if not isinstance(source, SeveralClients):
            return
        now = self._clock()
        for outcome in source.client_outcomes():
            if outcome.refusal is None:
                source_health.record_read(self._db, outcome.key, now)
            else:
                until = now + outcome.retry_in
                source_health.record_failure(self._db, outcome.key, outcome.refusal, now, until, revoked=True)

    def succeeded_since(self, source: str, at: float) -> bool:
        """Return True if the source has served a request at or after ``at``, or has no server that all places share."""
        return source_type(source).many_servers or self._succeeded_at.get(source, float("-inf")) >= at

    def refuses_all_feeds(self, source: str) -> bool:
        """Return True if so many requests in a row were refused that a single feed cannot be the cause."""
        if source_type(source).many_servers:
            return False
        latest = list(self._refusals[source])
        return len(latest) == REFUSALS_IN_A_ROW and latest[-1] - latest[0] <= REFUSALS_WITHIN_SECONDS

    def probe(self, name: str, source: Source, budget: RequestTokens) -> bool:
        """Request what always exists; return True if the source serves it. Skipped soon after a failed probe."""
        # Half: refused groups of one moment share a probe, and the retry after PROBE_SECONDS makes a new one even if
        # it comes a little early.
        if self._probe_failed_at.get(name, float("-inf")) > self._clock() - PROBE_SECONDS / 2:
            return False
        try:
            source.probe(budget)
        except (FeedRefused, BudgetExhausted, RetryableError, PermanentError):
            self._probe_failed_at[name] = self._clock()
            return False
        self.record_success(name)
        return True
