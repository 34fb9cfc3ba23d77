"""Compute when a workspace's next run and digest are due; an unreadable schedule stops no other workspace (I6)."""

from __future__ import annotations

import random

from overheard import schedule
from overheard.db.schedules import DueWorkspace
from overheard.observability.log import get_logger
from overheard.workspaces import DEFAULT_DIGEST

UNREADABLE_SCHEDULE = "1h"  # the interval of a workspace whose schedule cannot be read
MAX_JITTER_SHARE = 0.1  # of the interval, so that frequent schedules keep their pace

log = get_logger(__name__)


def next_run(due: DueWorkspace, now: float, jitter: float) -> float:
    """Return the next due time of a workspace's run, moved by up to ``jitter`` seconds."""
    following = _following(due, due.every, UNREADABLE_SCHEDULE, now)
    # Every */5 schedule is due in the same second: spread them a little, so that waits for the budget stay short.
    return following + random.uniform(0, min(jitter, MAX_JITTER_SHARE * (following - now)))


def next_digest(due: DueWorkspace, now: float) -> float:
    """Return the next due time of a workspace's digest."""
    return _following(due, due.digest or DEFAULT_DIGEST, DEFAULT_DIGEST, now)


def _following(due: DueWorkspace, text: str, fallback: str, now: float) -> float:
    try:
        return schedule.next_due(text, due.timezone, now)
    except Exception as error:
        # Schedules are validated when saved, but this machine's time zones may differ. Whatever the libraries raise, it
        # must not stop the other workspaces.
        log.error("schedule cannot be read", stage="tick", workspace=due.slug, exc_info=error)
        return schedule.next_due(fallback, "UTC", now)
