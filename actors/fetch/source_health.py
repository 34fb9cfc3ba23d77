"""How each source does: its latest answer, its refusals, and whether a refusal is about one feed or about everybody.

A source gives the same answer (403, say) for a private place, and for every place while something is wrong with the
source. The second must not put every feed away for half an hour.
"""

from __future__ import annotations

from collections import defaultdict, deque

from overheard.clock import Clock
from overheard.db import source_health
from overheard.db.database import Db
from overheard.errors import BudgetExhausted, FeedRefused, LoginRefused, OverheardError, PermanentError, RetryableError
from overheard.sources import RequestTokens, Source

REFUSALS_IN_A_ROW = 5
WITHIN_SECONDS = 60.0
PROBE_SECONDS = 30.0  # between two tries of what was refused while it is not known whether everybody is


class SourceHealth:
    """What this process has seen of the sources; what monitoring is to see of it is in the database. Thread-safe."""

    def __init__(self, db: Db, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._answered: dict[str, float] = {}
        self._probed: dict[str, float] = {}
        self._refused: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REFUSALS_IN_A_ROW))

    def answered(self, source: str) -> None:
        """Note that it has given what was asked for."""
        self._answered[source] = self._clock()
        self._refused[source].clear()
        source_health.record_read(self._db, source, self._clock())

    def refused(self, source: str) -> None:
        """Note that it has refused a request: an answer, too, while it is not everybody that it refuses."""
        self._refused[source].append(self._clock())
        if not self.refuses_everybody(source):
            source_health.record_answer(self._db, source)

    def failed(self, source: str, fault: OverheardError) -> None:
        """Note that it did not answer, or not with what can be read."""
        now = self._clock()
        until = now + (getattr(fault, "delay", None) or 0.0)
        source_health.record_failure(self._db, source, str(fault), now, until, revoked=isinstance(fault, LoginRefused))

    def answered_since(self, source: str, at: float) -> bool:
        """Return whether it has given something since that moment."""
        return self._answered.get(source, float("-inf")) >= at

    def refuses_everybody(self, source: str) -> bool:
        """Return whether it refused so many requests in a row that no single feed can be the cause."""
        latest = list(self._refused[source])
        return len(latest) == REFUSALS_IN_A_ROW and latest[-1] - latest[0] <= WITHIN_SECONDS

    def probe(self, name: str, source: Source, budget: RequestTokens) -> bool:
        """Ask for what is always there, but not when that was in vain a moment ago; whether the source answers."""
        if self._probed.get(name, float("-inf")) > self._clock() - PROBE_SECONDS / 2:
            return False
        try:
            source.probe(budget)
        except (FeedRefused, BudgetExhausted, RetryableError, PermanentError):
            self._probed[name] = self._clock()
            return False
        self.answered(name)
        return True
