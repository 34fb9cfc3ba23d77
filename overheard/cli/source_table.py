"""Reports of sources as tables and as JSON, for ``overheard source`` and ``overheard status``."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from overheard.cli.durations import rfc3339
from overheard.cli.output import Column, one_line
from overheard.operations.source_reports import SourceReport
from overheard.operations.wording import ago, span

STATE_STYLES = {"ok": "green", "failing": "yellow", "revoked": "bold red", "off": "dim"}
JSON_KEYS = (
    *("source", "configured", "state", "since", "reason", "lag_seconds", "last_read_at"),
    *("gaps_open", "capabilities", "deletions"),
)


def as_json(report: SourceReport) -> dict[str, Any]:
    """Return a report's public keys, with its times as RFC 3339."""
    return {key: getattr(report, key) for key in JSON_KEYS} | {
        "since": rfc3339(report.since),
        "last_read_at": rfc3339(report.last_read_at),
    }


def source_columns(now: float) -> tuple[Column, ...]:
    """Return the columns of a table of reports."""
    return (
        Column("Source", lambda row: row.source, {"style": "bold", "no_wrap": True}),
        Column("State", lambda row: _state(row, now), {"no_wrap": True}),
        Column("Last read", lambda row: ago(row.last_read_at, now), {"no_wrap": True}),
        Column("Lag", lambda row: "–" if row.lag_seconds is None else span(row.lag_seconds), {"no_wrap": True}),
        Column("New/min", lambda row: "–" if row.rate_per_minute is None else f"{row.rate_per_minute:,.1f}"),
        Column("Gaps", lambda row: f"{row.gaps_open:,}", {"justify": "right"}),
        Column("Reason", lambda row: one_line(row.reason), {"overflow": "fold"}),
    )


def _state(report: SourceReport, now: float) -> Text:
    duration = f" for {span(now - report.since)}" if report.since is not None else ""
    return Text(f"{report.state}{duration}", style=STATE_STYLES[report.state])
