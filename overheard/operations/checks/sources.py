"""Checks of the watched sources other than Reddit, which has a check of its own."""

from __future__ import annotations

from collections.abc import Iterator

from overheard.errors import Unavailable
from overheard.operations import source_checks
from overheard.operations.checks.outcome import CheckOutcome
from overheard.operations.source_checks import OpenBudget
from overheard.operations.source_reports import SourceReport
from overheard.process import RunningProcess
from overheard.sources.reddit.names import SOURCE as REDDIT
from overheard.sources.registry import SOURCES


def watched(running: RunningProcess, open_budget: OpenBudget) -> Iterator[tuple[str, CheckOutcome]]:
    """Ask each watched source; yield its name and outcome."""
    try:
        with running.db.session():
            for report in source_checks.check(running, running.db, None, open_budget, without=REDDIT):
                yield report.source, _outcome(report)
    except Unavailable as error:
        yield "sources", CheckOutcome("warning", f"not checked: {error}")


def _outcome(report: SourceReport) -> CheckOutcome:
    if report.state == "ok":
        return CheckOutcome("ok", report.reason or "it answers")
    if report.state == "off":
        return CheckOutcome("failed", report.reason or "it is not configured", "set it, or remove its watches")
    # One of many servers says nothing about the source.
    many = SOURCES[report.source].many_servers
    remedy = f"try again later: overheard source check {report.source}"
    return CheckOutcome("warning" if many else "failed", report.reason or "it does not answer", remedy)
