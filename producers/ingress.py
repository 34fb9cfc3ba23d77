"""ingress: turns public events into the stages' messages."""

from __future__ import annotations

import time

import msgspec

from overheard.bus.events import Event, ItemRecheck, WorkspaceDigest, WorkspaceDue, message_id_of, parse
from overheard.bus.intake import LONGEST_RUN
from overheard.bus.sender import Sends
from overheard.clock import Clock
from overheard.db import rechecks, workspaces
from overheard.db.connect import Db
from overheard.errors import InvalidInput, NotFound
from overheard.log import about, get_logger, note
from overheard.messages import ON_SCHEDULE, ComposeDigest, FetchWorkspace, Message, RecheckItems

log = get_logger(__name__)


class Ingress:
    """Handles one event at a time. ``fresh_for``: how old a reading, in seconds, serves a demand on schedule."""

    def __init__(self, *, db: Db, sender: Sends, clock: Clock, fresh_for: float) -> None:
        self.db = db
        self.sender = sender
        self.clock = clock
        self.fresh_for = fresh_for

    def handle(self, routing_key: str, body: bytes, message_id: str | None) -> None:
        """Send the event's message. Raises InvalidInput or NotFound (to be rejected), TryAgain (to be kept).

        What the tick asked for, for a workspace that is paused or gone by now, is let go.

        The event's id is the run's, which every line of the log bears from here to the last stage.
        """
        began = time.monotonic()
        event = parse(routing_key, body)
        # The publisher's own message id counts as the event's: a redelivered event is the same message again.
        known = event.event_id or message_id
        ours = message_id_of(_identified(event, known))
        with about(stage="ingress", type=routing_key, message_id=known or ours, run=(known or ours)[:LONGEST_RUN]):
            try:
                with self.db.session():
                    message = self._message(event)
            except (InvalidInput, NotFound) as error:
                if not _on_schedule(event):
                    raise
                # It was paused or removed while the event was waiting. Nothing is lost: the tick asks for whoever is
                # there. A letter of each would be many, after an outage.
                log.info("event passed over", reason="gone" if isinstance(error, NotFound) else "paused")
                return
            sent = self.sender.send(message, message_id=ours)
            log.info("event done", sent=sent, ms=round((time.monotonic() - began) * 1000, 1))

    def _message(self, event: Event) -> Message:
        now = self.clock()
        if isinstance(event, WorkspaceDue):
            workspace = workspaces.by_name(self.db, event.workspace)
            note(workspace=workspace.slug)
            if not workspace.active:
                raise InvalidInput(
                    f"workspace {workspace.slug} is paused; `overheard workspace resume` starts it again"
                )
            on_schedule = _on_schedule(event)
            if not on_schedule:  # the tick has noted its own demands
                workspaces.demand(self.db, workspace.id, now)
            fresh_since = max(now - self.fresh_for, 0.0) if on_schedule else now
            return FetchWorkspace(workspace_id=workspace.id, reason=event.reason, fresh_since=fresh_since)
        if isinstance(event, WorkspaceDigest):
            workspace = workspaces.by_name(self.db, event.workspace)
            note(workspace=workspace.slug)
            return ComposeDigest(workspace_id=workspace.id, period_end=event.period_end or now)
        if isinstance(event, ItemRecheck):
            if event.item is None:
                return RecheckItems()  # the stage finds what is due, and goes on until nothing is
            batch = rechecks.wish(self.db, event.item, now)
            return RecheckItems(item_ids=batch.item_ids, lease=batch.lease)
        raise InvalidInput(f"nobody here works on {type(event).__name__}")


def _on_schedule(event: Event) -> bool:
    """Whether it is as the tick publishes it; others may do so too, and are asked again as little."""
    if isinstance(event, WorkspaceDue):
        return event.reason in ON_SCHEDULE
    return isinstance(event, WorkspaceDigest) and event.period_end is not None


def _identified(event: Event, event_id: str | None) -> Event:
    if event_id is None or event.event_id is not None:
        return event
    return msgspec.structs.replace(event, event_id=event_id)
