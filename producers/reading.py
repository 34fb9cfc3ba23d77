"""The tick's step that follows the plan: it asks fetch to read each group of feeds when its time has come.

Only what the budget can serve until the next step is asked for, the most urgent first. So hardly anything waits in
fetch's queue, and a run that is requested by hand, which goes there too, begins at once.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping

import msgspec

from overheard.clock import Clock
from overheard.config import Config
from overheard.db import groups, reading, source_health
from overheard.db.database import Db
from overheard.db.reading import GroupState
from overheard.messages import FetchWorkspace
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import reading_plan, request_rates
from overheard.operations.reading_plan import SourcePlan
from overheard.reading.paging import pages
from overheard.sources.registry import SOURCES

log = get_logger(__name__)

PLAN_SECONDS = 30.0  # between two plans: rates change slowly, and a burst fills no listing in that time
REPACK_SECONDS = 600.0  # between two times that other groups are considered
# A source that has not answered for so long is down, and is asked for one group at a time until it answers.
DOWN_SECONDS = 10.0
PROBE_SECONDS = 30.0
LOST_SECONDS = 60.0  # a message that fetch has not served by then may be lost: the group is asked for again
PLANNED = "planned"  # the reason in the messages

Ask = Callable[[FetchWorkspace], object]


class _Course(msgspec.Struct):
    """The plan of one source that is followed, when it was made, and the interval of each feed's group."""

    plan: SourcePlan
    made_at: float
    repacked_at: float
    interests: int
    longest: Mapping[int, float]
    intervals: Mapping[int, tuple[float, float]]  # by feed: interval, new items a second of its group


class ReadingPlanner:
    """Follows the plan. ``ask`` sends a message to fetch; several ticks may follow it side by side."""

    def __init__(self, *, db: Db, clock: Clock, config: Config, ask: Ask, metrics: ProcessMetrics) -> None:
        self.db = db
        self.clock = clock
        self.config = config
        self.ask = ask
        self.metrics = metrics
        self._courses: dict[str, _Course] = {}
        self._probed_at: dict[str, float] = {}

    def step(self) -> int:
        """Ask for the groups that are due until the next step; return how many. Raises Unavailable."""
        return sum(self._follow(source) for source in reading_plan.planned_sources(self.config))

    def _most(self, source: str, now: float) -> int:
        """Return how many groups may be asked for now: one as a probe while the source is down."""
        health = source_health.state(self.db, source)
        if health.failing_since is not None and (health.retry_at or 0.0) > now:
            return 0
        if health.failing_since is None:
            return sys.maxsize
        if health.failing_for(now) < DOWN_SECONDS:
            return 1  # its last answer was an error: a passing one, or the first of many
        if 0.0 <= now - self._probed_at.get(source, -math.inf) < PROBE_SECONDS:
            return 0
        self._probed_at[source] = now
        return 1

    def _follow(self, source: str) -> int:
        now = self.clock()
        most = self._most(source, now)
        if not most:
            return 0
        course = self._course(source, now)
        ahead = self.config.tick.interval
        states = reading.free_groups(self.db, source, now)
        group_of = {feed.group_id: feed.id for feed in course.plan.feeds.values()}
        waiting = 0.0
        due: list[tuple[float, float, GroupState]] = []  # how urgent, pages, group
        for state in states:
            if state.id not in group_of or state.retry_at > now:
                continue
            interval, rate = course.intervals[group_of[state.id]]
            needed = pages(rate * (now - (state.fresh_at if state.behind else state.began_at)))
            if state.began_at < state.asked_at and now - state.asked_at < LOST_SECONDS:
                waiting += needed
                continue
            if state.behind or state.began_at + interval <= now + ahead / 2.0:
                due.append(((now - state.began_at) / interval, needed, state))
        affordable = self._affordable(source, ahead, course.plan.budget) - waiting
        asked = 0
        for _, needed, state in sorted(due, key=lambda each: -each[0]):
            if affordable <= 0.0 or asked == most:
                break
            affordable -= needed
            # Not delayed until its time: a delay ends by the clock of the machine that receives the message.
            if reading.ask(self.db, state, now):
                self.ask(FetchWorkspace(source=source, group_id=state.id, reason=PLANNED))
                asked += 1
        return asked

    def _affordable(self, source: str, ahead: float, planned: float) -> float:
        """Return how many requests fetch could make until the next step, without those that wait for their slots.

        A longer queue helps nothing: a run by hand has to wait for the readings of its feeds that it finds there. After
        a quiet time, readings may go twice as fast as planned; more of them would fill fetch's queue.
        """
        budget = SOURCES[source].budget(self.config)
        if budget is None:
            return math.inf
        return min(request_rates.patient_requests(self.db, budget, ahead), planned * 2.0 * ahead)

    def _course(self, source: str, now: float) -> _Course:
        course = self._courses.get(source)
        interests = reading.interests(self.db)
        if course is not None and now - course.made_at < PLAN_SECONDS and interests == course.interests:
            return course
        changed = course is None or interests != course.interests
        longest = reading_plan.longest_intervals(self.db, source, now) if changed or course is None else course.longest
        repack = course is None or course.plan.unread or now - course.repacked_at >= REPACK_SECONDS
        made = reading_plan.source_plan(self.db, source, self.config, longest, now=now, repack=repack)
        if self._regroup(source, made, longest):
            made = reading_plan.source_plan(self.db, source, self.config, longest, now=now, repack=False)
        intervals = {feed.id: (each.interval, each.rate) for each in made.plan.groups for feed in each.group.feeds}
        self._show(made)
        repacked_at = now if repack or course is None else course.repacked_at
        self._courses[source] = made_course = _Course(made, now, repacked_at, interests, longest, intervals)
        return made_course

    def _show(self, made: SourcePlan) -> None:
        plan = made.plan
        figures = {"bound": plan.bound, "demanded": plan.demanded, "planned": plan.requests, "budget": made.budget}
        for figure, requests in figures.items():
            self.metrics.reading_plan.labels(made.source, figure).set(requests)

    def _regroup(self, source: str, made: SourcePlan, longest: Mapping[int, float]) -> bool:
        """Give feeds new bins where the plan wants it, and bins to feeds without one; return True if any changed."""
        packings = [feeds for packing in made.plan.packing.values() for feeds in packing]
        # The old numbers are not used again: a group that still has one would join the wrong feeds.
        first = 1 + max((feed.bin or 0 for feed in made.feeds.values()), default=0)
        bins = {feed: number for number, feeds in enumerate(packings, start=first) for feed in feeds}
        if bins:
            log.info("feeds regrouped", stage="tick", source=source, groups=len(packings), feeds=len(bins))
        else:
            room = reading_plan.request_room(source, self.config)
            bins = reading_plan.placements(made.feeds.values(), longest, room)
        if bins:
            reading.set_bins(self.db, bins)
            groups.separate(self.db, source, self.clock())
        return bool(bins)
