"""Manual runs: requested by the same public event as any other, and awaited in the database."""

from __future__ import annotations

import threading
import time

import msgspec

from overheard.bus.public_exchange import RabbitEvents
from overheard.db import delivery_backlog, feeds, mentions, schedules, workspaces
from overheard.db.database import Db
from overheard.errors import Conflict
from overheard.process import RunningProcess

POLL_SECONDS = 0.2  # polling, because SQLite cannot notify; short, because a command waits in a terminal
MISSED_TICKS = 3  # so `overheard run` may still be starting when the run is requested


class RequestedRun(msgspec.Struct, frozen=True):
    """A requested run. ``run`` is the event's id and the ``run`` of its log lines; None if the next tick starts it.

    ``last_mention`` is the id of the newest mention at the time of the request.
    """

    workspace_id: int
    slug: str
    at: float
    last_mention: int
    run: str | None


class CompletedRun(msgspec.Struct, frozen=True):
    """A complete run: its new mentions, and how many feeds were left out because their publishers want no poll yet.

    ``next_poll_at``: when the first of them may be read again; None without any.
    """

    mentions: int
    paused_feeds: int
    next_poll_at: float | None


def request_run(running: RunningProcess, workspace: str) -> RequestedRun:
    """Request a run of a workspace (slug or number). Raises NotFound, Unavailable, and Conflict if it is paused.

    On RabbitMQ this publishes ``workspace.due``. The embedded bus lives inside another process and cannot be reached,
    so the workspace is made due in the database, where that process's next tick finds it.
    """
    db, bus = running.db, running.config.bus
    row = workspaces.by_slug_or_number(db, workspace)
    if not row.active:
        raise Conflict(f"workspace {row.slug} is paused; to resume it: overheard workspace resume {row.slug}")
    # Both are read before the request: the run may be complete before the next statement.
    last, at, run = mentions.last_id(db), running.clock(), None
    if bus.embedded:
        schedules.make_due(db, row.id, at)
    else:
        events = RabbitEvents(bus.address, name="overheard trigger")
        try:
            run = events.publish("workspace.due", {"workspace": row.id, "reason": "trigger"})
        finally:
            events.close()
    return RequestedRun(row.id, row.slug, at, last, run)


def wait(running: RunningProcess, requested: RequestedRun, timeout: float) -> CompletedRun | None:
    """Wait for the end of the run and return its result, or None after ``timeout`` seconds.

    Or None sooner, if the run waits for a tick and none has started it for long: then nothing is running.

    A feed that its publisher does not want to be read yet (ttl, Cache-Control, [sources.feeds] min_interval) is as
    fresh as it can be, so the run does not wait for it.
    """
    # Monotonic: a clock that is set meanwhile must not end the wait, or prolong it.
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    db = running.db
    # Before the wait: a poll of this run sets the time of the next one, too.
    paused_feeds, next_poll_at = feeds.paused(db, requested.workspace_id, requested.at)
    while not _is_done(db, requested):
        if time.monotonic() > deadline or (requested.run is None and _is_stopped(running, requested)):
            return None
        pause.wait(POLL_SECONDS)
    new = mentions.count(db, requested.workspace_id, after_id=requested.last_mention)
    return CompletedRun(new, paused_feeds, next_poll_at)


def _is_stopped(running: RunningProcess, requested: RequestedRun) -> bool:
    """Return True if several ticks should have come since the request, and none has started the run."""
    patience = MISSED_TICKS * running.config.tick.interval
    is_late = running.clock() > requested.at + patience
    return is_late and schedules.is_due(running.db, requested.workspace_id, requested.at)


def _is_done(db: Db, requested: RequestedRun) -> bool:
    """Return True if every feed was read or refused since the request, and every delivery was tried.

    What a failing channel holds back does not count.
    """
    if feeds.has_unread(db, requested.workspace_id, requested.at):
        return False
    return not delivery_backlog.has_untried(db, requested.workspace_id, db.clock())
