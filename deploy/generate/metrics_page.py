"""docs/metrics.md: every series, from the one place that defines them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from prometheus_client import CollectorRegistry

from overheard.observability.metric_catalogue import LabelValues, MetricDefinition
from overheard.observability.metrics import AGE_BUCKETS_SECONDS, DURATION_BUCKETS_SECONDS, ProcessMetrics

TOP = """# Metrics

<!-- Generated from overheard/observability/metrics.py by `make generate`. Do not edit. -->

Each process serves its own series at `/metrics`, on 127.0.0.1: [README](../README.md#metrics-and-health) has the ports.
Names begin with `overheard_`, units are base units, and no label can be written by a user: no workspace, subreddit,
query, channel or address is ever shown. Beside these, each process shows `process_*` and `python_*` of itself.

- **Counters** whose labels have known values begin with all of them at 0, so `increase()` sees the first event.
- **Gauges** are shown once they are known: a process shows no 0 for what it knows nothing of.
- **The tick's gauges describe the whole system.** Two ticks side by side both show them: write
  `max by (…) (overheard_…)`, never `sum`. They are gathered after every tick, but in no more than a twentieth of the
  time; `overheard_gauges_last_success_timestamp_seconds` says when that last worked.
- **Histograms** have these buckets, in seconds: of ages
  {ages};
  of all other times
  {quick}.

What is watched with them: [runbook.md](runbook.md).
"""

HEADS = {
    "every process": "Every process",
    "every stage, ingress": "Every stage's process, and the ingress",
    "every stage": "Every stage's process",
    "tick": "The tick: the whole system",
}

# Of the server, not of a process.
END = """## The node exporter

`deploy/backup` leaves a file for its textfile collector; disks are its own `node_filesystem_*`.

| series | type | unit | labels | meaning |
|---|---|---|---|---|
| `overheard_backup_last_success_timestamp_seconds` | gauge | Unix time | – | {meaning} |
"""
BACKUP_MEANING = (
    "When deploy/backup last made a backup of the server and read it back; before the first, when the nightly backups "
    "were set up."
)


def page() -> str:
    """The whole text."""
    defined = ProcessMetrics(CollectorRegistry()).series
    places = {by: place for place, by in reversed(list(enumerate(each.set_by for each in defined)))}
    defined.sort(key=lambda series: places[series.set_by])
    top = TOP.format(quick=_buckets(DURATION_BUCKETS_SECONDS), ages=_buckets(AGE_BUCKETS_SECONDS))
    parts = (line for by, some in groupby(defined, lambda each: each.set_by) for line in _part(by, some))
    return "\n".join([top, *parts, END.format(meaning=BACKUP_MEANING)])


def _part(by: str, some: Iterable[MetricDefinition]) -> Iterator[str]:
    yield f"## {HEADS.get(by, by[0].upper() + by[1:])}"
    yield ""
    yield "| series | type | unit | labels | meaning |"
    yield "|---|---|---|---|---|"
    for each in some:
        labels = "<br>".join(f"`{name}`: {_values(values)}" for name, values in each.labels) or "–"
        yield f"| `{each.name}` | {each.type} | {each.unit} | {labels} | {each.help} |"
    yield ""


def _values(values: LabelValues) -> str:
    return values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values)


def _buckets(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in bounds)
