"""Stages: rate, errors and duration of each, and the queues between them."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.colours import OUTCOMES, STAGES
from deploy.grafana.document import Part, Row, board
from deploy.grafana.panels import Panel, Query, Steps, curves
from deploy.grafana.quantiles import quantile_by, quantiles

DURATION = "overheard_stage_duration_seconds"
MESSAGES = 'overheard_stage_messages_total{job="overheard"}'


def make() -> Dashboard:
    """The board to find the stage that holds everything up."""
    return board(
        "overheard-stages",
        "Stages",
        "Rate, errors and duration of each stage; queues, threads and the index.",
        Part("Rate and errors", (Row(_rates()),)),
        Part("Duration", (Row(_durations()),)),
        Part("Queues", (Row(_queues()), Row(_aside(), height=7))),
        Part("Threads", (Row(_threads()),)),
        Part("Index of queries", (Row(_index(), height=7),)),
    )


def _rates() -> tuple[Panel, ...]:
    return (
        curves(
            "Messages by stage",
            "Messages that each stage has finished with, a second, however they ended.",
            "cps",
            Query(f"sum by (stage) (rate({MESSAGES}[$__rate_interval]))", "{{stage}}"),
            colours=STAGES,
        ),
        curves(
            "Messages by outcome",
            "How they ended: ok; retried (a fault, tried again); postponed (its turn at the budget comes later); dead "
            "(given up); dropped (no longer needed); rejected (a public event that was refused).",
            "cps",
            Query(f"sum by (outcome) (rate({MESSAGES}[$__rate_interval]))", "{{outcome}}"),
            colours=OUTCOMES,
            stacked=True,
        ),
        curves(
            "Share that fails",
            "Retried or dead, of all messages of a stage, over five minutes.",
            "percentunit",
            Query("overheard:stage_failures:ratio_rate5m", "{{stage}}"),
            Steps(0.05, 0.25),
            colours=STAGES,
            most=1,
        ),
    )


def _durations() -> tuple[Panel, ...]:
    return (
        curves(
            "Usual duration",
            "Half of a stage's messages took less.",
            "s",
            quantile_by(0.5, DURATION, "stage"),
            Steps(warn=10),
            colours=STAGES,
        ),
        curves(
            "Long durations",
            "99 % of a stage's messages took less. fetch waits for Reddit, notify for receivers.",
            "s",
            quantile_by(0.99, DURATION, "stage"),
            Steps(30, 120),
            colours=STAGES,
        ),
        curves(
            "Threads' time",
            "Seconds of work a second: how many threads a stage keeps busy on average. At its number of threads, it "
            "is full.",
            "short",
            Query(f'sum by (stage) (rate({DURATION}_sum{{job="overheard"}}[$__rate_interval]))', "{{stage}}"),
            colours=STAGES,
        ),
    )


def _queues() -> tuple[Panel, ...]:
    return (
        curves(
            "Messages ready",
            "Messages that could be worked on now. The stage whose queue is long holds up those behind it.",
            "short",
            Query('max by (queue) (overheard_queue_messages{job="overheard", state="ready"})', "{{queue}}"),
            Steps(warn=1000),
            colours=STAGES,
        ),
        curves(
            "Oldest run and poll",
            "Age of the oldest run (waits for fetch) and poll (waits for match and store).",
            "s",
            Query('max by (work) (overheard_oldest_work_seconds{job="overheard", work=~"run|poll"})', "{{work}}"),
            Steps(300, 900),
        ),
        curves(
            "Consumers",
            "Processes that consume each queue. 0: nobody works on it.",
            "short",
            Query('max by (queue) (overheard_queue_consumers{job="overheard"})', "{{queue}}"),
            Steps(bad=1, low=True),
            colours=STAGES,
        ),
    )


def _aside() -> tuple[Panel, ...]:
    return (
        curves(
            "Delayed",
            "Messages that wait on the bus for a retry or for their turn at the budget; those that a worker already "
            "holds are not among them.",
            "short",
            Query('max by (queue) (overheard_queue_messages{job="overheard", state="delayed"})', "{{queue}}"),
            colours=STAGES,
        ),
        curves(
            "Given up",
            "Messages in dead-letter queues, before the tick moves them to the database; events that were rejected, or "
            "came with an unknown key.",
            "short",
            Query('max by (queue) (overheard_queue_messages{job="overheard", state="dead"})', "{{queue}}"),
            Steps(warn=1),
            colours=STAGES,
        ),
        curves(
            "Dead letters in the database",
            "They wait for somebody: overheard dead list.",
            "short",
            Query('max(overheard_dead_letters{job="overheard"})', "dead letters"),
            Steps(1, 100),
        ),
    )


def _threads() -> tuple[Panel, ...]:
    return (
        curves(
            "In progress",
            "Messages that are being worked on now.",
            "short",
            Query('sum by (stage) (overheard_stage_in_progress{job="overheard"})', "{{stage}}"),
            colours=STAGES,
            stacked=True,
        ),
        curves(
            "Longest in progress",
            "How long the message longest in progress has taken so far, in each process. The time limit is 5 minutes.",
            "s",
            Query('overheard_longest_in_progress_seconds{job="overheard"}', "{{program}} {{instance}}"),
            Steps(300, 600),
        ),
        curves(
            "Threads alive",
            "Worker and consumer threads. A process without one of either does nothing.",
            "short",
            Query('overheard_worker_threads_alive{job="overheard"}', "{{program}} {{instance}} {{role}}"),
            Steps(bad=1, low=True),
        ),
    )


def _index() -> tuple[Panel, ...]:
    return (
        curves(
            "Queries in the index",
            "Each match process holds all. Refused: accepted once, and not any more; `overheard check` names them.",
            "short",
            (
                Query('max(overheard_queries{job="overheard"})', "queries"),
                Query('max by (matched) (overheard_refused_queries{job="overheard"})', "refused, matched: {{matched}}"),
            ),
        ),
        curves(
            "Bringing the index up to date",
            "Time for each look at what has changed, made before each message of match.",
            "s",
            quantiles("overheard_index_build_seconds"),
            Steps(warn=5),
        ),
        curves(
            "Due in the last tick",
            "Workspaces that the last tick found due.",
            "short",
            Query('max(overheard_due_workspaces{job="overheard"})', "workspaces"),
        ),
    )
