"""trigger: asks for a run by hand, through the same door as everybody."""

from __future__ import annotations

from overheard.bus.door import Events
from overheard.clock import Clock
from overheard.config import Config
from overheard.db import deliveries, feeds, workspaces
from overheard.db.connect import Db


def trigger(db: Db, config: Config, workspace: str, clock: Clock) -> float:
    """Ask for a run of the workspace; returns when it was asked for. Raises NotFound, Unavailable.

    On RabbitMQ it publishes ``workspace.due``. The embedded bus lives inside another process, so there the wish is
    left in the database, where that process's next tick finds it.
    """
    with db.session():
        row = workspaces.by_name(db, int(workspace) if workspace.isdecimal() else workspace)
        asked_at = clock()
        if config.bus.embedded:
            workspaces.make_due(db, row.id, asked_at)
            return asked_at
    events = Events(config.bus.address, name="overheard trigger")
    try:
        events.publish("workspace.due", {"workspace": row.id, "reason": "trigger"})
    finally:
        events.close()
    return asked_at


def is_done(db: Db, workspace_id: int, asked_at: float) -> bool:
    """Whether a run asked for at ``asked_at`` is over: every feed read since, or refused, and nothing left to send."""
    with db.session():
        return not feeds.unread_since(db, workspace_id, asked_at) and not deliveries.untried(db, workspace_id)
