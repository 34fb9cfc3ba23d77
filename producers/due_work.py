"""The tick's steps that publish what is due by schedule: workspaces, and their digests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from overheard.bus.public_exchange import EventPublisher
from overheard.clock import Clock
from overheard.config import TickSettings
from overheard.db import schedules
from overheard.db.database import Db
from overheard.db.schedules import DueWorkspace
from overheard.errors import InvalidInput
from overheard.observability.log import get_logger
from producers.due_times import next_digest, next_run
from producers.tick_steps import TickReport

log = get_logger(__name__)

CLAIM_WORKSPACES = 50  # at a time; a crash between claim and publish leaves at most as many to the sweep

Following = Callable[[DueWorkspace], float]
Claim = Callable[[Db, float, int, Following], Sequence[DueWorkspace]]


def publish(events: EventPublisher, type: str, **body: Any) -> None:
    """Publish an event, or log that it cannot be published."""
    try:
        events.publish(type, body)
    except InvalidInput as error:  # a row that validation should have refused; it must not stop the others (I6)
        log.error("event cannot be published", stage="tick", type=type, workspace=body["workspace"], exc_info=error)


class DueWork:
    """Claims what is due, a few at a time, and publishes each with a confirm."""

    def __init__(self, *, db: Db, events: EventPublisher, clock: Clock, settings: TickSettings) -> None:
        self.db = db
        self.events = events
        self.clock = clock
        self.settings = settings

    def workspaces(self, report: TickReport) -> None:
        """Publish due workspaces."""
        for workspace in self._claimed(schedules.claim_due, self._next_run):
            publish(self.events, "workspace.due", workspace=workspace.id, reason="due")
            report.due += 1

    def digests(self, report: TickReport) -> None:
        """Publish due digests."""
        for workspace in self._claimed(schedules.claim_digests, self._next_digest):
            publish(self.events, "workspace.digest", workspace=workspace.id, period_end=workspace.digest_at)
            report.digests += 1

    def _claimed(self, claim: Claim, following: Following) -> Iterator[DueWorkspace]:
        """Yield due workspaces, claimed a few at a time, until ``batch`` is reached."""
        count = 0
        while count < self.settings.batch:  # many schedules are due in the same second, such as 9:00
            claimed = claim(self.db, self.clock(), CLAIM_WORKSPACES, following)
            yield from claimed
            count += len(claimed)
            if len(claimed) < CLAIM_WORKSPACES:
                break

    def _next_run(self, due: DueWorkspace) -> float:
        return next_run(due, self.clock(), self.settings.jitter)

    def _next_digest(self, due: DueWorkspace) -> float:
        return next_digest(due, self.clock())
