"""Warn, on stderr, of queries that will find far too much, when they are saved. Never an error."""

from __future__ import annotations

import shlex

from overheard.cli.output import one_line, print_line
from overheard.cli.query_sample import about
from overheard.operations.flood_warnings import Flood, SavedQueries
from overheard.operations.wording import counted, span

MAX_WARNINGS = 10


def warn_of_floods(saved: SavedQueries) -> None:
    """Warn of those of the saved queries that will flood, as far as the sample of recent items shows it."""
    floods = saved.floods()
    for flood in floods[:MAX_WARNINGS]:
        _warn(flood)
    if (more := len(floods) - MAX_WARNINGS) > 0:
        print_line(f"  … and {counted(more, 'query')} more; to list them: overheard query health", stderr=True)


def _warn(flood: Flood) -> None:
    estimate = flood.estimate
    print_line(
        ("! ", "yellow"),
        (f"{flood.workspace}: {one_line(flood.query)}", "bold"),
        f" will find about {about(estimate.per_day)} a day: the sample of the last {span(estimate.hours * 3600)}"
        f" has {counted(estimate.hits, 'hit')} among {counted(estimate.sampled, 'item')}.",
        stderr=True,
    )
    command = f"overheard query test {shlex.quote(one_line(flood.text))} --sample -w {flood.workspace}"
    print_line((f"  To narrow it down: {command}", "dim"), stderr=True)
