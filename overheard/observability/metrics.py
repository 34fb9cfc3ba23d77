"""All metrics of Overheard, in base units; no label has a value that users can write.

A process creates one ``ProcessMetrics`` on a registry of its own and passes it in; `/metrics` serves that registry.
docs/metrics.md is generated from here (`make generate`).
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from overheard import __version__
from overheard.observability.metric_catalogue import MetricCatalogue

DURATION_BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
AGE_BUCKETS_SECONDS = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)

# The processes that set a metric, as docs/metrics.md shows them.
SET_BY_EVERY_PROCESS = "every process"
SET_BY_STAGES = "every stage"
SET_BY_STAGES_AND_INGRESS = "every stage, ingress"
SET_BY_TICK = "tick"

STAGE_LABEL = "a stage"
# Those that workspaces can watch.
SOURCE_NAMES = ("reddit", "hackernews", "feeds", "bluesky", "mastodon", "stackexchange", "replay")
CHANNEL_KINDS = ("webhook", "slack", "discord", "telegram", "ntfy", "email", "apprise", "file", "null")
INVALID_CHANNEL_KIND = "invalid"  # the kind of a channel that cannot be opened
OUTCOMES = ("ok", "retried", "postponed", "dead", "dropped")
EVENT_OUTCOMES = ("ok", "merged", "retried", "rejected")  # of the ingress


class ProcessMetrics(MetricCatalogue):
    """The metrics of one process. Attributes are named like the metrics, without the prefix."""

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
            "Messages a stage has finished; outcome is ok, retried, postponed, dead or dropped. Of the ingress, whose "
            "messages are public events: ok, merged (into another of the same meaning), retried or rejected.",
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
            "stage_in_progress", "Messages a stage is processing now.", SET_BY_STAGES_AND_INGRESS, stage=STAGE_LABEL
        )
        self.longest_in_progress = gauge(
            "longest_in_progress_seconds",
            "Time that the message longest in progress in this process has taken so far; 0: none is in progress.",
            SET_BY_STAGES,
        )
        self.worker_threads_alive = gauge(
            "worker_threads_alive",
            "Worker and consumer threads alive in this process.",
            SET_BY_STAGES,
            role=("worker", "consumer"),
        )

        # Sources. The source_* metrics are of each that is watched; reddit_* is what only that API has.
        self.source_up = gauge(
            "source_up",
            "1 if a watched source answers (it may refuse single feeds), 0 while every try to read from it fails.",
            SET_BY_TICK,
            source=SOURCE_NAMES,
        )
        self.source_last_success = gauge(
            "source_last_success_timestamp_seconds",
            "When a watched source was last read successfully (Unix time); 0: never.",
            SET_BY_TICK,
            source=SOURCE_NAMES,
        )
        self.source_failing = gauge(
            "source_failing_seconds",
            "For how long every try to read from a watched source has failed; 0: it answers.",
            SET_BY_TICK,
            source=SOURCE_NAMES,
        )
        self.source_login_refused = gauge(
            "source_login_refused",
            "1 while every try fails because the source refuses the login of all clients (they may be revoked), else "
            "0.",
            SET_BY_TICK,
            source=SOURCE_NAMES,
        )
        self.source_client_refused = gauge(
            "source_client_refused",
            "1 while the source refuses the login of this client, and others are used; client is its position in the "
            "configuration.",
            SET_BY_TICK,
            source=("reddit",),
            client="a number, from 1",
        )
        self.source_lag = gauge(
            "source_lag_seconds",
            "Time since the poll of the source's least recently polled healthy feed; 0: none was polled yet.",
            SET_BY_TICK,
            source=SOURCE_NAMES,
        )
        self.source_overdue = gauge(
            "source_overdue_seconds",
            "The same among the feeds for which a workspace has demanded a new reading since; 0: none waits for one.",
            SET_BY_TICK,
            source=SOURCE_NAMES,
        )
        self.reading_plan = gauge(
            "reading_plan_requests_per_second",
            "Requests for the watched feeds of a source whose readings are planned: the fewest that miss nothing "
            "(bound), those that its workspaces ask for (demanded), those of the plan (planned), and those that the "
            "plan may use (budget).",
            SET_BY_TICK,
            source=("reddit",),
            figure=("bound", "demanded", "planned", "budget"),
        )
        self.items_read = counter(
            "items_read_total",
            "Items read from a source, new or seen before; without the canary's.",
            "fetch, stream",
            source=SOURCE_NAMES,
            kind=("post", "comment"),
        )
        self.items_unreadable = counter(
            "items_unreadable_total",
            "Entries of a source that are not valid items, and are skipped.",
            "fetch, stream",
            source=SOURCE_NAMES,
        )
        self.items_opted_out = counter(
            "items_opted_out_total",
            "Items left out because their authors do not want to be found by search.",
            "fetch",
            source=("mastodon",),
        )
        self.reddit_requests = counter(
            "reddit_requests_total",
            "HTTP requests to Reddit; status is the HTTP status, blocked for a 403 with a web page (Reddit blocks this "
            "server), or error if there was no answer.",
            "fetch, recheck",
            endpoint=("token", "new", "comments", "info", "search"),
            status="an HTTP status, blocked or error",
        )
        self.reddit_budget_remaining = gauge(
            "reddit_budget_remaining",
            "Requests left in Reddit's window of ten minutes, by its last answer in that window, of all clients.",
            SET_BY_TICK,
        )
        self.coverage_gaps = counter(
            "coverage_gaps_total",
            "Gaps between two polls of a feed; reason is horizon (more new items than a listing holds), anchor (the "
            "item at which the last poll ended has disappeared), pages ([fetch] max_pages), hole (a number without an "
            "item), jump (of the numbers, which are looked up in part to see that they have no items) or outdated (the "
            "source no longer had what followed).",
            "store",
            source=SOURCE_NAMES,
            reason=("horizon", "anchor", "pages", "hole", "jump", "outdated"),
        )
        self.second_looks = counter(
            "second_looks_total",
            "Second looks at the listings of a group; outcome is done, short (the listing, or [fetch] max_pages, ended "
            "before the time it was to reach, as after one that was skipped), skipped (for want of spare budget: again "
            "for each [fetch] look_back, or half of what a busy listing holds, that passes without one) or failed.",
            "fetch, tick",
            source=("reddit",),
            outcome=("done", "short", "skipped", "failed"),
        )
        self.gaps_filled = counter(
            "gaps_filled_total", "Gaps whose items were all looked up and stored.", "store", source=("reddit",)
        )
        self.gaps_lost = counter(
            "gaps_lost_total",
            "Gaps given up; reason is age (open for two days), size (more items than the budget could look up) or "
            "unnumbered (age, of items without numbers, which could not be looked up).",
            SET_BY_TICK,
            source=SOURCE_NAMES,
            reason=("age", "size", "unnumbered"),
        )
        self.gaps_open = gauge(
            "gaps_open", "Open gaps: to be filled, or not yet given up.", SET_BY_TICK, source=SOURCE_NAMES
        )
        self.gap_numbers = gauge(
            "gap_numbers_left",
            "Item numbers that are left to be looked up to fill the open gaps.",
            SET_BY_TICK,
            source=("reddit",),
        )
        self.feeds = gauge("feeds", "Feeds by state: ok, failing, new.", SET_BY_TICK, state=("ok", "failing", "new"))
        self.feed_lag = gauge(
            "feed_lag_seconds", "Time since the poll of the least recently polled healthy feed.", SET_BY_TICK
        )

        # Budgets.
        self.rate_limit_waits = counter(
            "rate_limit_waits_total",
            "Waits for a slot of a budget; key_kind is a source or channel.",
            "fetch, notify, recheck",
            key_kind=("reddit", "hackernews", "mastodon", "stackexchange", "channel"),
        )
        self.rate_limit_wait = histogram(
            "rate_limit_wait_seconds",
            "Duration of the waits for a slot of a budget.",
            "fetch, notify, recheck",
            DURATION_BUCKETS_SECONDS,
        )

        # Matching and mentions.
        self.queries = gauge("queries", "Queries in the index.", "match")
        self.always_evaluated = gauge(
            "always_evaluated_queries",
            "Distinct queries that need no word, and are evaluated for each item, or each of a place or an author.",
            "match",
        )
        self.refused_queries = gauge(
            "refused_queries",
            "Stored queries that would be refused today; matched says whether they are still matched.",
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
            "Age of an item, since it was created, when its mention was stored; without backfilled items.",
            "store",
            AGE_BUCKETS_SECONDS,
        )

        # The sample of recent items.
        self.items_sampled = counter(
            "items_sampled_total", "Items put into the sample of recent items.", "store", source=SOURCE_NAMES
        )
        self.sample_items = gauge(
            "sample_items", "Items in the sample of recent items.", SET_BY_TICK, source=SOURCE_NAMES
        )

        # Delivery.
        self.deliveries = counter(
            "deliveries_total",
            "Delivery attempts, without the canary's; outcome is sent, retried, failed or disabled. A channel that "
            "could not be opened, and was disabled, has the kind invalid.",
            "notify",
            channel_kind=(*CHANNEL_KINDS, INVALID_CHANNEL_KIND),
            outcome=("sent", "retried", "failed", "disabled"),
        )
        self.item_to_delivered = histogram(
            "item_to_delivered_seconds",
            "Age of an item, since it was created, when it was delivered.",
            "notify",
            AGE_BUCKETS_SECONDS,
        )
        self.deliveries_pending = gauge("deliveries_pending", "Deliveries waiting to be sent.", SET_BY_TICK)

        # The bus and the oldest work, gathered by the tick.
        self.queue_messages = gauge(
            "queue_messages",
            "Messages on a queue: ready to be processed, delayed, or dead-lettered.",
            SET_BY_TICK,
            queue="a queue of ours",
            state=("ready", "delayed", "dead"),
        )
        self.queue_consumers = gauge("queue_consumers", "Consumers of a queue.", SET_BY_TICK, queue="a queue of ours")
        self.oldest_work = gauge(
            "oldest_work_seconds",
            "Age of the oldest unfinished work; work is run, poll, delivery (to a channel that is not failing) or "
            "digest; 0: none waits.",
            SET_BY_TICK,
            work=("run", "poll", "delivery", "digest"),
        )
        self.channels = gauge(
            "channels", "Channels by state: ok, failing, disabled.", SET_BY_TICK, state=("ok", "failing", "disabled")
        )
        self.reddit_budget_booked = gauge(
            "reddit_budget_booked_seconds",
            "How far ahead slots for requests to Reddit are reserved, of the client with the next free one.",
            SET_BY_TICK,
        )
        self.gauges_last_success = gauge(
            "gauges_last_success_timestamp_seconds",
            "When the tick last updated its gauges of the database or the bus (Unix time).",
            SET_BY_TICK,
            of=("database", "bus"),
        )

        # Rechecks and erasure.
        self.items_rechecked = counter(
            "items_rechecked_total", "Stored items that were rechecked at their source.", "recheck"
        )
        self.items_erased = counter(
            "items_erased_total",
            "Items erased; cause is deleted (at their source) or old. Without those erased by `overheard forget`.",
            "recheck, store, tick",
            cause=("deleted", "old"),
        )
        self.recheck_overdue = gauge("recheck_overdue_items", "Stored items whose recheck is overdue.", SET_BY_TICK)

        # Canary and alerts.
        self.canary_last_delivered = gauge(
            "canary_last_delivered_timestamp_seconds",
            "When the last canary item was delivered (Unix time); 0: none yet, or the canary is off.",
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
        self.due_workspaces = gauge("due_workspaces", "Due workspaces that the last tick found.", SET_BY_TICK)
        self.dead_letters = gauge("dead_letters", "Dead letters in the database.", SET_BY_TICK)

    def count_read(self, source: str, kinds: Iterable[str]) -> None:
        """Count items read from a source, each by its kind."""
        for kind, count in Counts(kinds).items():
            self.items_read.labels(source, kind).inc(count)
