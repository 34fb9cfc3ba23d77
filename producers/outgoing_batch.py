"""The messages that a batch of public events becomes, collected before they are sent together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overheard.bus.event_batches import STAGE
from overheard.bus.events import TYPE_OF, WorkspaceDue
from overheard.messages import FetchWorkspace, Message
from overheard.observability.log import propagated
from overheard.operations.reading_plan import LONGEST_SECONDS
from overheard.sending import OutgoingMessage
from overheard.sources.registry import source_type
from producers.demands import Demand
from producers.requests import EventRequest


class OutgoingBatch:
    """Messages to send, and the demands that go with them or are held back.

    ``fresh_for``: how old a poll, in seconds, may be to serve a demand on schedule.
    """

    def __init__(self, now: float, fresh_for: float) -> None:
        self.now = now
        self.fresh_for = fresh_for
        self.served_at: Mapping[int, Mapping[str, float]] = {}  # by workspace and source
        self.messages: list[OutgoingMessage] = []
        self.log_fields: list[dict[str, Any]] = []  # of each message's log line
        self.going: list[Demand] = []
        self.held_back: list[Demand] = []

    def add(self, request: EventRequest, message: Message) -> None:
        """Add the message of a request."""
        outgoing = OutgoingMessage(message, request.message_id, propagated())
        self._add(outgoing, {**request.log_fields, **propagated()}, len(request.at))

    def add_demand(self, demand: Demand) -> None:
        """Add a demand's message to fetch."""
        self.going.append(demand)
        # By hand, what was posted up to now is wanted: no earlier poll can serve that.
        source = source_type(demand.source)
        # What is planned is read in time; only feeds that were never read, or that the plan has lost, need it.
        fresh_for = LONGEST_SECONDS if source.merged and demand.planned else min(self.fresh_for, source.fresh_for)
        fresh_since = self.now if demand.by_hand else max(self.now - fresh_for, 0.0)
        message = FetchWorkspace(
            workspace_id=demand.workspace_id, source=demand.source, reason=demand.reason, fresh_since=fresh_since
        )
        log_fields = {"stage": STAGE, "type": TYPE_OF[WorkspaceDue], **demand.log_context}
        self._add(OutgoingMessage(message, demand.message_id, demand.log_context), log_fields, demand.events)

    def _add(self, outgoing: OutgoingMessage, log_fields: dict[str, Any], events: int) -> None:
        self.messages.append(outgoing)
        self.log_fields.append({**log_fields, "events": events} if events > 1 else log_fields)
