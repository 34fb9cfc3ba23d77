"""Stages: rate, errors and duration of each, and the queues between them."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, board
from deploy.grafana.panels import Thresholds, curves
from deploy.grafana.queries import PanelQuery, latest, quantile_by, quantiles, rate

DURATION = "overheard_stage_duration_seconds"


def make() -> Dashboard:
    """The board to find the stage that holds everything up."""
    return board(
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
        curves(
            "Messages by stage",
            "Messages that each stage has finished with, a second, however they ended.",
            "cps",
            rate("overheard_stage_messages_total", by="stage"),
        ),
        curves(
            "Messages by outcome",
            "How they ended: ok; retried (a fault, tried again); postponed (its turn at the budget comes later); dead "
            "(given up); dropped (no longer needed); rejected (a public event that was refused).",
            "cps",
            rate("overheard_stage_messages_total", by="outcome"),
            stacked=True,
        ),
        curves(
            "Share that fails",
            "Retried or dead, of all messages of a stage, over five minutes.",
            "percentunit",
            PanelQuery("overheard:stage_failures:ratio_rate5m", "{{stage}}"),
            Thresholds(0.05, 0.25),
            most=1,
        ),
    )


def _durations() -> DashboardRow:
    return (
        curves(
            "Usual duration",
            "Half of a stage's messages took less.",
            "s",
            quantile_by(0.5, DURATION, "stage"),
            Thresholds(warn=10),
        ),
        curves(
            "Long durations",
            "99 % of a stage's messages took less. fetch waits for Reddit, notify for receivers.",
            "s",
            quantile_by(0.99, DURATION, "stage"),
            Thresholds(30, 120),
        ),
        curves(
            "Threads' time",
            "Seconds of work a second: how many threads a stage keeps busy on average. At its number of threads, it "
            "is full.",
            "short",
            rate("overheard_stage_duration_seconds_sum", by="stage"),
        ),
    )


def _queues() -> DashboardRow:
    return (
        curves(
            "Messages ready",
            "Messages that could be worked on now. The stage whose queue is long holds up those behind it.",
            "short",
            latest("overheard_queue_messages", by="queue", where='state="ready"'),
            Thresholds(warn=1000),
        ),
        curves(
            "Oldest run and poll",
            "Age of the oldest run (waits for fetch) and poll (waits for match and store).",
            "s",
            latest("overheard_oldest_work_seconds", by="work", where='work=~"run|poll"'),
            Thresholds(300, 900),
        ),
        curves(
            "Consumers",
            "Processes that consume each queue. 0: nobody works on it.",
            "short",
            latest("overheard_queue_consumers", by="queue"),
            Thresholds(bad=1, low=True),
        ),
    )


def _aside() -> DashboardRow:
    return (
        curves(
            "Delayed",
            "Messages that wait on the bus for a retry or for their turn at the budget; those that a worker already "
            "holds are not among them.",
            "short",
            latest("overheard_queue_messages", by="queue", where='state="delayed"'),
        ),
        curves(
            "Given up",
            "Messages in dead-letter queues, before the tick moves them to the database; events that were rejected, or "
            "came with an unknown key.",
            "short",
            latest("overheard_queue_messages", by="queue", where='state="dead"'),
            Thresholds(warn=1),
        ),
        curves(
            "Dead letters in the database",
            "They wait for somebody: overheard dead list.",
            "short",
            latest("overheard_dead_letters", "dead letters"),
            Thresholds(1, 100),
        ),
    )


def _threads() -> DashboardRow:
    return (
        curves(
            "In progress",
            "Messages that are being worked on now.",
            "short",
            PanelQuery('sum by (stage) (overheard_stage_in_progress{job="overheard"})', "{{stage}}"),
            stacked=True,
        ),
        curves(
            "Longest in progress",
            "How long the message longest in progress has taken so far, in each process. The time limit is 5 minutes.",
            "s",
            PanelQuery('overheard_longest_in_progress_seconds{job="overheard"}', "{{program}} {{instance}}"),
            Thresholds(300, 600),
        ),
        curves(
            "Threads alive",
            "Worker and consumer threads. A process without one of either does nothing.",
            "short",
            PanelQuery('overheard_worker_threads_alive{job="overheard"}', "{{program}} {{instance}} {{role}}"),
            Thresholds(bad=1, low=True),
        ),
    )


def _index() -> DashboardRow:
    return (
        curves(
            "Queries in the index",
            "Each match process holds all. Refused: accepted once, and not any more; `overheard check` names them.",
            "short",
            (
                latest("overheard_queries", "queries"),
                latest("overheard_refused_queries", "refused, matched: {{matched}}", by="matched"),
            ),
        ),
        curves(
            "Bringing the index up to date",
            "Time for each look at what has changed, made before each message of match.",
            "s",
            quantiles("overheard_index_build_seconds"),
            Thresholds(warn=5),
        ),
        curves(
            "Due in the last tick",
            "Workspaces that the last tick found due.",
            "short",
            latest("overheard_due_workspaces", "workspaces"),
        ),
    )
