"""``overheard status --format json``: a stable form; its keys are always there, null for what is not known now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from overheard.cli.durations import rfc3339
from overheard.operations.facts import Facts, StoredFacts
from overheard.operations.problems import Problem, is_healthy

MOMENTS = {
    "since",
    "retry_at",
    "overdue_since",
    "began",
    "begun_at",
    "delivered_at",
    "read_at",
    "failing_since",
}


# What is known from the database, by its key.
STORED: dict[str, Callable[[StoredFacts], Any]] = {
    "last_tick_at": lambda stored: rfc3339(stored.last_tick_at),
    "workspaces": lambda stored: {"active": stored.active, "paused": stored.paused},
    "waiting_longest": lambda stored: _timed(stored.waiting),
    "oldest_work_seconds": lambda stored: stored.ages,
    "feeds": lambda stored: stored.feeds,
    "feed_lag_seconds": lambda stored: stored.lag,
    "coverage_gaps": lambda stored: stored.gaps,
    "failing_feeds": lambda stored: _timed(stored.refused),
    "reddit": lambda stored: {
        "remaining": stored.remaining,
        "booked_seconds": stored.booked,
        **_timed(stored.reddit),
        "failing_seconds": stored.reddit.failing_for(stored.at),
    },
    "channels": lambda stored: stored.channels,
    "sick_channels": lambda stored: _timed(stored.sick),
    "deliveries": lambda stored: _timed(stored.deliveries),
    "dead_letters": lambda stored: stored.dead_letters,
    "canary": lambda stored: _timed(stored.canary),
}


def as_json(facts: Facts, problems: list[Problem]) -> dict[str, Any]:
    """Return all of it in one object. Times are RFC 3339, spans seconds, memory bytes."""
    stored = facts.stored
    return {
        "healthy": is_healthy(problems),
        "troubles": problems,
        "at": rfc3339(facts.now),
        **{key: value(stored) if stored is not None else None for key, value in STORED.items()},
        "queues": facts.queues,
        "door": facts.door,
        "processes": _timed(facts.processes),
        "database_fault": facts.database_fault,
        "bus_fault": facts.bus_fault,
        "supervised": facts.supervised,
        "supervisor_fault": facts.supervisor_fault,
        "backed_up": rfc3339(facts.backed_up),
    }


def _timed(value: Any) -> Any:
    """Structs as plain values, their moments as people write them."""
    plain = msgspec.to_builtins(value)
    for row in plain if isinstance(plain, list) else [plain or {}]:
        row.update((name, rfc3339(row[name])) for name in MOMENTS & row.keys())
    return plain
