"""The plan of readings that the tick follows: made again now and then, and when what is watched changes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from overheard.config import Config
from overheard.db import reading, regrouping
from overheard.db.database import Db
from overheard.observability.log import get_logger
from overheard.observability.metrics import ProcessMetrics
from overheard.operations import reading_plan
from overheard.operations.reading_plan import SourcePlan
from overheard.reading.packing import BY_NUMBER_BIN

log = get_logger(__name__)

PLAN_SECONDS = 30.0  # between two plans: rates change slowly, and a burst fills no listing in that time
# Between two times that other groups are considered: soon at first, as the first readings show little of the rates.
REPACK_FIRST_SECONDS, REPACK_SECONDS = 60.0, 600.0


class GroupPace(msgspec.Struct, frozen=True):
    """How often a group is to be read, in seconds, and its new items a second.

    ``numbers``: that are looked up a second once it has joined those that are read by number; 0 for a listing.
    """

    interval: float
    rate: float
    numbers: float = 0.0


UNPLANNED = GroupPace(PLAN_SECONDS, 0.0)  # what backs off, from the end of that until the next plan


class CurrentPlan(msgspec.Struct, frozen=True):
    """The plan of one source that is followed now. ``budget``: the requests a second that it may use.

    ``paces``: of each group that has watched feeds. ``second_looks``: the requests a second that they may take. Gaps
    come first, as what they hold is known to be missing, but leave second looks their share of what is spare.
    """

    budget: float
    second_looks: float
    paces: Mapping[int, GroupPace]

    @classmethod
    def of(cls, made: SourcePlan) -> CurrentPlan:
        """Return what is followed of a plan. Feeds of one group have one pace; some may not have joined others yet."""
        of_feed = {feed.id: each for each in made.plan.groups for feed in each.group.feeds}
        rates: dict[int, float] = defaultdict(float)
        for feed in made.feeds.values():
            rates[feed.group_id] += feed.rate or 0.0
        paces = dict.fromkeys(rates, UNPLANNED)
        for feed in made.feeds.values():
            if (planned := of_feed.get(feed.id)) is not None:
                paces[feed.group_id] = GroupPace(planned.interval, rates[feed.group_id], planned.group.numbers)
        spare = max(made.budget - made.plan.requests, 0.0)
        looks = max(spare - made.other_work.gaps, min(made.other_work.second_looks, spare))
        return cls(made.budget, looks, paces)


class PlanMaker:
    """Makes the plan of one source, and gives it to the database which feeds are to be read together."""

    def __init__(self, source: str, *, db: Db, config: Config, metrics: ProcessMetrics) -> None:
        self.source = source
        self.db = db
        self.config = config
        self.metrics = metrics
        self._current: CurrentPlan | None = None
        self._made_at = self._repack_at = -math.inf
        self._repack_seconds = REPACK_FIRST_SECONDS
        self._interests = -1
        self._longest: Mapping[int, float] = {}
        self._unplanned: frozenset[int] = frozenset()
        self._new_groups = False

    def current(self, now: float) -> CurrentPlan:
        """Return the plan; make it again if it is old, or if what is watched or the groups have changed.

        Raises Unavailable.
        """
        interests = reading.interests(self.db)
        changed = interests != self._interests
        if self._current is None or changed or self._new_groups or now - self._made_at >= PLAN_SECONDS:
            if changed:
                self._longest = reading_plan.longest_intervals(self.db, self.source, now)
                self._interests = interests
            made = self._make(now)
            self._show(made)
            self._current, self._made_at, self._new_groups = CurrentPlan.of(made), now, False
        return self._current

    def notice(self, group_ids: Iterable[int]) -> None:
        """Have the next step make the plan again if it has no pace for one of the groups, and that is new.

        Such a group was divided from another one, or made for a new watch. Other groups without a pace are not watched.
        """
        unplanned = frozenset(group_ids) - (self._current.paces.keys() if self._current is not None else set())
        self._new_groups |= not unplanned <= self._unplanned
        self._unplanned = unplanned

    def _make(self, now: float) -> SourcePlan:
        made = self._planned(now, repack=False)
        # Not while feeds are read for the first time: of the others alone, the best groups would soon change again.
        if not made.unread and now >= self._repack_at:
            made = self._planned(now, repack=True)
            self._repack_at = now + self._repack_seconds
            self._repack_seconds = min(2.0 * self._repack_seconds, REPACK_SECONDS)
        return self._planned(now, repack=False) if self._regroup(made, now) else made

    def _planned(self, now: float, *, repack: bool) -> SourcePlan:
        return reading_plan.source_plan(self.db, self.source, self.config, self._longest, now=now, repack=repack)

    def _show(self, made: SourcePlan) -> None:
        plan = made.plan
        figures = {"bound": plan.bound, "demanded": plan.demanded, "planned": plan.requests, "budget": made.budget}
        for figure, requests in figures.items():
            self.metrics.reading_plan.labels(made.source, figure).set(requests)

    def _regroup(self, made: SourcePlan, now: float) -> bool:
        """Give feeds new bins where the plan wants it, and bins to feeds without one; return True if any changed."""
        packings = [feeds for packing in made.plan.packing.values() for feeds in packing]
        by_number = made.plan.by_number
        # The old numbers are not used again: a group that still has one would join the wrong feeds.
        first = 1 + max((feed.bin or 0 for feed in made.feeds.values()), default=BY_NUMBER_BIN)
        bins = {feed: number for number, feeds in enumerate(packings, start=first) for feed in feeds}
        bins |= dict.fromkeys(by_number, BY_NUMBER_BIN)
        if bins:
            numbers = {"groups": len(packings), "feeds": len(bins), "by_number": len(by_number)}
            log.info("feeds regrouped", stage="tick", source=self.source, **numbers)
        else:
            room = reading_plan.request_room(self.source, self.config)
            bins = reading_plan.placements(made.feeds.values(), self._longest, room)
        if bins:
            reading.set_bins(self.db, bins)
            regrouping.separate(self.db, self.source, now)
        for kind in {feed.kind for feed in made.feeds.values() if bins.get(feed.id, feed.bin) == BY_NUMBER_BIN}:
            regrouping.choose_by_number(self.db, self.source, kind)
        return bool(bins)
