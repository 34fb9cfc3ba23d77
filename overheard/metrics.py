"""Every metric of Overheard, in one place (DESIGN §3). Base units; never a label that users can write.

A process builds one ``Metrics`` on a registry of its own and hands it to what it builds;
`/metrics` serves that registry.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
AGES = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)


class Metrics:
    """The series of one process. Attributes bear the series' names without the prefix."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

        def counter(name: str, help: str, *labels: str) -> Counter:
            return Counter(f"overheard_{name}", help, labels, registry=registry)

        def gauge(name: str, help: str, *labels: str) -> Gauge:
            return Gauge(f"overheard_{name}", help, labels, registry=registry)

        def histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"overheard_{name}", help, labels, buckets=buckets, registry=registry)

        # Every stage: rate, errors, duration.
        self.stage_messages = counter(
            "stage_messages_total",
            "Messages a stage has finished with; outcome is ok, retried, postponed, dead or dropped.",
            "stage",
            "outcome",
        )
        self.stage_duration = histogram("stage_duration_seconds", "Time a stage spent on one message.", QUICK, "stage")
        self.stage_in_progress = gauge("stage_in_progress", "Messages a stage is working on now.", "stage")
        self.worker_threads_alive = gauge(
            "worker_threads_alive", "Worker and consumer threads alive in this process.", "role"
        )

        # Reddit.
        self.items_fetched = counter(
            "items_fetched_total", "Items read from a source, seen before or not.", "source", "kind"
        )
        self.reddit_requests = counter(
            "reddit_requests_total",
            "HTTP requests to Reddit; status is the HTTP status, or error when there was no answer.",
            "endpoint",
            "status",
        )
        self.reddit_budget_remaining = gauge(
            "reddit_budget_remaining", "Requests left in Reddit's window, as its last answer said."
        )
        self.coverage_gaps = counter(
            "coverage_gaps_total",
            "Polls that could not read back to the cursor (listings end at 1,000 items).",
        )
        self.feeds = gauge("feeds", "Feeds by state: ok, failing, new.", "state")
        self.feed_lag = gauge("feed_lag_seconds", "How long ago the least recently polled healthy feed was read.")

        # Budgets.
        self.rate_limit_waits = counter(
            "rate_limit_waits_total",
            "Times something had to wait for its turn; key_kind is reddit or channel.",
            "key_kind",
        )
        self.rate_limit_wait = histogram("rate_limit_wait_seconds", "How long those waits were.", QUICK)

        # Matching and mentions.
        self.queries = gauge("queries", "Queries in the index.")
        self.index_build = histogram("index_build_seconds", "Time to bring the index up to date.", QUICK)
        self.mentions_stored = counter("mentions_stored_total", "Mentions stored for the first time.")
        self.item_to_stored = histogram(
            "item_to_stored_seconds",
            "Age of an item, since Reddit created it, when its mention was stored.",
            AGES,
        )

        # Delivery.
        self.deliveries = counter(
            "deliveries_total",
            "Tries to deliver; outcome is sent, retried, failed or disabled.",
            "channel_kind",
            "outcome",
        )
        self.item_to_delivered = histogram(
            "item_to_delivered_seconds",
            "Age of an item, since Reddit created it, when it was delivered.",
            AGES,
        )
        self.deliveries_pending = gauge("deliveries_pending", "Deliveries that wait to be sent.")

        # The bus and the oldest work, as the tick sees them.
        self.queue_messages = gauge(
            "queue_messages",
            "Messages on a queue: ready may be worked on now, delayed later, dead were given up.",
            "queue",
            "state",
        )
        self.queue_consumers = gauge("queue_consumers", "Processes that work on a queue.", "queue")
        self.oldest_work = gauge(
            "oldest_work_seconds",
            "Age of the oldest work that is not done yet; work is run, poll, delivery or digest. 0: none waits.",
            "work",
        )
        self.longest_in_progress = gauge(
            "longest_in_progress_seconds", "How long the message longest in progress in this process has taken so far."
        )
        self.channels = gauge("channels", "Channels by state: ok, failing, disabled.", "state")
        self.reddit_budget_booked = gauge(
            "reddit_budget_booked_seconds", "How far ahead requests to Reddit are reserved: the length of the line."
        )

        # Rechecks and erasure.
        self.items_rechecked = counter("items_rechecked_total", "Stored items that Reddit was asked about again.")
        self.items_erased = counter(
            "items_erased_total", "Items erased; cause is deleted (on Reddit), forgotten (on request) or old.", "cause"
        )
        self.recheck_overdue = gauge("recheck_overdue_items", "Stored items whose recheck is overdue.")

        # Canary and alerts.
        self.canary_last_delivered = gauge(
            "canary_last_delivered_timestamp_seconds",
            "When the last canary item came out at the end (Unix time); 0: none yet, or the canary is off.",
        )
        self.canary_interval = gauge("canary_interval_seconds", "Time between canary items; 0: the canary is off.")
        self.alerts = counter(
            "alerts_total", "Alerts to the operator's channel; outcome is sent, held (told later) or failed.", "outcome"
        )

        # Tick.
        self.tick_last_success = gauge(
            "tick_last_success_timestamp_seconds", "When the last tick was completed (Unix time)."
        )
        self.due_workspaces = gauge("due_workspaces", "Workspaces that the last tick found due.")
        self.dead_letters = gauge("dead_letters", "Dead letters in the database.")


class ProcessMetrics:
    """The series of the one program that watches the others under supervisord."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.processes = Gauge(
            "overheard_processes",
            "Processes under supervisord by program and state (running, starting, backoff, stopping, exited, "
            "stopped, fatal, unknown).",
            ("program", "state"),
            registry=registry,
        )
        self.process_exits = Counter(
            "overheard_process_exits_total",
            "Ends of processes that nobody asked for; expected says whether the exit code was one of success.",
            ("program", "expected"),
            registry=registry,
        )
        self.supervisor_last_event = Gauge(
            "overheard_supervisor_last_event_timestamp_seconds",
            "When supervisord was last heard of (Unix time); it sends a sign of life every minute.",
            registry=registry,
        )
