"""ingress: turns public events into the stages' messages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from overheard.bus.event_batches import MERGED, OK, REFUSALS, STAGE, EventOutcome, IncomingEvent, refused
from overheard.bus.events import TYPE_OF, WorkspaceDigest, WorkspaceDue, message_id_for
from overheard.bus.sender import OutgoingMessage, Sender
from overheard.clock import Clock
from overheard.db import budgets, rechecks, refreshes, workspaces
from overheard.db.database import Db
from overheard.db.workspaces import WorkspaceRef
from overheard.errors import InvalidInput, NotFound
from overheard.messages import ComposeDigest, FetchWorkspace, Message, RecheckItems
from overheard.observability.log import bind, bound, get_logger, propagated
from overheard.sources.registry import lookup_sizes
from producers.demands import LOST_AFTER_SECONDS, Demand, Demands
from producers.requests import EventRequest, is_on_schedule, requests_of

TIDY_SECONDS = 5.0

log = get_logger(__name__)


class Ingress:
    """Handles events. ``fresh_for``: how old a reading, in seconds, serves a demand on schedule.

    With ``demands``, those that ask for a run wait for the one before them, and ``release`` sends them on. Without,
    every event becomes a message: for who is asked by the tick alone. ``triggers_per_hour`` bounds how often a
    workspace may be asked for by hand; events of one meaning that come together count once.
    """

    def __init__(
        self,
        *,
        db: Db,
        sender: Sender,
        clock: Clock,
        fresh_for: float,
        demands: Demands | None = None,
        triggers_per_hour: int | None = None,
    ) -> None:
        self.db = db
        self.sender = sender
        self.clock = clock
        self.fresh_for = fresh_for
        self.demands = demands
        self.triggers_per_hour = triggers_per_hour
        self._tidied = 0.0

    def handle(self, arrivals: Sequence[IncomingEvent]) -> list[EventOutcome]:
        """Send the events' messages; what became of each event. Raises RetryableError: then all are to come again.

        1. events of one meaning are one;
        2. demands that may go now, and those that have to wait, are noted in the database: a sweep finds what is lost
           from here on;
        3. the messages are sent, all together.

        What the tick asked for, for a workspace that is paused or gone by now, is let go.
        """
        began, now = time.monotonic(), self.clock()
        settled: list[EventOutcome] = [MERGED] * len(arrivals)
        batch = OutgoingBatch(now, self.fresh_for)
        with self.db.session():
            requests = requests_of(arrivals, settled)
            names = {name for each in requests if (name := getattr(each.event, "workspace", None))}
            named = workspaces.by_names(self.db, names)
            batch.served_at = refreshes.taken_up_at(self.db, {workspace.id for workspace in named.values()})
            for request in requests:
                with bound(**request.said):
                    self._take(request, named, batch, settled)
            self._note_demands(batch)
        self._send(batch, began)
        return settled

    def release(self, last: bool = False) -> bool:
        """Send on those demands that have waited long enough (the ``last`` time: all); whether others still wait.

        Raises RetryableError.
        """
        if self.demands is None:
            return False
        began, batch = time.monotonic(), OutgoingBatch(self.clock(), self.fresh_for)
        if waiting := self.demands.waiting:
            with self.db.session():
                self._release(self.demands, waiting, batch, last)
                self._note_demands(batch)
            self._send(batch, began)
        if not 0 <= batch.now - self._tidied < TIDY_SECONDS:
            self._tidied = batch.now
            self.demands.tidy(batch.now)
        return bool(self.demands.waiting)

    def _release(self, demands: Demands, waiting: list[Demand], batch: OutgoingBatch, last: bool) -> None:
        found = workspaces.by_names(self.db, {each.workspace_id for each in waiting})
        active = [workspace.id for workspace in found.values() if workspace.active]
        served_at = refreshes.taken_up_at(self.db, active)
        for demand in waiting:
            if demand.source not in served_at.get(demand.workspace_id, {}):
                reason = "paused, gone, or not watched"
                log.info("event passed over", stage=STAGE, events=demand.events, reason=reason, **demand.told)
                demands.drop(demand)
        for demand in demands.due(served_at, batch.now, last=last):
            batch.go(demand)

    def _take(
        self,
        request: EventRequest,
        named: dict[str | int, WorkspaceRef],
        batch: OutgoingBatch,
        settled: list[EventOutcome],
    ) -> None:
        try:
            taken = self._decide(request, named, batch)
        except REFUSALS as error:
            if not is_on_schedule(request.event):
                for at in request.at:
                    settled[at] = refused(error)
                return
            # It was paused or removed while the event was waiting. Nothing is lost: the tick asks for all that are
            # there. A dead letter of each would be many, after an outage.
            log.info("event passed over", reason="gone" if isinstance(error, NotFound) else "paused")
            taken = True
        if taken:
            settled[request.at[-1]] = OK

    def _decide(self, request: EventRequest, named: dict[str | int, WorkspaceRef], batch: OutgoingBatch) -> bool:
        """Put its message into the batch; False when it waits instead. Raises InvalidInput, NotFound."""
        event, now = request.event, batch.now
        if isinstance(event, WorkspaceDue):
            return self._demand(request, event, self._workspace(event.workspace, named), batch)
        if isinstance(event, WorkspaceDigest):
            workspace = self._workspace(event.workspace, named)
            batch.add(request, ComposeDigest(workspace_id=workspace.id, period_end=event.period_end or now))
        elif event.source not in lookup_sizes():
            raise InvalidInput(f"{event.source} cannot be asked about items; valid: {', '.join(lookup_sizes())}")
        elif event.item is None:
            batch.add(request, RecheckItems(source=event.source))  # it finds what is due, until nothing is
        else:
            claim = rechecks.claim_requested(self.db, event.source, event.item, now)
            batch.add(request, RecheckItems(source=claim.source, item_ids=claim.item_ids, lease=claim.lease))
        return True

    def _workspace(self, name: str | int, named: dict[str | int, WorkspaceRef]) -> WorkspaceRef:
        found = named.get(name)
        if found is None:
            row = workspaces.by_name(self.db, name)  # says what there is; or it was made a moment ago
            found = WorkspaceRef(row.id, row.slug, row.active)
        bind(workspace=found.slug)
        return found

    def _demand(
        self, request: EventRequest, event: WorkspaceDue, workspace: WorkspaceRef, batch: OutgoingBatch
    ) -> bool:
        if not workspace.active:
            raise InvalidInput(f"workspace {workspace.slug} is paused; `overheard workspace resume` starts it again")
        served_at = batch.served_at.get(workspace.id) or refreshes.taken_up_at(self.db, [workspace.id])[workspace.id]
        if event.source is not None and event.source not in served_at:
            its = ", ".join(served_at) or "no source"
            raise InvalidInput(f"workspace {workspace.slug} watches nothing of {event.source}; it watches {its}")
        by_hand = not is_on_schedule(event)
        pause = self._pause(workspace.id) if by_hand else 0.0
        if pause:
            log.warning("event waits: it is asked for too often", seconds=round(pause, 1), events=len(request.at))
        gone = False
        for source in [event.source] if event.source is not None else served_at:
            demand = Demand(
                workspace_id=workspace.id,
                source=source,
                by_hand=by_hand,
                reason=event.reason,
                message_id=message_id_for(request.message_id, source),
                told=propagated(),
                events=len(request.at),
            )
            gone |= self._admit(demand, served_at[source], pause, batch)
        return gone or not served_at

    def _admit(self, demand: Demand, served_at: float, pause: float, batch: OutgoingBatch) -> bool:
        """Put the demand's message into the batch; False when it waits instead."""
        if self.demands is None:
            verdict = "goes"
        elif pause:
            verdict = self.demands.hold(demand, batch.now, pause)
        else:
            verdict = self.demands.admit(demand, served_at, batch.now)
        if verdict == "goes":
            batch.go(demand)
        elif verdict == "waits":
            log.info("event waits for the one before", source=demand.source, events=demand.events)
            batch.waiting.append(demand)
        return verdict == "goes"

    def _pause(self, workspace_id: int) -> float:
        """Seconds until the workspace may be asked for by hand again; 0: now. What waits is not lost, but joined."""
        limit = self.triggers_per_hour
        if self.demands is None or limit is None or budgets.try_acquire_trigger(self.db, workspace_id, limit):
            return 0.0
        return 3600.0 / limit

    def _note_demands(self, batch: OutgoingBatch) -> None:
        """Those by hand: the tick has noted its own."""
        for source, going in _by_source(batch.going).items():
            refreshes.demand(self.db, going, batch.now, source=source)
        for source, waiting in _by_source(batch.waiting).items():
            # What runs now has begun before, and does not serve them: only what begins after they have gone does.
            turn = batch.now + LOST_AFTER_SECONDS
            refreshes.demand(self.db, waiting, batch.now, source=source, until=turn)
        if self.demands is not None:
            self.demands.noted(batch.waiting)

    def _send(self, batch: OutgoingBatch, began: float) -> None:
        self.sender.send_all(batch.parcels)
        if self.demands is not None:
            for demand in batch.going:
                self.demands.sent(demand, batch.now)
        ms = round((time.monotonic() - began) * 1000, 1)
        for parcel, said in zip(batch.parcels, batch.said, strict=True):
            log.info("event done", sent=parcel.message_id, ms=ms, **said)


class OutgoingBatch:
    """What events handled together come to: messages to send, and demands that go with them, or wait."""

    def __init__(self, now: float, fresh_for: float) -> None:
        self.now = now
        self.fresh_for = fresh_for
        self.served_at: Mapping[int, Mapping[str, float]] = {}  # by workspace and source
        self.parcels: list[OutgoingMessage] = []
        self.said: list[dict[str, Any]] = []  # in the log, of each parcel
        self.going: list[Demand] = []
        self.waiting: list[Demand] = []

    def add(self, request: EventRequest, message: Message) -> None:
        self._add(
            OutgoingMessage(message, request.message_id, propagated()),
            {**request.said, **propagated()},
            len(request.at),
        )

    def go(self, demand: Demand) -> None:
        self.going.append(demand)
        fresh_since = self.now if demand.by_hand else max(self.now - self.fresh_for, 0.0)
        message = FetchWorkspace(
            workspace_id=demand.workspace_id, source=demand.source, reason=demand.reason, fresh_since=fresh_since
        )
        said = {"stage": STAGE, "type": TYPE_OF[WorkspaceDue], **demand.told}
        self._add(OutgoingMessage(message, demand.message_id, demand.told), said, demand.events)

    def _add(self, parcel: OutgoingMessage, said: dict[str, Any], events: int) -> None:
        self.parcels.append(parcel)
        self.said.append({**said, "events": events} if events > 1 else said)


def _by_source(demands: Sequence[Demand]) -> dict[str, set[int]]:
    """Return the workspaces, by source, of the demands that were made by hand."""
    found: dict[str, set[int]] = {}
    for demand in demands:
        if demand.by_hand:
            found.setdefault(demand.source, set()).add(demand.workspace_id)
    return found
