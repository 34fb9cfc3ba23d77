"""A run by hand: asked for through the same door as every other, and waited for."""

from __future__ import annotations

import threading
import time

import msgspec

from overheard.bus.public_exchange import RabbitEvents
from overheard.db import delivery_backlog, feeds, mentions, schedules, workspaces
from overheard.db.database import Db
from overheard.errors import Conflict
from overheard.process import RunningProcess

POLL_SECONDS = 0.2


class AskedRun(msgspec.Struct, frozen=True):
    """A run that was asked for, when, and by which event: the ``run`` of its log lines. None: the next tick makes it.

    ``last_mention``: the newest one before it.
    """

    workspace_id: int
    slug: str
    at: float
    last_mention: int
    run: str | None


def ask(program: RunningProcess, workspace: str) -> AskedRun:
    """Ask for a run of the workspace, a slug or number. Raises NotFound, Unavailable, and Conflict when it is paused.

    On RabbitMQ it publishes ``workspace.due``. The embedded bus lives inside another process, so there the demand is
    left in the database, where that process's next tick finds it.
    """
    db, bus = program.db, program.config.bus
    row = workspaces.by_slug_or_number(db, workspace)
    if not row.active:
        raise Conflict(f"workspace {row.slug} is paused; to go on: overheard workspace resume {row.slug}")
    last, at, run = mentions.last_id(db), program.clock(), None
    if bus.embedded:
        schedules.make_due(db, row.id, at)
    else:
        events = RabbitEvents(bus.address, name="overheard trigger")
        try:
            run = events.publish("workspace.due", {"workspace": row.id, "reason": "trigger"})
        finally:
            events.close()
    return AskedRun(row.id, row.slug, at, last, run)


def wait(db: Db, asked: AskedRun, timeout: float) -> int | None:
    """Return how many mentions the run has found when it is over; None when it is not after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not _is_done(db, asked):
        if time.monotonic() > deadline:
            return None
        pause.wait(POLL_SECONDS)
    return mentions.count(db, asked.workspace_id, after_id=asked.last_mention)


def _is_done(db: Db, asked: AskedRun) -> bool:
    """Every feed read since, or refused, and nothing left to send."""
    if feeds.has_unread(db, asked.workspace_id, asked.at):
        return False
    return not delivery_backlog.has_untried(db, asked.workspace_id)
