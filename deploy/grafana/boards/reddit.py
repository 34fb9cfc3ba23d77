"""Reddit: requests, the budget, feeds, what was missed, rechecks."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.colours import QUANTILES, STATES, STATUS
from deploy.grafana.document import Part, Row, board
from deploy.grafana.panels import Panel, Query, Steps, curves, number
from deploy.grafana.quantiles import quantiles

REQUESTS = 'overheard_reddit_requests_total{job="overheard"}'


def make() -> Dashboard:
    """The board for everything that depends on Reddit."""
    return board(
        "overheard-reddit",
        "Reddit",
        "Requests and the budget they share, feeds and their lag, gaps, rechecks.",
        Part("Now", (Row(_figures(), height=4),)),
        Part("Requests", (Row(_requests()),)),
        Part("Budget", (Row(_budget()),)),
        Part("Feeds", (Row(_feeds()),)),
        Part("Rechecks and erasure", (Row(_rechecks()),)),
    )


def _figures() -> tuple[Panel, ...]:
    return (
        number(
            "Requests a minute",
            "Requests to Reddit in the last minutes. Reddit allows 100 a minute for each client id; we keep to "
            "[sources.reddit] requests_per_minute.",
            "short",
            Query("60 * sum(overheard:reddit_requests:rate5m)"),
            Steps(90, 100),
            decimals=0,
        ),
        number(
            "Failing",
            "Share of the requests without answer, with 5xx, 401 or 429, or with a page that turns this server away.",
            "percentunit",
            Query("overheard:reddit_failures:ratio_rate15m"),
            Steps(0.1, 0.5),
            decimals=1,
        ),
        number(
            "Feeds refused",
            "Feeds that Reddit refuses (private, banned, missing). Each is tried again by itself.",
            "short",
            Query('max(overheard_feeds{job="overheard", state="failing"})'),
            Steps(warn=1),
            decimals=0,
        ),
        number(
            "Lag",
            "How long ago the least recently read healthy feed was read. The rarest schedule sets it.",
            "s",
            Query('max(overheard_feed_lag_seconds{job="overheard"})'),
            Steps(),
            decimals=0,
        ),
        number(
            "Gaps, 24 h",
            "Readings that could not reach back to the one before: items were missed.",
            "short",
            Query('sum(increase(overheard_coverage_gaps_total{job="overheard"}[24h]))'),
            Steps(bad=1),
            decimals=0,
        ),
        number(
            "Rechecks overdue",
            "Stored items that were not checked for deletion within their time.",
            "short",
            Query('max(overheard_recheck_overdue_items{job="overheard"})'),
            Steps(1, 1000),
            decimals=0,
        ),
    )


def _requests() -> tuple[Panel, ...]:
    return (
        curves(
            "Requests by status",
            "200: answered. 403, 404: a subreddit refuses. 429: too fast. blocked: this server is turned away. error: "
            "no answer at all.",
            "reqps",
            Query(f"sum by (status) (rate({REQUESTS}[$__rate_interval]))", "{{status}}"),
            colours=STATUS,
            stacked=True,
        ),
        curves(
            "Requests by endpoint",
            "new: posts; comments; info: rechecks; token: logins, one an hour for each process.",
            "reqps",
            Query(f"sum by (endpoint) (rate({REQUESTS}[$__rate_interval]))", "{{endpoint}}"),
            stacked=True,
        ),
        curves(
            "Items a request",
            "What a request brings, of 100 at most. Low: little is new, or many feeds are read one by one.",
            "short",
            Query(
                'sum(rate(overheard_items_fetched_total{job="overheard"}[$__rate_interval]))'
                ' / sum(rate(overheard_reddit_requests_total{job="overheard", endpoint=~"new|comments", status="200"}'
                "[$__rate_interval]))",
                "items",
            ),
            most=100,
        ),
    )


def _budget() -> tuple[Panel, ...]:
    return (
        curves(
            "Requests left",
            "What Reddit's last answer said is left in its window of ten minutes. It falls faster than we ask when "
            "somebody else uses the same credentials. A gap: it was not asked for so long.",
            "short",
            Query('max(overheard_reddit_budget_remaining{job="overheard"})', "left"),
            Steps(50, 10, low=True),
        ),
        curves(
            "The line",
            "How far ahead requests are reserved. At 5 minutes nobody lines up any more, and asks again later.",
            "s",
            Query('max(overheard_reddit_budget_booked_seconds{job="overheard"})', "line"),
            Steps(60, 120),
        ),
        curves(
            "Waits for a turn",
            "Times a second that something had to wait for its turn at Reddit's budget.",
            "cps",
            Query(
                'sum(rate(overheard_rate_limit_waits_total{job="overheard", key_kind="reddit"}[$__rate_interval]))',
                "waits",
            ),
        ),
        curves(
            "Length of waits",
            "For Reddit's budget, and for channels' own. Beyond a second no thread waits: the message comes back.",
            "s",
            quantiles("overheard_rate_limit_wait_seconds"),
            Steps(warn=60),
            colours=QUANTILES,
        ),
    )


def _feeds() -> tuple[Panel, ...]:
    return (
        curves(
            "Feeds by state",
            "A feed is one listing (posts or comments of a subreddit), shared by all workspaces. New: not read yet.",
            "short",
            Query('max by (state) (overheard_feeds{job="overheard"})', "{{state}}"),
            colours=STATES,
            stacked=True,
        ),
        curves(
            "Lag",
            "How long ago the least recently read healthy feed was read, and any of them. No answer: for how long each "
            "try has failed.",
            "s",
            (
                Query('max(overheard_feed_lag_seconds{job="overheard"})', "lag"),
                Query(
                    'time() - max(overheard_reddit_last_success_timestamp_seconds{job="overheard"} > 0)', "last reading"
                ),
                Query('max(overheard_reddit_failing_seconds{job="overheard"})', "no answer"),
            ),
        ),
        curves(
            "Items read",
            "Posts and comments a second, seen before or not; unreadable: what has not the form of an item.",
            "cps",
            (
                Query(
                    'sum by (kind) (rate(overheard_items_fetched_total{job="overheard"}[$__rate_interval]))', "{{kind}}"
                ),
                Query('sum(rate(overheard_items_unreadable_total{job="overheard"}[$__rate_interval]))', "unreadable"),
            ),
            stacked=True,
        ),
        curves(
            "Gaps, last hour",
            "Readings that could not reach back to the one before: Reddit lists the newest 1,000 items only.",
            "short",
            Query('sum(increase(overheard_coverage_gaps_total{job="overheard"}[1h]))', "gaps"),
            Steps(bad=1),
        ),
    )


def _rechecks() -> tuple[Panel, ...]:
    return (
        curves(
            "Rechecked",
            "Stored items a second that Reddit was asked about again, 100 a request, from what the budget has left.",
            "cps",
            Query('sum(rate(overheard_items_rechecked_total{job="overheard"}[$__rate_interval]))', "rechecked"),
        ),
        curves(
            "Erased, last hour",
            "Items erased because they were deleted on Reddit, or old. What overheard forget erases is not shown.",
            "short",
            Query('sum by (cause) (increase(overheard_items_erased_total{job="overheard"}[1h]))', "{{cause}}"),
        ),
        curves(
            "Overdue",
            "Stored items whose recheck is overdue.",
            "short",
            Query('max(overheard_recheck_overdue_items{job="overheard"})', "overdue"),
            Steps(1, 1000),
        ),
    )
