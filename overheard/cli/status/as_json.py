"""``overheard status --format json``: a stable contract. All keys are always present; unknown values are null."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from overheard.cli import source_table
from overheard.cli.durations import rfc3339
from overheard.operations.database_state import DatabaseState
from overheard.operations.facts import SystemState
from overheard.operations.problems import Problem, is_healthy

TIME_KEYS = {
    "since",
    "retry_at",
    "overdue_since",
    "began",
    "begun_at",
    "delivered_at",
    "read_at",
    "failing_since",
}


# The keys that come from the database. They are older than the names of the attributes.
DATABASE_KEYS: dict[str, Callable[[DatabaseState], Any]] = {
    "last_tick_at": lambda stored: rfc3339(stored.last_tick_at),
    "workspaces": lambda stored: {"active": stored.active, "paused": stored.paused},
    "waiting_longest": lambda stored: _with_iso_times(stored.waiting),
    "oldest_work_seconds": lambda stored: stored.ages,
    "feeds": lambda stored: stored.feeds,
    "feed_lag_seconds": lambda stored: stored.lag,
    "coverage_gaps": lambda stored: stored.gaps,
    "failing_feeds": lambda stored: _with_iso_times(stored.refused),
    "reddit": lambda stored: {
        "remaining": stored.remaining,
        "booked_seconds": stored.booked,
        **_with_iso_times(stored.reddit),
        "failing_seconds": stored.reddit.failing_for(stored.at),
    },
    "sources": lambda stored: [source_table.as_json(report) for report in stored.source_reports],
    "channels": lambda stored: stored.channels,
    "sick_channels": lambda stored: _with_iso_times(stored.unhealthy_channels),
    "deliveries": lambda stored: _with_iso_times(stored.deliveries),
    "dead_letters": lambda stored: stored.dead_letters,
    "canary": lambda stored: _with_iso_times(stored.canary),
}


def as_json(facts: SystemState, problems: list[Problem]) -> dict[str, Any]:
    """Return one object. Times are RFC 3339, durations seconds, memory bytes."""
    stored = facts.stored
    return {
        "healthy": is_healthy(problems),
        # Like some other keys (door), it keeps the name that scripts already read.
        "troubles": [{"severe": each.severe, "what": each.message, "do": each.remedy} for each in problems],
        "at": rfc3339(facts.now),
        **{key: value(stored) if stored is not None else None for key, value in DATABASE_KEYS.items()},
        "queues": facts.queues,
        "door": facts.event_queues,
        "processes": _with_iso_times(facts.processes),
        "database_fault": facts.database_fault,
        "bus_fault": facts.bus_fault,
        "supervised": facts.supervised,
        "supervisor_fault": facts.supervisor_fault,
        "backed_up": rfc3339(facts.backed_up),
    }


def _with_iso_times(value: Any) -> Any:
    """Return structs as plain values, with their times as RFC 3339."""
    plain = msgspec.to_builtins(value)
    for row in plain if isinstance(plain, list) else [plain or {}]:
        row.update((name, rfc3339(row[name])) for name in TIME_KEYS & row.keys())
    return plain
