"""Merge the public events of a batch that have one meaning into one request. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import msgspec

from overheard.bus.event_batches import RUN_MAX_CHARS, STAGE, EventOutcome, IncomingEvent, refused
from overheard.bus.events import AnyPublicEvent, PublicEvent, WorkspaceDigest, WorkspaceDue, message_id_of, parse
from overheard.errors import InvalidInput
from overheard.messages import ON_SCHEDULE


# dict=True: ``cached_property`` stores its value in the instance's ``__dict__``.
class EventRequest(msgspec.Struct, dict=True):
    """Events of one meaning: ``event`` is the newest of them, ``at`` are their positions in the batch."""

    event: AnyPublicEvent
    incoming: IncomingEvent
    at: list[int]

    @cached_property
    def message_id(self) -> str:
        # The AMQP message id stands in for a missing event id: a redelivered event becomes the same message.
        event_id = self.event.event_id or self.incoming.message_id
        return message_id_of(msgspec.structs.replace(self.event, event_id=event_id))

    @property
    def log_fields(self) -> dict[str, str]:
        """Return the log fields; the event's id is the ``run`` from here to the last stage."""
        run = self.event.event_id or self.incoming.message_id or self.message_id
        return {"stage": STAGE, "type": self.incoming.key, "message_id": run, "run": run[:RUN_MAX_CHARS]}


def requests_of(events: Sequence[IncomingEvent], outcomes: list[EventOutcome]) -> list[EventRequest]:
    """Return the requests of the events; set the outcome of each invalid event to a refusal."""
    requests: dict[PublicEvent, EventRequest] = {}
    for at, incoming in enumerate(events):
        try:
            event = parse(incoming.key, incoming.body)
        except InvalidInput as error:
            outcomes[at] = refused(error)
            continue
        request = requests.setdefault(_meaning(event), EventRequest(event, incoming, []))
        request.event, request.incoming = event, incoming
        request.at.append(at)
    return list(requests.values())


def is_on_schedule(event: PublicEvent) -> bool:
    """Return True if the event has the form of the tick's. One of another publisher is then handled like the tick's."""
    if isinstance(event, WorkspaceDue):
        return event.reason in ON_SCHEDULE
    return isinstance(event, WorkspaceDigest) and event.period_end is not None


def _meaning(event: PublicEvent) -> PublicEvent:
    """Return the event without its id and its reason by hand: equal for events of the same meaning."""
    if isinstance(event, WorkspaceDue):
        # The tick's reasons ask for the same: a due and a swept demand are one.
        event = msgspec.structs.replace(event, reason=ON_SCHEDULE[0] if is_on_schedule(event) else "")
    return msgspec.structs.replace(event, event_id=None)
