"""Reports of sources as tables and as JSON, for ``overheard source`` and ``overheard status``."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from overheard.cli.durations import rfc3339
from overheard.cli.output import Column, one_line
from overheard.operations.source_reports import SourceReport
from overheard.operations.wording import ago, counted, span

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
        Column("Lag", _lag, {"no_wrap": True}),
        Column("New/min", _rate),
        Column("Gaps", lambda row: f"{row.gaps_open:,}", {"justify": "right"}),
        Column("Reason", lambda row: one_line(row.reason), {"overflow": "fold"}),
    )


def terminal_columns(now: float) -> tuple[Column, ...]:
    """Return the columns of a table with what sources can do, two lines a source: it has to fit 80 columns."""
    return (
        Column("Source", lambda row: _two_lines(Text(row.source, "bold"), _state(row, now)), {"no_wrap": True}),
        Column("Last read", lambda row: _two_lines(ago(row.last_read_at, now), f"lag {_lag(row)}"), {"no_wrap": True}),
        Column("New/min", lambda row: _two_lines(_rate(row), counted(row.gaps_open, "gap")), {"justify": "right"}),
        Column("Can", lambda row: _two_lines(", ".join(row.capabilities), f"deletions: {row.deletions}")),
        Column("Reason", lambda row: one_line(row.reason), {"ratio": 1}),
    )


def _two_lines(first: Text | str, second: Text | str) -> Text:
    return Text.assemble(first, "\n", second if isinstance(second, Text) else (second, "dim"))


def _lag(report: SourceReport) -> str:
    return "–" if report.lag_seconds is None else span(report.lag_seconds)


def _rate(report: SourceReport) -> str:
    return "–" if report.rate_per_minute is None else f"{report.rate_per_minute:,.1f}"


def _state(report: SourceReport, now: float) -> Text:
    duration = f" for {span(now - report.since)}" if report.since is not None else ""
    return Text(f"{report.state}{duration}", style=STATE_STYLES[report.state])
