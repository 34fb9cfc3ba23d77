"""Whether a refusal is about one feed, or about everybody.

A source answers alike (403, say) for a private place, and for every place while something is wrong with it. The second
must not put every feed away for half an hour.
"""

from __future__ import annotations

from collections import defaultdict, deque

import msgspec

from actors.reading import Reading
from overheard.clock import Clock
from overheard.errors import FeedRefused
from overheard.messages import FetchWorkspace
from overheard.sources import Budget

REFUSALS_IN_A_ROW = 5
WITHIN_SECONDS = 60.0


class Refused(msgspec.Struct, frozen=True):
    """A feed that was refused when asked for alone, first at ``at``; ``again``: not for the first time."""

    reading: Reading
    refusal: FeedRefused
    at: float
    again: bool


class Run(msgspec.Struct):
    """One message's work. ``refused``: feeds to be decided about when it ends.

    ``refused_at``: what is read now was refused before, first at that moment.
    """

    message: FetchWorkspace
    budget: Budget
    refused: list[Refused] = []
    refused_at: float | None = None


class Refusals:
    """What this process has seen of each source: its latest answer, and the refusals since. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered: dict[str, float] = {}
        self._probed: dict[str, float] = {}
        self._refused: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REFUSALS_IN_A_ROW))

    def refused(self, source: str) -> None:
        """It has refused a request."""
        self._refused[source].append(self._clock())

    def answered(self, source: str) -> None:
        """It has given what was asked for."""
        self._answered[source] = self._clock()
        self._refused[source].clear()

    def answered_since(self, source: str, at: float) -> bool:
        """Whether it has given something since that moment."""
        return self._answered.get(source, float("-inf")) >= at

    def answered_nothing(self, source: str) -> None:
        """It did not even give what is always there."""
        self._probed[source] = self._clock()

    def answered_nothing_since(self, source: str, at: float) -> bool:
        """Whether that was after this moment."""
        return self._probed.get(source, float("-inf")) > at

    def everybody(self, source: str) -> bool:
        """Whether it has refused so many requests in a row, and given nothing, that no single feed can be the cause."""
        latest = list(self._refused[source])
        return len(latest) == REFUSALS_IN_A_ROW and latest[-1] - latest[0] <= WITHIN_SECONDS
