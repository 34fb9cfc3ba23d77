"""What a tick consists of: named steps, one after the other, and the counts of what they found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec


class TickReport(msgspec.Struct):
    """Counts of what one tick found; the fields of its log line."""

    due: int = 0
    digests: int = 0
    swept_workspaces: int = 0
    swept_polls: int = 0
    swept_channels: int = 0
    swept_digests: int = 0
    dead_letters: int = 0
    pruned: int = 0
    rechecks: int = 0
    readings: int = 0
    place_checks: int = 0
    gaps: int = 0  # messages to fill them
    reports: int = 0
    broken: int = 0  # steps that failed


Run = Callable[[TickReport], None]


class TickStep(NamedTuple):
    """A step of the tick. ``run`` adds what it has found to the report; log lines have the ``name``."""

    name: str
    run: Run


def counted(field: str, work: Callable[[], int]) -> Run:
    """Return what runs ``work`` and puts the number that it returns into this field of the report."""
    return lambda report: setattr(report, field, work())


def uncounted(work: Callable[[], object]) -> Run:
    """Return what runs ``work`` and leaves the report as it is."""

    def run(report: TickReport) -> None:
        work()

    return run
