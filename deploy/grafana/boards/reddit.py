"""Reddit: requests, the budget, feeds, what was missed, rechecks."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, board
from deploy.grafana.panels import Thresholds, curves, number
from deploy.grafana.queries import PanelQuery, increase, latest, quantiles, rate


def make() -> Dashboard:
    """The board for everything that depends on Reddit."""
    return board(
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
        number(
            "Requests a minute",
            "Requests to Reddit in the last minutes. Reddit allows 100 a minute for each client id; we keep to "
            "[sources.reddit] requests_per_minute.",
            "short",
            PanelQuery("60 * sum(overheard:reddit_requests:rate5m)"),
            Thresholds(90, 100),
        ),
        number(
            "Failing",
            "Share of the requests without answer, with 5xx, 401 or 429, or with a page that turns this server away.",
            "percentunit",
            PanelQuery("overheard:reddit_failures:ratio_rate15m"),
            Thresholds(0.1, 0.5),
        ),
        number(
            "Feeds refused",
            "Feeds that Reddit refuses (private, banned, missing). Each is tried again by itself.",
            "short",
            latest("overheard_feeds", where='state="failing"'),
            Thresholds(warn=1),
        ),
        number(
            "Lag",
            "How long ago the least recently read healthy feed was read. The rarest schedule sets it.",
            "s",
            latest("overheard_feed_lag_seconds"),
        ),
        number(
            "Gaps, 24 h",
            "Readings that could not reach back to the one before: items were missed.",
            "short",
            increase("overheard_coverage_gaps_total", "24h"),
            Thresholds(bad=1),
        ),
        number(
            "Rechecks overdue",
            "Stored items that were not checked for deletion within their time.",
            "short",
            latest("overheard_recheck_overdue_items"),
            Thresholds(1, 1000),
        ),
    )


def _requests() -> DashboardRow:
    return (
        curves(
            "Requests by status",
            "200: answered. 403, 404: a subreddit refuses. 429: too fast. blocked: this server is turned away. error: "
            "no answer at all.",
            "reqps",
            rate("overheard_reddit_requests_total", by="status"),
            stacked=True,
        ),
        curves(
            "Requests by endpoint",
            "new: posts; comments; info: rechecks; token: logins, one an hour for each process.",
            "reqps",
            rate("overheard_reddit_requests_total", by="endpoint"),
            stacked=True,
        ),
        curves(
            "Items a request",
            "What a request brings, of 100 at most. Low: little is new, or many feeds are read one by one.",
            "short",
            PanelQuery(
                'sum(rate(overheard_items_fetched_total{job="overheard"}[$__rate_interval]))'
                ' / sum(rate(overheard_reddit_requests_total{job="overheard", endpoint=~"new|comments", status="200"}'
                "[$__rate_interval]))",
                "items",
            ),
            most=100,
        ),
    )


def _budget() -> DashboardRow:
    return (
        curves(
            "Requests left",
            "What Reddit's last answer said is left in its window of ten minutes. It falls faster than we ask when "
            "somebody else uses the same credentials. A gap: it was not asked for so long.",
            "short",
            latest("overheard_reddit_budget_remaining", "left"),
            Thresholds(50, 10, low=True),
        ),
        curves(
            "The line",
            "How far ahead requests are reserved. At 5 minutes nobody lines up any more, and asks again later.",
            "s",
            latest("overheard_reddit_budget_booked_seconds", "line"),
            Thresholds(60, 120),
        ),
        curves(
            "Waits for a turn",
            "Times a second that something had to wait for its turn at Reddit's budget.",
            "cps",
            rate("overheard_rate_limit_waits_total", "waits", where='key_kind="reddit"'),
        ),
        curves(
            "Length of waits",
            "For Reddit's budget, and for channels' own. Beyond a second no thread waits: the message comes back.",
            "s",
            quantiles("overheard_rate_limit_wait_seconds"),
            Thresholds(warn=60),
        ),
    )


def _feeds() -> DashboardRow:
    return (
        curves(
            "Feeds by state",
            "A feed is one listing (posts or comments of a subreddit), shared by all workspaces. New: not read yet.",
            "short",
            latest("overheard_feeds", by="state"),
            stacked=True,
        ),
        curves(
            "Lag",
            "How long ago the least recently read healthy feed was read, and any of them. No answer: for how long each "
            "try has failed.",
            "s",
            (
                latest("overheard_feed_lag_seconds", "lag"),
                PanelQuery(
                    'time() - max(overheard_reddit_last_success_timestamp_seconds{job="overheard"} > 0)', "last reading"
                ),
                latest("overheard_reddit_failing_seconds", "no answer"),
            ),
        ),
        curves(
            "Items read",
            "Posts and comments a second, seen before or not; unreadable: what has not the form of an item.",
            "cps",
            (
                rate("overheard_items_fetched_total", by="kind"),
                rate("overheard_items_unreadable_total", "unreadable"),
            ),
            stacked=True,
        ),
        curves(
            "Gaps, last hour",
            "Readings that could not reach back to the one before: Reddit lists the newest 1,000 items only.",
            "short",
            increase("overheard_coverage_gaps_total", "1h", "gaps"),
            Thresholds(bad=1),
        ),
    )


def _rechecks() -> DashboardRow:
    return (
        curves(
            "Rechecked",
            "Stored items a second that Reddit was asked about again, 100 a request, from what the budget has left.",
            "cps",
            rate("overheard_items_rechecked_total", "rechecked"),
        ),
        curves(
            "Erased, last hour",
            "Items erased because they were deleted on Reddit, or old. What overheard forget erases is not shown.",
            "short",
            increase("overheard_items_erased_total", "1h", by="cause"),
        ),
        curves(
            "Overdue",
            "Stored items whose recheck is overdue.",
            "short",
            latest("overheard_recheck_overdue_items", "overdue"),
            Thresholds(1, 1000),
        ),
    )
