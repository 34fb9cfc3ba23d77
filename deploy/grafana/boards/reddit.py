"""Reddit: requests, the budget, feeds, gaps, rechecks."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, dashboard
from deploy.grafana.panels import Thresholds, stat_panel, timeseries_panel
from deploy.grafana.queries import PanelQuery, gauge_max, increase, quantiles, rate, time_since

REDDIT = 'source="reddit"'


def build() -> Dashboard:
    """Return the board for everything that depends on Reddit."""
    return dashboard(
        "overheard-reddit",
        "Reddit",
        "Requests and the budget they share, feeds and their lag, gaps, rechecks.",
        {
            "Now": [_figures()],
            "Requests": [_requests()],
            "Budget": [_budget()],
            "Feeds": [_feeds()],
            "Rechecks and erasure": [_rechecks()],
        },
    )


def _figures() -> DashboardRow:
    return (
        stat_panel(
            "Requests per minute",
            "Requests to Reddit in the last minutes, of all clients. Reddit allows 100 per minute and client id; the "
            "limit here is [sources.reddit] requests_per_minute for each.",
            "short",
            PanelQuery("60 * sum(overheard:reddit_requests:rate5m)"),
        ),
        stat_panel(
            "Failing",
            "Share of the requests without an answer, with 5xx, 401 or 429, or with a page that blocks this server.",
            "percentunit",
            PanelQuery("overheard:reddit_failures:ratio_rate15m"),
            Thresholds(0.1, 0.5),
        ),
        stat_panel(
            "Feeds refused",
            "Feeds that Reddit refuses (private, banned, missing). Each is retried automatically.",
            "short",
            gauge_max("overheard_feeds", where='state="failing"'),
            Thresholds(warn=1),
        ),
        stat_panel(
            "Lag",
            "How long ago the least recently read healthy feed was read. The longest interval determines it.",
            "s",
            gauge_max("overheard_source_lag_seconds", where=REDDIT),
        ),
        stat_panel(
            "Gaps, 24 h",
            "Polls that could not reach back to the previous one: items were missed.",
            "short",
            increase("overheard_coverage_gaps_total", "24h", where=REDDIT),
            Thresholds(bad=1),
        ),
        stat_panel(
            "Rechecks overdue",
            "Stored items that were not checked for deletion in time.",
            "short",
            gauge_max("overheard_recheck_overdue_items"),
            Thresholds(1, 1000),
        ),
    )


def _requests() -> DashboardRow:
    return (
        timeseries_panel(
            "Requests by status",
            "200: answered. 403, 404: a subreddit is refused. 429: too fast. blocked: by address or user agent. error: "
            "no answer.",
            "reqps",
            rate("overheard_reddit_requests_total", by="status"),
            stacked=True,
        ),
        timeseries_panel(
            "Requests by endpoint",
            "new: posts; comments; info: rechecks; token: logins, one per hour and process.",
            "reqps",
            rate("overheard_reddit_requests_total", by="endpoint"),
            stacked=True,
        ),
        timeseries_panel(
            "Items per request",
            "Items that a request returns, at most 100. Low: there is little news, or many feeds are read one by one.",
            "short",
            PanelQuery(
                'sum(rate(overheard_items_read_total{job="overheard", source="reddit"}[$__rate_interval]))'
                ' / sum(rate(overheard_reddit_requests_total{job="overheard", endpoint=~"new|comments", status="200"}'
                "[$__rate_interval]))",
                "items",
            ),
            axis_max=100,
        ),
    )


def _budget() -> DashboardRow:
    return (
        timeseries_panel(
            "Requests left",
            "Requests left in Reddit's window of ten minutes, by its last answers to all clients. It falls faster than "
            "requests are made if another program uses the same credentials. A gap: no request was made for that long.",
            "short",
            gauge_max("overheard_reddit_budget_remaining", "left"),
            Thresholds(50, 10, below=True),
        ),
        timeseries_panel(
            "Budget reserved ahead",
            "How far ahead requests are reserved. At 5 minutes no more slots are reserved, and work is tried "
            "again later.",
            "s",
            gauge_max("overheard_reddit_budget_booked_seconds", "reserved ahead"),
            Thresholds(60, 120),
        ),
        timeseries_panel(
            "Rate-limit waits",
            "Times per second that a message had to wait for its slot in Reddit's budget.",
            "cps",
            rate("overheard_rate_limit_waits_total", "waits", where='key_kind="reddit"'),
        ),
        timeseries_panel(
            "Length of waits",
            "For Reddit's budget and for channels' rate limits. For more than a second no thread waits: the message is "
            "postponed.",
            "s",
            quantiles("overheard_rate_limit_wait_seconds"),
            Thresholds(warn=60),
        ),
    )


def _feeds() -> DashboardRow:
    return (
        timeseries_panel(
            "Feeds by state",
            "A feed is one listing (posts or comments of a subreddit), shared by all workspaces. New: not read yet.",
            "short",
            gauge_max("overheard_feeds", by="state"),
            stacked=True,
        ),
        timeseries_panel(
            "Lag",
            "lag: how long ago the least recently read healthy feed was read; last reading: any feed; no answer: how "
            "long every request has failed.",
            "s",
            (
                gauge_max("overheard_source_lag_seconds", "lag", where=REDDIT),
                time_since("overheard_source_last_success_timestamp_seconds", "last reading", where=REDDIT),
                gauge_max("overheard_source_failing_seconds", "no answer", where=REDDIT),
            ),
        ),
        timeseries_panel(
            "Items read",
            "Posts and comments per second, seen before or not; unreadable: entries that are not valid items.",
            "cps",
            (
                rate("overheard_items_read_total", by="kind", where=REDDIT),
                rate("overheard_items_unreadable_total", "unreadable", where=REDDIT),
            ),
            stacked=True,
        ),
        timeseries_panel(
            "Gaps, last hour",
            "Polls that could not reach back to the previous one: Reddit lists only the newest 1,000 items; filled: "
            "gaps whose items were all looked up since.",
            "short",
            (
                increase("overheard_coverage_gaps_total", "1h", "gaps", where=REDDIT),
                increase("overheard_gaps_filled_total", "1h", "filled", where=REDDIT),
            ),
            Thresholds(bad=1),
        ),
    )


def _rechecks() -> DashboardRow:
    return (
        timeseries_panel(
            "Rechecked",
            "Stored items per second that were looked up again, 100 per request, with spare budget.",
            "cps",
            rate("overheard_items_rechecked_total", "rechecked"),
        ),
        timeseries_panel(
            "Erased, last hour",
            "Items erased because they were deleted on Reddit, or old. Those of overheard forget are not included.",
            "short",
            increase("overheard_items_erased_total", "1h", by="cause"),
        ),
        timeseries_panel(
            "Overdue",
            "Stored items whose recheck is overdue.",
            "short",
            gauge_max("overheard_recheck_overdue_items", "overdue"),
            Thresholds(1, 1000),
        ),
    )
