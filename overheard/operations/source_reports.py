"""Sources as `source list`, `source check` and `status` show them: from configuration, registry and database alone."""

from __future__ import annotations

from typing import Literal

import msgspec

from overheard.config import Config
from overheard.db import feeds, refreshes, source_facts, source_health
from overheard.db.database import Db
from overheard.db.source_health import SourceState
from overheard.sources.registry import SOURCES, watchable
from overheard.sources.source_type import Deletions, SourceType

State = Literal["ok", "failing", "revoked", "off"]

NOT_WATCHED = "no active workspace watches it"


class SourceReport(msgspec.Struct, frozen=True):
    """A source. Times are seconds since the epoch.

    ``off``: no active workspace watches it, or a setting is missing. ``since``: since when it is failing. ``reason``:
    why it is not ok. ``lag_seconds``: since its least recently read healthy feed was read, None if none was.
    ``rate_per_minute``: new items of all its watched feeds, as their readings found; None before the first.
    """

    source: str
    configured: bool
    state: State
    since: float | None
    reason: str | None
    lag_seconds: float | None
    last_read_at: float | None
    gaps_open: int
    capabilities: tuple[str, ...]
    deletions: Deletions
    is_watched: bool
    rate_per_minute: float | None = None


def source_reports(db: Db | None, config: Config, now: float) -> list[SourceReport]:
    """Return a report of each source that workspaces can watch; without a database, none is watched yet."""
    gaps = source_facts.open_gaps(db) if db is not None else {}
    watched = set(refreshes.watched_sources(db)) if db is not None else set()
    rates = feeds.rates(db) if db is not None else {}
    reports = []
    for name in watchable():
        fresh_at = feeds.oldest_fresh(db, now, name) if db is not None and name in watched else None
        health = source_health.state(db, name) if db is not None else SourceState()
        state, since, reason = _state(SOURCES[name], config, health, now, watched=name in watched)
        reports.append(
            SourceReport(
                source=name,
                configured=SOURCES[name].missing_setting(config) is None,
                state=state,
                since=since,
                reason=reason,
                lag_seconds=max(now - fresh_at, 0.0) if fresh_at is not None else None,
                last_read_at=health.read_at,
                gaps_open=gaps.get(name, 0),
                capabilities=SOURCES[name].capabilities,
                deletions=SOURCES[name].deletions,
                is_watched=name in watched,
                rate_per_minute=rates.get(name),
            )
        )
    return reports


def _state(
    source: SourceType, config: Config, health: SourceState, now: float, *, watched: bool
) -> tuple[State, float | None, str | None]:
    if not watched:
        return "off", None, NOT_WATCHED
    if (missing := source.missing_setting(config)) is not None:
        return "off", None, missing
    if not health.failing_for(now):
        return "ok", None, None
    return "revoked" if health.revoked else "failing", health.failing_since, health.reason
