"""trigger: asks for a run by hand, through the same door as everybody."""

from __future__ import annotations

import msgspec

from overheard.bus.door import Events
from overheard.clock import Clock
from overheard.config import Config
from overheard.db import deliveries, feeds, workspaces
from overheard.db.connect import Db


class Asked(msgspec.Struct, frozen=True):
    """When a run was asked for, and by which event: the ``run`` of its log lines. None: the next tick makes it."""

    at: float
    run: str | None = None


def trigger(db: Db, config: Config, workspace: str, clock: Clock) -> Asked:
    """Ask for a run of the workspace. Raises NotFound, Unavailable.

    On RabbitMQ it publishes ``workspace.due``. The embedded bus lives inside another process, so there the wish is
    left in the database, where that process's next tick finds it.
    """
    with db.session():
        row = workspaces.by_slug_or_number(db, workspace)
        asked_at = clock()
        if config.bus.embedded:
            workspaces.make_due(db, row.id, asked_at)
            return Asked(asked_at)
    events = Events(config.bus.address, name="overheard trigger")
    try:
        run = events.publish("workspace.due", {"workspace": row.id, "reason": "trigger"})
    finally:
        events.close()
    return Asked(asked_at, run)


def is_done(db: Db, workspace_id: int, asked_at: float) -> bool:
    """Whether a run asked for at ``asked_at`` is over: every feed read since, or refused, and nothing left to send."""
    with db.session():
        return not feeds.unread_since(db, workspace_id, asked_at) and not deliveries.untried(db, workspace_id)
