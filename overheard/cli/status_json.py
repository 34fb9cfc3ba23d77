"""``overheard status --format json``: a stable form; its keys are always there, null for what nobody knows now."""

from __future__ import annotations

from typing import Any

import msgspec

from overheard.cli.health import Health, Stored
from overheard.cli.times import rfc3339
from overheard.cli.troubles import Trouble, is_healthy

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


def as_json(health: Health, troubles: list[Trouble]) -> dict[str, Any]:
    """All of it in one object. Times are RFC 3339, spans seconds, memory bytes."""
    stored = health.stored
    return {
        "healthy": is_healthy(troubles),
        "troubles": troubles,
        "at": rfc3339(health.now),
        **(_stored(stored) if stored is not None else dict.fromkeys(KEYS)),
        "queues": health.queues,
        "door": health.door,
        "processes": _timed(health.processes),
        "database_fault": health.database_fault,
        "bus_fault": health.bus_fault,
        "supervised": health.supervised,
        "supervisor_fault": health.supervisor_fault,
        "backed_up": rfc3339(health.backed_up),
    }


def _stored(stored: Stored) -> dict[str, Any]:
    ages = {work: None if at is None else max(stored.at - at, 0.0) for work, at in stored.oldest.items()}
    values = (
        rfc3339(stored.last_tick_at),
        {"active": stored.active, "paused": stored.paused},
        _timed(stored.waiting),
        ages,
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


def _reddit(stored: Stored) -> dict[str, Any]:
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
