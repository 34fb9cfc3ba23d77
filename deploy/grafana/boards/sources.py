"""Sources: all of them side by side, and a row for each that is watched."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import REPEATED_BY_SOURCE, DashboardRow, dashboard
from deploy.grafana.panels import Thresholds, stat_panel, timeseries_panel
from deploy.grafana.queries import PanelQuery, gauge_max, increase, rate, time_since

ONE = 'source="$source"'  # of a row that is repeated


def build() -> Dashboard:
    """Return the board that shows where items come from, and which source is in trouble."""
    return dashboard(
        "overheard-sources",
        "Sources",
        "Which sources answer, how fresh they are, and what is read from each.",
        {
            "All sources": [_all()],
            REPEATED_BY_SOURCE: [_figures(), _one()],
        },
    )


def _all() -> DashboardRow:
    return (
        timeseries_panel(
            "Up",
            "1: the source answers, even if it refuses single feeds; 0: every try to read from it fails.",
            "short",
            gauge_max("overheard_source_up", by="source"),
            axis_max=1,
        ),
        timeseries_panel(
            "Items read",
            "Posts and comments per second, by source, seen before or not; opted out: left out because their authors "
            "do not want to be found.",
            "cps",
            (
                rate("overheard_items_read_total", by="source"),
                rate("overheard_items_opted_out_total", "opted out"),
            ),
            stacked=True,
        ),
        timeseries_panel(
            "Lag",
            "How long ago the least recently read healthy feed was read, of all sources and of each.",
            "s",
            (
                gauge_max("overheard_feed_lag_seconds", "all"),
                gauge_max("overheard_source_lag_seconds", by="source"),
            ),
        ),
    )


def _figures() -> DashboardRow:
    return (
        stat_panel(
            "Up",
            "1: the source answers; 0: every try to read from it fails.",
            "short",
            gauge_max("overheard_source_up", where=ONE),
            Thresholds(bad=1, below=True),
        ),
        stat_panel(
            "Last reading",
            "How long ago the source was last read. Workspaces that run seldom make it old.",
            "s",
            time_since("overheard_source_last_success_timestamp_seconds", where=ONE),
        ),
        stat_panel(
            "Overdue",
            "How old the oldest healthy feed is for which a new reading was demanded; 0: none waits for one.",
            "s",
            gauge_max("overheard_source_overdue_seconds", where=ONE),
            Thresholds(300, 900),
        ),
        stat_panel(
            "Login refused",
            "1: the source refuses the login of all clients. It may have revoked them.",
            "short",
            gauge_max("overheard_source_login_refused", where=ONE),
            Thresholds(bad=1),
        ),
        stat_panel(
            "Clients refused",
            "Clients that the source refuses while it accepts others: less budget. 0 where there is only one.",
            "short",
            PanelQuery(
                f'sum(max by (client) (overheard_source_client_refused{{job="overheard", {ONE}}})) or vector(0)'
            ),
            Thresholds(warn=1),
        ),
        stat_panel(
            "Gaps, 24 h",
            "Readings that could not reach back to the previous one: items were missed.",
            "short",
            increase("overheard_coverage_gaps_total", "24h", where=ONE),
            Thresholds(bad=1),
        ),
    )


def _one() -> DashboardRow:
    return (
        timeseries_panel(
            "Items read",
            "Posts and comments per second, seen before or not; unreadable: entries that are not valid items.",
            "cps",
            (
                rate("overheard_items_read_total", by="kind", where=ONE),
                rate("overheard_items_unreadable_total", "unreadable", where=ONE),
            ),
            stacked=True,
        ),
        timeseries_panel(
            "Lag",
            "lag: how long ago the least recently read healthy feed was read; overdue: of those for which a reading "
            "was demanded since.",
            "s",
            (
                gauge_max("overheard_source_lag_seconds", "lag", where=ONE),
                gauge_max("overheard_source_overdue_seconds", "overdue", where=ONE),
            ),
            Thresholds(warn=900),
        ),
        timeseries_panel(
            "No answer",
            "How long every request has failed.",
            "s",
            gauge_max("overheard_source_failing_seconds", where=ONE),
            Thresholds(warn=300),
        ),
        timeseries_panel(
            "Planned requests",
            "Requests per second for the watched feeds. bound: the fewest that miss nothing; demanded: what workspaces "
            "ask for; planned: what is read; budget: what the plan may use. Empty where a request reads one feed.",
            "reqps",
            gauge_max("overheard_reading_plan_requests_per_second", by="figure", where=ONE),
        ),
        timeseries_panel(
            "Gaps and second looks, last hour",
            "Readings that could not reach back to the previous one, by reason; filled: gaps whose items were all "
            "looked up since; lost: gaps given up; open: the others, and the requests that are left to fill them. And "
            "second looks: done, short of what they were to reach because the listing ended, skipped for want of spare "
            "budget, or failed.",
            "short",
            (
                increase("overheard_coverage_gaps_total", "1h", by="reason", where=ONE),
                increase("overheard_gaps_filled_total", "1h", "filled", where=ONE),
                increase("overheard_gaps_lost_total", "1h", "lost", where=ONE),
                gauge_max("overheard_gaps_open", "open", where=ONE),
                PanelQuery(f'max(overheard_gap_numbers_left{{job="overheard", {ONE}}}) / 100', "requests left"),
                increase("overheard_second_looks_total", "1h", by="outcome", where=ONE),
            ),
        ),
        timeseries_panel(
            "Sample",
            "Recent items that are kept to try queries on, and how many were added in the last hour.",
            "short",
            (
                gauge_max("overheard_sample_items", "items", where=ONE),
                increase("overheard_items_sampled_total", "1h", "added", where=ONE),
            ),
        ),
    )
