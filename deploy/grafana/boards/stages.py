"""Stages: rate, errors and duration of each, and the queues between them."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, dashboard
from deploy.grafana.panels import Thresholds, timeseries_panel
from deploy.grafana.queries import PanelQuery, gauge_max, quantile_by, quantiles, rate

DURATION = "overheard_stage_duration_seconds"


def build() -> Dashboard:
    """Return the board that shows which stage is the bottleneck."""
    return dashboard(
        "overheard-stages",
        "Stages",
        "Rate, errors and duration of each stage; queues, threads and the index.",
        {
            "Rate and errors": [_rates()],
            "Duration": [_durations()],
            "Queues": [_queues(), _aside()],
            "Threads": [_threads()],
            "Index of queries": [_index()],
        },
    )


def _rates() -> DashboardRow:
    return (
        timeseries_panel(
            "Messages by stage",
            "Messages that each stage has finished with per second, whatever the outcome.",
            "cps",
            rate("overheard_stage_messages_total", by="stage"),
        ),
        timeseries_panel(
            "Messages by outcome",
            "Outcomes: ok; retried (failed, tried again later); postponed (until its slot in the budget); dead "
            "(given up); dropped (no longer needed); merged and rejected (public events).",
            "cps",
            rate("overheard_stage_messages_total", by="outcome"),
            stacked=True,
        ),
        timeseries_panel(
            "Failing share",
            "Share of a stage's messages that were retried or dead, over five minutes.",
            "percentunit",
            PanelQuery("overheard:stage_failures:ratio_rate5m", "{{stage}}"),
            Thresholds(0.05, 0.25),
            axis_max=1,
        ),
    )


def _durations() -> DashboardRow:
    return (
        timeseries_panel(
            "Median duration",
            "Half of a stage's messages took less time.",
            "s",
            quantile_by(0.5, DURATION, "stage"),
            Thresholds(warn=10),
        ),
        timeseries_panel(
            "99th percentile of durations",
            "99 % of a stage's messages took less time. fetch waits for Reddit, notify for receivers.",
            "s",
            quantile_by(0.99, DURATION, "stage"),
            Thresholds(30, 120),
        ),
        timeseries_panel(
            "Busy threads",
            "How many threads a stage keeps busy on average. At its number of threads, it is saturated.",
            "short",
            rate("overheard_stage_duration_seconds_sum", by="stage"),
        ),
    )


def _queues() -> DashboardRow:
    return (
        timeseries_panel(
            "Messages ready",
            "Messages ready to be processed. A stage with a long queue delays those after it.",
            "short",
            gauge_max("overheard_queue_messages", by="queue", where='state="ready"'),
            Thresholds(warn=1000),
        ),
        timeseries_panel(
            "Oldest run and poll",
            "Age of the oldest run (waiting for fetch) and poll (waiting for match and store).",
            "s",
            gauge_max("overheard_oldest_work_seconds", by="work", where='work=~"run|poll"'),
            Thresholds(300, 900),
        ),
        timeseries_panel(
            "Consumers",
            "Processes that consume each queue. 0: the queue has no consumers.",
            "short",
            gauge_max("overheard_queue_consumers", by="queue"),
            Thresholds(bad=1, below=True),
        ),
    )


def _aside() -> DashboardRow:
    return (
        timeseries_panel(
            "Delayed",
            "Messages waiting on the bus for a retry or for their slot in the budget, except those that a worker "
            "already holds.",
            "short",
            gauge_max("overheard_queue_messages", by="queue", where='state="delayed"'),
        ),
        timeseries_panel(
            "Dead-lettered",
            "Messages in dead-letter queues, before the tick moves them to the database; events that were rejected or "
            "have an unknown routing key.",
            "short",
            gauge_max("overheard_queue_messages", by="queue", where='state="dead"'),
            Thresholds(warn=1),
        ),
        timeseries_panel(
            "Dead letters in the database",
            "To be replayed or dropped: overheard dead-letters list.",
            "short",
            gauge_max("overheard_dead_letters", "dead letters"),
            Thresholds(1, 100),
        ),
    )


def _threads() -> DashboardRow:
    return (
        timeseries_panel(
            "In progress",
            "Messages being processed now.",
            "short",
            PanelQuery('sum by (stage) (overheard_stage_in_progress{job="overheard"})', "{{stage}}"),
            stacked=True,
        ),
        timeseries_panel(
            "Longest in progress",
            "How long the longest-running message of each process has taken so far. The time limit is 5 minutes.",
            "s",
            PanelQuery('overheard_longest_in_progress_seconds{job="overheard"}', "{{program}} {{instance}}"),
            Thresholds(300, 600),
        ),
        timeseries_panel(
            "Threads alive",
            "Worker and consumer threads. A process without one of either does nothing.",
            "short",
            PanelQuery('overheard_worker_threads_alive{job="overheard"}', "{{program}} {{instance}} {{role}}"),
            Thresholds(bad=1, below=True),
        ),
    )


def _index() -> DashboardRow:
    return (
        timeseries_panel(
            "Queries in the index",
            "Each match process holds all. refused: accepted once, but not today; `overheard check` lists them.",
            "short",
            (
                gauge_max("overheard_queries", "queries"),
                gauge_max("overheard_always_evaluated_queries", "evaluated for every item"),
                gauge_max("overheard_refused_queries", "refused, matched: {{matched}}", by="matched"),
            ),
        ),
        timeseries_panel(
            "Index update time",
            "Time to load changes into the index, before each message of match that finds any.",
            "s",
            quantiles("overheard_index_build_seconds"),
            Thresholds(warn=5),
        ),
        timeseries_panel(
            "Due in the last tick",
            "Workspaces that the last tick found due.",
            "short",
            gauge_max("overheard_due_workspaces", "workspaces"),
        ),
    )
