"""docs/metrics.md: every metric, from the one place that defines them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from prometheus_client import CollectorRegistry

from overheard.observability.metric_catalogue import LabelValues, MetricDefinition
from overheard.observability.metrics import AGE_BUCKETS_SECONDS, DURATION_BUCKETS_SECONDS, ProcessMetrics

PAGE_TEMPLATE = """# Metrics

<!-- Generated from overheard/observability/metrics.py by `make generate`. Do not edit. -->

Each process serves its own metrics at `/metrics` on 127.0.0.1; the ports: [README](../README.md#metrics-and-health).
Names begin with `overheard_`, units are base units, and no label contains user input: no workspace, subreddit, query,
channel or address is ever exported. Each process also exports its own `process_*` and `python_*`.

- **Counters** whose labels have known values start with all of them at 0, so `increase()` sees the first event.
- **Gauges** appear once their value is known: a process never exports 0 for something it has not measured.
- **The tick's gauges describe the whole system.** Two ticks side by side both export them: write
  `max by (…) (overheard_…)`, never `sum`. They are updated after every tick, but take at most a twentieth of the
  time; `overheard_gauges_last_success_timestamp_seconds` is the time of the last successful update.
- **Histograms** have these buckets, in seconds: for ages
  {ages};
  for durations
  {durations}.

Alerts that use them: [runbook.md](runbook.md).
"""

SECTION_HEADINGS = {
    "every process": "Every process",
    "every stage, ingress": "Every stage's process, and the ingress",
    "every stage": "Every stage's process",
    "tick": "The tick: the whole system",
}

# A metric of the server, not of a process.
NODE_EXPORTER_SECTION = """## The node exporter

`deploy/backup` writes a file for its textfile collector; for disks, see its own `node_filesystem_*`.

| series | type | unit | labels | meaning |
|---|---|---|---|---|
| `overheard_backup_last_success_timestamp_seconds` | gauge | Unix time | – | {meaning} |
"""
BACKUP_MEANING = (
    "When deploy/backup last made and verified a backup of the server; before the first, when nightly backups were "
    "set up."
)


def page() -> str:
    """Return the whole text."""
    defined = ProcessMetrics(CollectorRegistry()).definitions
    first_seen = {by: index for index, by in reversed(list(enumerate(metric.set_by for metric in defined)))}
    defined.sort(key=lambda metric: first_seen[metric.set_by])
    top = PAGE_TEMPLATE.format(durations=_buckets(DURATION_BUCKETS_SECONDS), ages=_buckets(AGE_BUCKETS_SECONDS))
    parts = (line for by, metrics in groupby(defined, lambda metric: metric.set_by) for line in _section(by, metrics))
    return "\n".join([top, *parts, NODE_EXPORTER_SECTION.format(meaning=BACKUP_MEANING)])


def _section(by: str, metrics: Iterable[MetricDefinition]) -> Iterator[str]:
    yield f"## {SECTION_HEADINGS.get(by, by[0].upper() + by[1:])}"
    yield ""
    yield "| series | type | unit | labels | meaning |"
    yield "|---|---|---|---|---|"
    for metric in metrics:
        labels = "<br>".join(f"`{name}`: {_values(values)}" for name, values in metric.labels) or "–"
        yield f"| `{metric.name}` | {metric.type} | {metric.unit} | {labels} | {metric.help} |"
    yield ""


def _values(values: LabelValues) -> str:
    return values if isinstance(values, str) else ", ".join(f"`{value}`" for value in values)


def _buckets(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:g}" for bound in bounds)
