"""Holds back demands for runs, so that each workspace has at most one message per source waiting for fetch.

A demand asks for the feeds of one workspace and source. It is held back while fetch has not served the previous one;
demands that arrive meanwhile join it. Then a single message goes for all of them. So a workspace's share of fetch's
queue does not grow with the number of its events, and each demand still gets a poll that begins after it.

Two brakes act on a workspace with many events. Each event adds EVENT_SECONDS to the pause before its next message: that
spares fetch in a flood, and needs no setting. ``[limits] triggers_per_hour`` (``producers.ingress``) bounds the runs
that are requested by hand, because each costs requests to the source. Neither drops a demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

LOST_AFTER_SECONDS = 15.0  # a message that fetch has not served by then may be lost: the next one goes
# Unnoticeable for a single event; a flood reaches the longest pause at 500. Both are chosen, not measured.
EVENT_SECONDS = 0.01
LONGEST_PAUSE_SECONDS = 5.0


class Demand(msgspec.Struct, frozen=True):
    """Events that ask for a run of one workspace and source; ids, reason and log fields are the newest event's.

    ``by_hand``: the demand requires a new poll; one on schedule accepts a recent one. ``planned``: it is on a schedule
    that the plan of readings keeps by itself.
    """

    workspace_id: int
    source: str
    by_hand: bool
    reason: str
    message_id: str
    log_context: dict[str, Any]
    events: int = 1
    planned: bool = False

    @property
    def lane(self) -> tuple[int, str, bool]:
        """Return the key of its lane. By hand is separate: a message on schedule may be served by an older poll."""
        return self.workspace_id, self.source, self.by_hand


class DemandLane(msgspec.Struct):
    """The demands of one lane: its last message, its pause, and the demand held back, if any.

    ``recorded_until``: the database has the demand held back, as one made at that time. It covers the events until
    then; a later one has to be recorded again, as a poll may have served the record meanwhile.
    """

    sent_at: float
    pause_until: float
    held_back: Demand | None = None
    recorded_until: float = float("-inf")

    @property
    def latest(self) -> float:
        """Return the time by which the demand held back goes, whatever fetch does."""
        return max(self.sent_at + LOST_AFTER_SECONDS, self.pause_until)

    def is_free(self, served_at: float, now: float) -> bool:
        return now >= self.pause_until and (served_at >= self.sent_at or now >= self.latest)

    def join(self, demand: Demand, now: float) -> Literal["waits", "joins"]:
        """Hold the demand back, merged with the one held back already. "waits": it has to be recorded."""
        before = 0 if self.held_back is None else self.held_back.events
        self.held_back = msgspec.structs.replace(demand, events=demand.events + before)
        return "joins" if now < self.recorded_until else "waits"


class Demands:
    """The demands of one ingress process. Those held back are in the database, too: if it dies, a sweep finds them."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[int, str, bool], DemandLane] = {}

    def admit(self, demand: Demand, served_at: float, now: float) -> Literal["goes", "waits", "joins"]:
        """Return "goes" if the demand may be sent now (then call ``sent``), or hold it back.

        ``served_at``: when fetch last served a message of this workspace and source.
        """
        lane = self._lanes.get(demand.lane)
        # While a demand is held back, later ones join it: one that went at once would overtake it.
        if lane is None or (lane.held_back is None and lane.is_free(served_at, now)):
            return "goes"
        return lane.join(demand, now)

    def hold(self, demand: Demand, now: float, seconds: float) -> Literal["waits", "joins"]:
        """Hold the demand back for at least ``seconds``: its workspace has used up its triggers."""
        lane = self._lanes.setdefault(demand.lane, DemandLane(now, now))
        # Only the first sets the pause: else a steady stream of events would extend it without end.
        if lane.held_back is None:
            lane.pause_until = max(lane.pause_until, now + seconds)
        return lane.join(demand, now)

    def mark_recorded(self, demands: Iterable[Demand], until: float) -> None:
        """Mark demands as recorded in the database, as made at ``until``.

        Not before they are: a redelivered event has to record its demand again.
        """
        for demand in demands:
            self._lanes[demand.lane].recorded_until = until

    def sent(self, demand: Demand, now: float) -> None:
        """Start the lane's pause: the demand's message was sent."""
        pause = min(demand.events * EVENT_SECONDS, LONGEST_PAUSE_SECONDS)
        self._lanes[demand.lane] = DemandLane(now, now + pause)

    @property
    def held_back(self) -> list[Demand]:
        return [lane.held_back for lane in self._lanes.values() if lane.held_back is not None]

    def due(self, served_at: Mapping[int, Mapping[str, float]], now: float, *, last: bool = False) -> list[Demand]:
        """Return the demands held back that may go now; all if ``last``. ``served_at``: by workspace and source."""
        return [
            demand
            for demand in self.held_back
            if last or self._lanes[demand.lane].is_free(served_at[demand.workspace_id][demand.source], now)
        ]

    def drop(self, demand: Demand) -> None:
        """Remove the demand: its workspace is paused or gone, or watches the source no longer."""
        self._lanes.pop(demand.lane, None)

    def prune(self, now: float) -> None:
        """Remove idle lanes: nothing is held back, and the next demand would go at once."""
        # Until ``latest``, the last message of an idle lane can still hold back its next demand.
        self._lanes = {
            key: lane for key, lane in self._lanes.items() if lane.held_back is not None or now < lane.latest
        }
