"""Every metric of Overheard, in one place. Base units; never a label that users can write.

A process builds one ``ProcessMetrics`` on a registry of its own and hands it to what it builds; `/metrics` serves that
registry. docs/metrics.md is generated from here (`make generate`).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from overheard import __version__
from overheard.observability.metric_catalogue import MetricCatalogue

DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
AGE_BUCKETS_SECONDS = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)

# Who sets a series.
SET_BY_EVERY_PROCESS = "every process"
SET_BY_STAGES = "every stage"
SET_BY_STAGES_AND_INGRESS = "every stage, ingress"
SET_BY_TICK = "tick"

STAGE_LABEL = "a stage"
INVALID_CHANNEL_KIND = "invalid"  # the kind of a channel that cannot be opened
OUTCOMES = ("ok", "retried", "postponed", "dead", "dropped")
EVENT_OUTCOMES = ("ok", "merged", "retried", "rejected")  # of the ingress


class ProcessMetrics(MetricCatalogue):
    """The series of one process. Attributes bear the series' names without the prefix."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        counter, gauge, histogram = self.counter, self.gauge, self.histogram

        self.build_info = gauge(
            "build_info", "Always 1; version is Overheard's.", SET_BY_EVERY_PROCESS, version="a version"
        )
        self.build_info.labels(__version__).set(1)

        # Every stage: rate, errors, duration.
        self.stage_messages = counter(
            "stage_messages_total",
            "Messages a stage has finished with; outcome is ok, retried, postponed, dead or dropped; ok, merged "
            "(another of the same meaning stands for it), retried or rejected with the ingress, whose messages are "
            "public events.",
            SET_BY_STAGES_AND_INGRESS,
            stage=STAGE_LABEL,
            outcome=(*OUTCOMES, "merged", "rejected"),
        )
        self.stage_duration = histogram(
            "stage_duration_seconds",
            "Time a stage spent on one message.",
            SET_BY_STAGES_AND_INGRESS,
            DURATION_BUCKETS_SECONDS,
            stage=STAGE_LABEL,
        )
        self.stage_in_progress = gauge(
            "stage_in_progress", "Messages a stage is working on now.", SET_BY_STAGES_AND_INGRESS, stage=STAGE_LABEL
        )
        self.longest_in_progress = gauge(
            "longest_in_progress_seconds",
            "How long the message longest in progress in this process has taken so far. 0: none is.",
            SET_BY_STAGES,
        )
        self.worker_threads_alive = gauge(
            "worker_threads_alive",
            "Worker and consumer threads alive in this process.",
            SET_BY_STAGES,
            role=("worker", "consumer"),
        )

        # Sources.
        self.items_fetched = counter(
            "items_fetched_total",
            "Items read from a source, seen before or not; without the canary's.",
            "fetch",
            source=("reddit", "replay"),
            kind=("posts", "comments", "items"),
        )
        self.items_unreadable = counter(
            "items_unreadable_total",
            "What a source gave that has not the form of an item: it is skipped.",
            "fetch",
            source=("reddit", "replay"),
        )
        self.reddit_requests = counter(
            "reddit_requests_total",
            "HTTP requests to Reddit; status is the HTTP status, blocked for a 403 with a web page (this server is "
            "turned away), or error when there was no answer.",
            "fetch, recheck",
            endpoint=("token", "new", "comments", "info"),
            status="an HTTP status, blocked or error",
        )
        self.reddit_budget_remaining = gauge(
            "reddit_budget_remaining",
            "Requests left in Reddit's window of ten minutes, as its last answer within them said.",
            SET_BY_TICK,
        )
        self.coverage_gaps = counter(
            "coverage_gaps_total",
            "Gaps between two readings of a feed; reason is horizon (more news than a listing holds), anchor (the "
            "place where the reading was has disappeared) or pages ([fetch] max_pages).",
            "store",
            source=("reddit", "replay"),
            reason=("horizon", "anchor", "pages"),
        )
        self.reddit_last_success = gauge(
            "reddit_last_success_timestamp_seconds",
            "When something was last read of Reddit (Unix time); 0: never, as far as this process knows.",
            SET_BY_TICK,
        )
        self.reddit_failing = gauge(
            "reddit_failing_seconds",
            "For how long each try to read something of Reddit has failed. 0: it answers, or nobody asks.",
            SET_BY_TICK,
        )
        self.reddit_login_refused = gauge(
            "reddit_login_refused",
            "1 while each try fails because Reddit refuses the login (it may have revoked the app), else 0.",
            SET_BY_TICK,
        )
        self.feeds = gauge("feeds", "Feeds by state: ok, failing, new.", SET_BY_TICK, state=("ok", "failing", "new"))
        self.feed_lag = gauge(
            "feed_lag_seconds", "How long ago the least recently polled healthy feed was read.", SET_BY_TICK
        )

        # Budgets.
        self.rate_limit_waits = counter(
            "rate_limit_waits_total",
            "Times something had to wait for its turn; key_kind is a source or channel.",
            "fetch, notify, recheck",
            key_kind=("reddit", "channel"),
        )
        self.rate_limit_wait = histogram(
            "rate_limit_wait_seconds", "How long those waits were.", "fetch, notify, recheck", DURATION_BUCKETS_SECONDS
        )

        # Matching and mentions.
        self.queries = gauge("queries", "Queries in the index.", "match")
        self.refused_queries = gauge(
            "refused_queries",
            "Stored queries that would be refused today; matched says whether they are matched all the same.",
            "match",
            matched=("yes", "no"),
        )
        self.index_build = histogram(
            "index_build_seconds", "Time to bring the index up to date.", "match", DURATION_BUCKETS_SECONDS
        )
        self.mentions_stored = counter(
            "mentions_stored_total", "Mentions stored for the first time; without the canary's.", "store"
        )
        self.item_to_stored = histogram(
            "item_to_stored_seconds",
            "Age of an item, since it was created, when its mention was stored; without what was there before "
            "anybody watched.",
            "store",
            AGE_BUCKETS_SECONDS,
        )

        # Delivery.
        self.deliveries = counter(
            "deliveries_total",
            "Tries to deliver, without the canary's; outcome is sent, retried, failed or disabled. A channel that "
            "could not be opened, and was disabled, is of the kind invalid.",
            "notify",
            channel_kind=("webhook", "apprise", "null", INVALID_CHANNEL_KIND),
            outcome=("sent", "retried", "failed", "disabled"),
        )
        self.item_to_delivered = histogram(
            "item_to_delivered_seconds",
            "Age of an item, since it was created, when it was delivered.",
            "notify",
            AGE_BUCKETS_SECONDS,
        )
        self.deliveries_pending = gauge("deliveries_pending", "Deliveries that wait to be sent.", SET_BY_TICK)

        # The bus and the oldest work, as the tick sees them.
        self.queue_messages = gauge(
            "queue_messages",
            "Messages on a queue: ready may be worked on now, delayed later, dead were given up.",
            SET_BY_TICK,
            queue="a queue of ours",
            state=("ready", "delayed", "dead"),
        )
        self.queue_consumers = gauge(
            "queue_consumers", "Processes that work on a queue.", SET_BY_TICK, queue="a queue of ours"
        )
        self.oldest_work = gauge(
            "oldest_work_seconds",
            "Age of the oldest work that is not done yet; work is run, poll, delivery (to a channel that does not "
            "fail) or digest. 0: none waits.",
            SET_BY_TICK,
            work=("run", "poll", "delivery", "digest"),
        )
        self.channels = gauge(
            "channels", "Channels by state: ok, failing, disabled.", SET_BY_TICK, state=("ok", "failing", "disabled")
        )
        self.reddit_budget_booked = gauge(
            "reddit_budget_booked_seconds",
            "How far ahead requests to Reddit are reserved: the length of the line.",
            SET_BY_TICK,
        )
        self.gauges_last_success = gauge(
            "gauges_last_success_timestamp_seconds",
            "When the tick last brought up to date its gauges of the database, and of the bus (Unix time).",
            SET_BY_TICK,
            of=("database", "bus"),
        )

        # Rechecks and erasure.
        self.items_rechecked = counter(
            "items_rechecked_total", "Stored items that their source was asked about again.", "recheck"
        )
        self.items_erased = counter(
            "items_erased_total",
            "Items erased; cause is deleted (at their source) or old. Not what `overheard forget` erases.",
            "recheck, store, tick",
            cause=("deleted", "old"),
        )
        self.recheck_overdue = gauge("recheck_overdue_items", "Stored items whose recheck is overdue.", SET_BY_TICK)

        # Canary and alerts.
        self.canary_last_delivered = gauge(
            "canary_last_delivered_timestamp_seconds",
            "When the last canary item came out at the end (Unix time); 0: none yet, or the canary is off.",
            SET_BY_TICK,
        )
        self.canary_interval = gauge(
            "canary_interval_seconds", "Time between canary items; 0: the canary is off.", SET_BY_TICK
        )
        self.alerts = counter(
            "alerts_total",
            "Alerts to the operator's channel; outcome is sent, held back or failed.",
            SET_BY_EVERY_PROCESS,
            outcome=("sent", "held back", "failed"),
        )

        # Tick.
        self.tick_last_success = gauge(
            "tick_last_success_timestamp_seconds", "When the last tick was completed (Unix time).", SET_BY_TICK
        )
        self.due_workspaces = gauge("due_workspaces", "Workspaces that the last tick found due.", SET_BY_TICK)
        self.dead_letters = gauge("dead_letters", "Dead letters in the database.", SET_BY_TICK)
