"""Which demands for runs go to fetch at once, and which wait for the one before them: a workspace's share of fetch.

A demand is for a workspace's feeds of one source. It waits while the last one has not been taken up by fetch; what
comes meanwhile joins it. When that one is done with, a single message goes for all that wait. So a workspace has one
message of each source waiting, however often it is asked for, and each demand gets a reading that begins after it. A
workspace that is asked for very often waits a little longer each time: each event costs it a hundredth of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

LOST_AFTER_SECONDS = 15.0  # a message that fetch has not taken up by then may be lost: another one goes
EVENT_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 5.0


class Demand(msgspec.Struct, frozen=True):
    """Events that ask for a run of one workspace and source, and the newest one's ids.

    ``by_hand``: it wants a new reading.
    """

    workspace_id: int
    source: str
    by_hand: bool
    reason: str
    message_id: str
    told: dict[str, Any]
    events: int = 1

    @property
    def lane(self) -> tuple[int, str, bool]:
        """Demands on schedule and by hand do not wait for each other: the former's message may be content with less."""
        return self.workspace_id, self.source, self.by_hand


class DemandLane(msgspec.Struct):
    """When the last message went, until when there is a pause, what waits, and whether the database knows of it."""

    sent_at: float
    pause_until: float
    waiting: Demand | None = None
    noted: bool = False

    @property
    def latest(self) -> float:
        """When what waits goes at the latest."""
        return max(self.sent_at + LOST_AFTER_SECONDS, self.pause_until)

    def is_free(self, served_at: float, now: float) -> bool:
        return now >= self.pause_until and (served_at >= self.sent_at or now >= self.latest)

    def join(self, demand: Demand) -> Literal["waits", "joins"]:
        """Let it wait: one demand stands for all that wait. "waits": it is to be noted in the database."""
        before = 0 if self.waiting is None else self.waiting.events
        self.waiting = msgspec.structs.replace(demand, events=demand.events + before)
        return "joins" if self.noted else "waits"


class Demands:
    """The demands of one ingress process. What waits here is in the database too: if this process dies, it is swept."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, str, bool], DemandLane] = {}

    def admit(self, demand: Demand, served_at: float, now: float) -> Literal["goes", "waits", "joins"]:
        """Whether it goes now (then tell ``sent``), waits for the one before, or joins what waits already."""
        lane = self._lanes.get(demand.lane)
        if lane is None or (lane.waiting is None and lane.is_free(served_at, now)):
            return "goes"
        return lane.join(demand)

    def hold(self, demand: Demand, now: float, seconds: float) -> Literal["waits", "joins"]:
        """Let it wait for so long at least: its workspace is asked for more often than it may be."""
        lane = self._lanes.setdefault(demand.lane, DemandLane(now, now))
        if lane.waiting is None:
            lane.pause_until = max(lane.pause_until, now + seconds)
        return lane.join(demand)

    def noted(self, demands: Iterable[Demand]) -> None:
        """The database knows that these wait: until then, an event that comes again has to be noted again."""
        for demand in demands:
            self._lanes[demand.lane].noted = True

    def sent(self, demand: Demand, now: float) -> None:
        """Its message has gone."""
        pause = min(demand.events * EVENT_SECONDS, LONGEST_PAUSE_SECONDS)
        self._lanes[demand.lane] = DemandLane(now, now + pause)

    @property
    def waiting(self) -> list[Demand]:
        return [lane.waiting for lane in self._lanes.values() if lane.waiting is not None]

    def due(self, served_at: Mapping[int, Mapping[str, float]], now: float, *, last: bool = False) -> list[Demand]:
        """Those that wait and may go now; the ``last`` time, all. ``served_at``: by workspace and source."""
        return [
            each
            for each in self.waiting
            if last or self._lanes[each.lane].is_free(served_at[each.workspace_id][each.source], now)
        ]

    def drop(self, demand: Demand) -> None:
        """It is no longer wanted."""
        self._lanes.pop(demand.lane, None)

    def tidy(self, now: float) -> None:
        """Forget those of which nothing waits any more, nor has to."""
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.waiting is not None or now < lane.latest}
