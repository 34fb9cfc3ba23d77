"""The tick's step that has fetch ask sources for the places that are watched: daily, and when one is absent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from overheard.clock import Clock
from overheard.config import Config
from overheard.db import place_checks, source_health
from overheard.db.database import Db
from overheard.messages import FetchWorkspace
from overheard.sources.registry import SOURCES
from producers.throttle import Throttle

ASK_SECONDS = 15.0  # between two messages for a source: one is handled by then, or finds no spare token
REASON = "places"  # in the messages


class PlaceChecker:
    """Asks for checks of places. ``ask`` sends a message to fetch; several ticks may do so side by side."""

    def __init__(self, *, db: Db, clock: Clock, config: Config, ask: Callable[[FetchWorkspace], object]) -> None:
        self.db = db
        self.clock = clock
        self.config = config
        self.ask = ask
        self._throttles = defaultdict[str, Throttle](lambda: Throttle(ASK_SECONDS))  # by source

    def step(self) -> int:
        """Send a message for each source that has places to be asked for; return how many. Raises Unavailable."""
        return sum(
            self._step(source.name, source.places_size)
            for source in SOURCES.values()
            if source.places_size is not None and source.missing_setting(self.config) is None
        )

    def _step(self, source: str, size: int) -> bool:
        now = self.clock()
        if not self._throttles[source].allows(now):
            return False
        if source_health.state(self.db, source).failing_since is not None:
            return False  # it can wait
        places = place_checks.due(self.db, source, now, size)
        if places:
            self.ask(FetchWorkspace(source=source, places=tuple(places), reason=REASON))
        return bool(places)
