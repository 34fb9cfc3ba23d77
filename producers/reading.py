"""The tick's step that follows the plan: it asks fetch to read each group of feeds when its time has come.

Only what the budget can serve until the next step is asked for, the most urgent first. So hardly anything waits in
fetch's queue, and a run that is requested by hand, which goes there too, begins at once. Second looks come last
(``second_looks.py``).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

from overheard.clock import Clock
from overheard.config import Config
from overheard.db import reading, source_health
from overheard.db.database import Db
from overheard.db.reading import GroupState
from overheard.db.source_health import SourceState
from overheard.messages import FetchWorkspace
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import reading_plan, request_rates
from overheard.reading.paging import pages, pages_by_number
from overheard.sources.registry import SOURCES
from producers.current_plan import CurrentPlan, PlanMaker
from producers.second_looks import SecondLooks

# A source that has not answered for so long is down, and is asked for one group at a time until it answers.
DOWN_SECONDS = 10.0
PROBE_SECONDS = 30.0
LOST_SECONDS = 60.0  # a message that fetch has not served by then may be lost: the group is asked for again
PLANNED = "planned"  # the reason in the messages

Ask = Callable[[FetchWorkspace], object]


class ReadingPlanner:
    """Follows the plans. ``ask`` sends a message to fetch; several ticks may follow them side by side."""

    def __init__(self, *, db: Db, clock: Clock, config: Config, ask: Ask, metrics: ProcessMetrics) -> None:
        self.db = db
        self.clock = clock
        self.config = config
        self.ask = ask
        sources = reading_plan.planned_sources(config)
        self._plans = {name: PlanMaker(name, db=db, config=config, metrics=metrics) for name in sources}
        self._looks = {name: SecondLooks(name, db=db, config=config, ask=ask, metrics=metrics) for name in sources}
        self._probed_at: dict[str, float] = {}
        self._tried: dict[str, set[int]] = {name: set() for name in sources}  # groups, since it was last readable

    def step(self) -> int:
        """Ask for the groups that are due until the next step; return how many. Raises Unavailable."""
        return sum(self._follow(source) for source in self._plans)

    def _most(self, source: str, health: SourceState, now: float) -> int:
        """Return how many groups may be asked for now: one as a probe while the source is down."""
        if health.failing_since is not None and (health.retry_at or 0.0) > now:
            return 0
        if health.failing_since is None:
            return sys.maxsize
        if health.failing_for(now) < DOWN_SECONDS:
            return 1  # its last answer was an error: a passing one, or the first of many
        return 0 if 0.0 <= now - self._probed_at.get(source, -math.inf) < PROBE_SECONDS else 1

    def _follow(self, source: str) -> int:
        now = self.clock()
        health = source_health.state(self.db, source)
        most = self._most(source, health, now)
        if not most:
            return 0
        plan = self._plans[source].current(now)
        due, waiting = self._due(source, plan, now)
        if most < sys.maxsize:
            due = self._untried(source, due)
        affordable = self._affordable(source, self.config.tick.interval, plan.budget) - waiting
        asked = 0
        for state, needed in due:
            if affordable <= 0.0 or asked == most:
                break
            affordable -= needed
            # Not delayed until its time: a delay ends by the clock of the machine that receives the message.
            if reading.ask(self.db, state, now):
                self.ask(FetchWorkspace(source=source, group_id=state.id, reason=PLANNED))
                asked += 1
                self._tried[source].add(state.id)
        if asked and health.failing_for(now) >= DOWN_SECONDS:  # not if the budget is blocked, and none was asked for
            self._probed_at[source] = now
        if most == sys.maxsize:
            self._tried[source].clear()
            asked += self._looks[source].step(plan, affordable, now)
        return asked

    def _untried(self, source: str, due: list[tuple[GroupState, float]]) -> list[tuple[GroupState, float]]:
        """Return what to try a source with that does not answer: in turn, as a single group may be all that fails."""
        untried = [each for each in due if each[0].id not in self._tried[source]]
        if not untried:
            self._tried[source].clear()
        return untried or due

    def _affordable(self, source: str, ahead: float, planned: float) -> float:
        """Return how many requests fetch could make until the next step, without those that wait for their slots.

        A longer queue helps nothing: a run by hand has to wait for the readings of its feeds that it finds there. After
        a quiet time, readings may go twice as fast as planned; more of them would fill fetch's queue.
        """
        budget = SOURCES[source].budget(self.config)
        if budget is None:
            return math.inf
        requests = request_rates.patient_requests(self.db, request_rates.usable(self.db, budget), ahead)
        return min(requests, planned * 2.0 * ahead)

    def _due(self, source: str, plan: CurrentPlan, now: float) -> tuple[list[tuple[GroupState, float]], float]:
        """Return the groups that are due until the next step and the pages that each needs, the most urgent first.

        And how many pages are needed by those that were asked for, and are not being read yet.
        """
        waiting = 0.0
        due: list[tuple[float, GroupState, float]] = []  # how urgent, group, pages
        free = reading.free_groups(self.db, source, now)
        self._plans[source].notice(state.id for state in free)
        for state in free:
            pace = plan.paces.get(state.id)
            if pace is None or state.retry_at > now:
                continue
            age = now - (state.fresh_at if state.behind else state.began_at)
            needed = pages_by_number(pace.numbers * age) if state.chosen else pages(pace.rate * age)
            if state.began_at < state.asked_at and now - state.asked_at < LOST_SECONDS:
                waiting += needed
            elif state.behind or state.began_at + pace.interval <= now + self.config.tick.interval / 2.0:
                due.append((age / pace.interval, state, needed))
        due.sort(key=lambda each: -each[0])
        return [(state, needed) for _, state, needed in due], waiting
