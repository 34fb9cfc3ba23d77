"""The tick's step that has gaps filled: it asks fetch for them, and gives up those that cannot be filled."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from overheard.clock import Clock
from overheard.config import Config
from overheard.db import gap_filling, source_facts, source_health
from overheard.db.database import Db
from overheard.items import FeedKind
from overheard.messages import FetchWorkspace
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations.reading_plan import requests_per_second
from overheard.sources.registry import SOURCES, watchable
from overheard.sources.source_type import SourceType
from producers.throttle import Throttle

log = get_logger(__name__)

FILL = "fill"  # the reason in the messages
ASKED_LOST_SECONDS = 60.0  # a message that fetch has not served by then may be lost: the gaps are asked for again
REPORT_SECONDS = 60.0  # between two times that gaps are counted and given up: this looks at many rows
LOST_AFTER_SECONDS = 2 * 86400.0  # without being filled: by then, what it held is old. Chosen, not measured
# A gap that needs the whole budget for longer can never be filled beside the readings. Chosen, not measured.
AFFORDABLE_SECONDS = 6 * 3600.0
# Added to the reason of a lost gap.
TOO_OLD, TOO_LONG, UNNUMBERED = "too old to fill", "too long to fill", "cannot be filled"


class GapRequests:
    """Asks for gaps to be filled. ``ask`` sends a message to fetch; several ticks may do so side by side."""

    def __init__(
        self, *, db: Db, clock: Clock, config: Config, ask: Callable[[FetchWorkspace], object], metrics: ProcessMetrics
    ) -> None:
        self.db = db
        self.clock = clock
        self.config = config
        self.ask = ask
        self.metrics = metrics
        self._report_throttle = Throttle(REPORT_SECONDS)

    def step(self) -> int:
        """Ask for what has numbers left, of each source and kind; return how many messages were sent."""
        now = self.clock()
        if self._report_throttle.allows(now):
            self._give_up(now)
            self._show()
        return sum(self._ask(each, now) for each in SOURCES.values() if self._can_look_up(each))

    def _can_look_up(self, source: SourceType) -> bool:
        return source.numbered_size is not None and source.missing_setting(self.config) is None

    def _ask(self, source: SourceType, now: float) -> int:
        if source_health.state(self.db, source.name).failing_for(now) > 0.0:
            return 0  # its feeds' readings find out when it answers again
        asked = 0
        for kind in get_args(FeedKind):
            if gap_filling.ask(self.db, source.name, kind, now, ASKED_LOST_SECONDS):
                self.ask(FetchWorkspace(source=source.name, fill=kind, reason=FILL))
                asked += 1
        return asked

    def _give_up(self, now: float) -> None:
        old = now - LOST_AFTER_SECONDS
        for source in SOURCES.values():
            lost = {
                "age": gap_filling.give_up(self.db, source.name, TOO_OLD, found_before=old),
                "unnumbered": gap_filling.give_up(self.db, source.name, UNNUMBERED, found_before=old, numbered=False),
            }
            if self._can_look_up(source) and (budget := requests_per_second(self.db, source.name, self.config)):
                most = int(AFFORDABLE_SECONDS * budget) * (source.numbered_size or 0)
                lost["size"] = gap_filling.give_up(self.db, source.name, TOO_LONG, longer_than=most)
            for reason, count in lost.items():
                if count:
                    self.metrics.gaps_lost.labels(source.name, reason).inc(count)
                    log.warning("gaps lost", stage="tick", source=source.name, reason=reason, gaps=count)

    def _show(self) -> None:
        found = source_facts.open_gaps(self.db)
        for source in watchable():
            self.metrics.gaps_open.labels(source).set(found.get(source, 0))
            if SOURCES[source].numbered_size is not None:
                self.metrics.gap_numbers.labels(source).set(gap_filling.backlog(self.db, source))
