"""``overheard status --format json``: a stable form; its keys are always there, null for what is not known now."""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.cli.times import rfc3339
from overheard.operations.facts import Facts, StoredFacts
from overheard.operations.problems import Problem, is_healthy

MOMENTS = (
    "since",
    "retry_at",
    "overdue_since",
    "began",
    "begun_at",
    "delivered_at",
    "read_at",
    "failing_since",
)


def as_json(facts: Facts, problems: list[Problem]) -> dict[str, Any]:
    """Return all of it in one object. Times are RFC 3339, spans seconds, memory bytes."""
    stored = facts.stored
    return {
        "healthy": is_healthy(problems),
        "troubles": problems,
        "at": rfc3339(facts.now),
        **(_stored(stored) if stored is not None else dict.fromkeys(KEYS)),
        "queues": facts.queues,
        "door": facts.door,
        "processes": _timed(facts.processes),
        "database_fault": facts.database_fault,
        "bus_fault": facts.bus_fault,
        "supervised": facts.supervised,
        "supervisor_fault": facts.supervisor_fault,
        "backed_up": rfc3339(facts.backed_up),
    }


def _stored(stored: StoredFacts) -> dict[str, Any]:
    values = (
        rfc3339(stored.last_tick_at),
        {"active": stored.active, "paused": stored.paused},
        _timed(stored.waiting),
        stored.ages,
        stored.feeds,
        stored.lag,
        stored.gaps,
        _timed(stored.refused),
        {"remaining": stored.remaining, "booked_seconds": stored.booked, **_reddit(stored)},
        stored.channels,
        _timed(stored.sick),
        _timed(stored.deliveries),
        stored.dead_letters,
        _timed(stored.canary),
    )
    return dict(zip(KEYS, values, strict=True))


def _reddit(stored: StoredFacts) -> dict[str, Any]:
    return {**_timed(stored.reddit), "failing_seconds": stored.reddit.failing_for(stored.at)}


KEYS = (
    "last_tick_at",
    "workspaces",
    "waiting_longest",
    "oldest_work_seconds",
    "feeds",
    "feed_lag_seconds",
    "coverage_gaps",
    "failing_feeds",
    "reddit",
    "channels",
    "sick_channels",
    "deliveries",
    "dead_letters",
    "canary",
)


def _timed(value: Any) -> Any:
    """Structs as plain values, their moments as people write them."""
    plain = msgspec.to_builtins(value)
    rows = plain if isinstance(plain, list) else [plain]
    for row in rows:
        for name in MOMENTS:
            if isinstance(row, dict) and name in row:
                row[name] = rfc3339(row[name])
    return plain
