"""Public events that came together: those of one meaning are one request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec

from overheard.bus.event_batches import RUN_MAX_CHARS, STAGE, EventOutcome, IncomingEvent, refused
from overheard.bus.events import AnyPublicEvent, PublicEvent, WorkspaceDigest, WorkspaceDue, message_id_of, parse
from overheard.errors import InvalidInput
from overheard.messages import ON_SCHEDULE


class EventRequest(msgspec.Struct, dict=True):
    """Events of one meaning: ``event`` is the newest of them; ``at`` where they stand among those that came."""

    event: AnyPublicEvent
    arrival: IncomingEvent
    at: list[int]

    @cached_property
    def message_id(self) -> str:
        # The publisher's own message id counts as the event's: a redelivered event is the same message again.
        event_id = self.event.event_id or self.arrival.message_id
        return message_id_of(msgspec.structs.replace(self.event, event_id=event_id))

    @property
    def said(self) -> dict[str, str]:
        """The event's id is the run's, which every line of the log bears from here to the last stage."""
        known = self.event.event_id or self.arrival.message_id or self.message_id
        return {"stage": STAGE, "type": self.arrival.key, "message_id": known, "run": known[:RUN_MAX_CHARS]}


def requests_of(arrivals: Sequence[IncomingEvent], settled: list[EventOutcome]) -> list[EventRequest]:
    """Return the requests that the events make; what cannot be read is refused in ``settled``."""
    requests: dict[PublicEvent, EventRequest] = {}
    for at, arrival in enumerate(arrivals):
        try:
            event = parse(arrival.key, arrival.body)
        except InvalidInput as error:
            settled[at] = refused(error)
            continue
        request = requests.setdefault(_meaning(event), EventRequest(event, arrival, []))
        request.event, request.arrival = event, arrival
        request.at.append(at)
    return list(requests.values())


def is_on_schedule(event: PublicEvent) -> bool:
    """Return whether the event is as the tick publishes it; others may do so too, and are asked again as little."""
    if isinstance(event, WorkspaceDue):
        return event.reason in ON_SCHEDULE
    return isinstance(event, WorkspaceDigest) and event.period_end is not None


def _meaning(event: PublicEvent) -> PublicEvent:
    """Return the event without who asks and why: equal for those that ask for the same."""
    if isinstance(event, WorkspaceDue):
        event = msgspec.structs.replace(event, reason=ON_SCHEDULE[0] if is_on_schedule(event) else "")
    return msgspec.structs.replace(event, event_id=None)
