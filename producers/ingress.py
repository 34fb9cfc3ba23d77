"""The ingress: turns public events into the stages' messages."""

from __future__ import annotations

import time
from collections.abc import Sequence

from overheard.bus.event_batches import MERGED, OK, REFUSALS, STAGE, EventOutcome, IncomingEvent, refused
from overheard.bus.events import WorkspaceDigest, WorkspaceDue, message_id_for
from overheard.bus.sender import Sender
from overheard.clock import Clock
from overheard.db import budgets, rechecks, refreshes, workspaces
from overheard.db.database import Db
from overheard.db.workspaces import WorkspaceRef
from overheard.errors import InvalidInput, NotFound
from overheard.messages import ComposeDigest, RecheckItems
from overheard.observability.log import bind, bound, get_logger, propagated
from overheard.operations.reading_plan import LONGEST_SECONDS, spacing_of
from overheard.sources.registry import lookup_sizes
from producers.demands import LOST_AFTER_SECONDS, Demand, Demands
from producers.outgoing_batch import OutgoingBatch
from producers.requests import EventRequest, is_on_schedule, requests_of
from producers.throttle import Throttle

PRUNE_SECONDS = 5.0  # between two removals of idle lanes; they cost only memory

log = get_logger(__name__)


class Ingress:
    """Handles public events. ``fresh_for``: how old a poll, in seconds, may be to serve a demand on schedule.

    With ``demands``, a demand for a run is held back until fetch has served the previous one, and ``release`` sends
    it. Without, every event becomes a message: for an ingress that only the tick uses. ``triggers_per_hour`` bounds the
    runs per workspace that are requested by hand; events of one meaning in one batch count once.
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
        self._prune_throttle = Throttle(PRUNE_SECONDS)

    def handle(self, events: Sequence[IncomingEvent]) -> list[EventOutcome]:
        """Send the events' messages; return each event's outcome. Raises RetryableError: retry the whole batch then.

        1. merge events of one meaning into one request;
        2. record the demands in the database, those that go and those held back: from here on, a sweep finds lost ones;
        3. send the messages, all together.

        An event of the tick's for a workspace that is paused or gone by now is skipped.
        """
        began, now = time.monotonic(), self.clock()
        # An event that was merged with a newer one keeps this outcome.
        outcomes: list[EventOutcome] = [MERGED] * len(events)
        batch = OutgoingBatch(now, self.fresh_for)
        with self.db.session():
            requests = requests_of(events, outcomes)
            names = {name for request in requests if (name := getattr(request.event, "workspace", None))}
            by_name = workspaces.by_names(self.db, names)
            batch.served_at = refreshes.served_at(self.db, {workspace.id for workspace in by_name.values()})
            for request in requests:
                with bound(**request.log_fields):
                    self._handle(request, by_name, batch, outcomes)
            self._record_demands(batch)
        self._send(batch, began)
        return outcomes

    def release(self, last: bool = False) -> bool:
        """Send the demands held back that may go now, or all if it is the ``last`` time.

        Returns True if others are still held back. Raises RetryableError.
        """
        if self.demands is None:
            return False
        began, batch = time.monotonic(), OutgoingBatch(self.clock(), self.fresh_for)
        if held_back := self.demands.held_back:
            with self.db.session():
                self._release(self.demands, held_back, batch, last)
                self._record_demands(batch)
            self._send(batch, began)
        if self._prune_throttle.allows(batch.now):
            self.demands.prune(batch.now)
        return bool(self.demands.held_back)

    def _release(self, demands: Demands, held_back: list[Demand], batch: OutgoingBatch, last: bool) -> None:
        existing = workspaces.by_names(self.db, {demand.workspace_id for demand in held_back})
        active = [workspace.id for workspace in existing.values() if workspace.active]
        served_at = refreshes.served_at(self.db, active)
        for demand in held_back:
            if demand.source not in served_at.get(demand.workspace_id, {}):
                reason = "paused, gone, or not watched"
                log.info("event skipped", stage=STAGE, events=demand.events, reason=reason, **demand.log_context)
                demands.drop(demand)
        for demand in demands.due(served_at, batch.now, last=last):
            batch.add_demand(demand)

    def _handle(
        self,
        request: EventRequest,
        by_name: dict[str | int, WorkspaceRef],
        batch: OutgoingBatch,
        outcomes: list[EventOutcome],
    ) -> None:
        try:
            goes = self._add_messages(request, by_name, batch)
        except REFUSALS as error:
            if not is_on_schedule(request.event):
                for at in request.at:
                    outcomes[at] = refused(error)
                return
            # The workspace was paused or removed while the event waited. Nothing is lost: the tick publishes events for
            # every active workspace. Dead-lettering each would flood the table after an outage.
            log.info("event skipped", reason="gone" if isinstance(error, NotFound) else "paused")
            goes = True
        if goes:
            outcomes[request.at[-1]] = OK

    def _add_messages(
        self, request: EventRequest, by_name: dict[str | int, WorkspaceRef], batch: OutgoingBatch
    ) -> bool:
        """Add the request's messages to the batch; return False if all are held back. Raises InvalidInput, NotFound."""
        event, now = request.event, batch.now
        if isinstance(event, WorkspaceDue):
            return self._add_demands(request, event, self._workspace(event.workspace, by_name), batch)
        if isinstance(event, WorkspaceDigest):
            workspace = self._workspace(event.workspace, by_name)
            batch.add(request, ComposeDigest(workspace_id=workspace.id, period_end=event.period_end or now))
        elif event.source not in lookup_sizes():
            raise InvalidInput(f"{event.source} cannot be asked about items; valid: {', '.join(lookup_sizes())}")
        elif event.item is None:
            batch.add(request, RecheckItems(source=event.source))  # the stage claims due items until none are left
        else:
            claim = rechecks.claim_requested(self.db, event.source, event.item, now)
            batch.add(request, RecheckItems(source=claim.source, item_ids=claim.item_ids, lease=claim.held_until))
        return True

    def _workspace(self, name: str | int, by_name: dict[str | int, WorkspaceRef]) -> WorkspaceRef:
        workspace = by_name.get(name)
        if workspace is None:
            row = workspaces.by_name(self.db, name)  # raises NotFound with a hint, unless it was created a moment ago
            workspace = WorkspaceRef(row.id, row.slug, row.active, row.every, row.timezone)
        bind(workspace=workspace.slug)
        return workspace

    def _add_demands(
        self, request: EventRequest, event: WorkspaceDue, workspace: WorkspaceRef, batch: OutgoingBatch
    ) -> bool:
        if not workspace.active:
            raise InvalidInput(f"workspace {workspace.slug} is paused; `overheard workspace resume` starts it again")
        # Missing if the workspace was created after the batch's own lookup.
        served_at = batch.served_at.get(workspace.id) or refreshes.served_at(self.db, [workspace.id])[workspace.id]
        if event.source is not None and event.source not in served_at:
            watched = ", ".join(served_at) or "no source"
            raise InvalidInput(f"workspace {workspace.slug} watches nothing of {event.source}; it watches {watched}")
        by_hand, now = not is_on_schedule(event), batch.now
        # Once per request, not per source: one trigger is one run, however many sources it reads.
        pause = self._pause(workspace.id) if by_hand else 0.0
        if pause:
            log.warning("event waits: triggers_per_hour is used up", seconds=round(pause, 1), events=len(request.at))
        planned = not by_hand and spacing_of(workspace.every, workspace.timezone, now) <= LONGEST_SECONDS
        goes = False
        for source in [event.source] if event.source is not None else served_at:
            demand = Demand(
                workspace_id=workspace.id,
                source=source,
                by_hand=by_hand,
                reason=event.reason,
                message_id=message_id_for(request.message_id, source),
                log_context=propagated(),
                events=len(request.at),
                planned=planned,
            )
            goes |= self._admit(demand, served_at[source], pause, batch)
        # A workspace that watches nothing has nothing to hold back: its event is done.
        return goes or not served_at

    def _admit(self, demand: Demand, served_at: float, pause: float, batch: OutgoingBatch) -> bool:
        """Add the demand's message to the batch; return False if the demand is held back."""
        if self.demands is None:
            verdict = "goes"
        elif pause:
            verdict = self.demands.hold(demand, batch.now, pause)
        else:
            verdict = self.demands.admit(demand, served_at, batch.now)
        if verdict == "goes":
            batch.add_demand(demand)
        elif verdict == "waits":
            log.info("event waits for the previous one", source=demand.source, events=demand.events)
            batch.held_back.append(demand)
        return verdict == "goes"

    def _pause(self, workspace_id: int) -> float:
        """Return the seconds to hold back a demand by hand: 0 while the workspace has triggers left.

        A demand over the limit is held back and merged with others, never dropped.
        """
        limit = self.triggers_per_hour
        if self.demands is None or limit is None or budgets.try_acquire_trigger(self.db, workspace_id, limit):
            return 0.0
        # By then the budget has one more token, even if it has just been emptied.
        return 3600.0 / limit

    def _record_demands(self, batch: OutgoingBatch) -> None:
        """Record the demands by hand in the database. The tick's own are recorded by the tick when it claims."""
        for source, going in _by_source(batch.going).items():
            refreshes.demand(self.db, going, batch.now, source=source)
        # A poll that runs now began before these events, and must not count as serving them.
        until = batch.now + LOST_AFTER_SECONDS
        for source, held_back in _by_source(batch.held_back).items():
            refreshes.demand(self.db, held_back, batch.now, source=source, until=until)
        if self.demands is not None:
            self.demands.mark_recorded(batch.held_back, until)

    def _send(self, batch: OutgoingBatch, began: float) -> None:
        self.sender.send_all(batch.messages)
        if self.demands is not None:
            for demand in batch.going:
                self.demands.sent(demand, batch.now)
        ms = round((time.monotonic() - began) * 1000, 1)
        for outgoing, log_fields in zip(batch.messages, batch.log_fields, strict=True):
            log.info("event done", sent=outgoing.message_id, ms=ms, **log_fields)


def _by_source(demands: Sequence[Demand]) -> dict[str, set[int]]:
    """Return the workspaces of the demands by hand, by source."""
    result: dict[str, set[int]] = {}
    for demand in demands:
        if demand.by_hand:
            result.setdefault(demand.source, set()).add(demand.workspace_id)
    return result
