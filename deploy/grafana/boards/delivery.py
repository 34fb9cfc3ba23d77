"""Delivery: what is delivered, how old it is, and what fails."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, dashboard
from deploy.grafana.panels import Thresholds, stat_panel, timeseries_panel
from deploy.grafana.queries import PanelQuery, gauge_max, increase, quantiles, rate


def build() -> Dashboard:
    """Return the board for everything after store."""
    return dashboard(
        "overheard-delivery",
        "Delivery",
        "Delivery attempts by outcome, age at delivery, backlog, channels and their state.",
        {
            "Now": [_figures()],
            "Attempts": [_tries()],
            "Age and backlog": [_age()],
            "Channels": [_channels()],
            "Digests and alerts": [_rest()],
        },
    )


def _figures() -> DashboardRow:
    return (
        stat_panel(
            "Pending",
            "Deliveries waiting to be sent, including those waiting for their next attempt.",
            "short",
            gauge_max("overheard_deliveries_pending"),
            Thresholds(1000, 10000),
        ),
        stat_panel(
            "Oldest due",
            "How long the oldest unsent delivery has been due. Those waiting for their next attempt are not due.",
            "s",
            gauge_max("overheard_oldest_work_seconds", where='work="delivery"'),
            Thresholds(300, 900),
        ),
        stat_panel(
            "Failing attempts",
            "Share of all attempts that were retried, failed or disabled the channel, over 15 minutes.",
            "percentunit",
            PanelQuery("overheard:delivery_failures:ratio_rate15m"),
            Thresholds(0.1, 0.5),
        ),
        stat_panel(
            "Channels failing",
            "Channels whose last attempt failed. Each is retried, and disabled after five days of failures only.",
            "short",
            gauge_max("overheard_channels", where='state="failing"'),
            Thresholds(warn=1),
        ),
        stat_panel(
            "Channels disabled",
            "Channels to which nothing is sent any more. To enable one: overheard channel enable.",
            "short",
            gauge_max("overheard_channels", where='state="disabled"'),
            Thresholds(warn=1),
        ),
        stat_panel(
            "Delivered, 24 h",
            "Deliveries that were accepted in the last 24 hours.",
            "short",
            increase("overheard_deliveries_total", "24h", where='outcome="sent"'),
        ),
    )


def _tries() -> DashboardRow:
    return (
        timeseries_panel(
            "Attempts by outcome",
            "sent: accepted. retried: tried again later. failed: given up. disabled: given up with the channel.",
            "cps",
            rate("overheard_deliveries_total", by="outcome"),
            stacked=True,
        ),
        timeseries_panel(
            "Attempts by kind of channel",
            "Signed webhooks, and everything sent by Apprise.",
            "cps",
            rate("overheard_deliveries_total", by="channel_kind"),
            stacked=True,
        ),
        timeseries_panel(
            "Failing share",
            "Share of all attempts, by kind of channel, over 15 minutes.",
            "percentunit",
            PanelQuery(
                'sum by (channel_kind) (overheard:deliveries:rate15m{outcome!="sent"})'
                " / sum by (channel_kind) (overheard:deliveries:rate15m)",
                "{{channel_kind}}",
            ),
            Thresholds(0.1, 0.5),
            axis_max=1,
        ),
    )


def _age() -> DashboardRow:
    return (
        timeseries_panel(
            "Age of items when delivered",
            "From being written on Reddit to being accepted by a receiver. Digests are old by design.",
            "s",
            quantiles("overheard_item_to_delivered_seconds"),
            Thresholds(warn=900),
        ),
        timeseries_panel(
            "Pending",
            "Deliveries waiting to be sent, including those waiting for their next attempt.",
            "short",
            gauge_max("overheard_deliveries_pending", "pending"),
            Thresholds(1000, 10000),
        ),
        timeseries_panel(
            "Oldest due",
            "Age of the oldest delivery and of the oldest digest that should be done by now.",
            "s",
            gauge_max("overheard_oldest_work_seconds", by="work", where='work=~"delivery|digest"'),
            Thresholds(300, 900),
        ),
    )


def _channels() -> DashboardRow:
    return (
        timeseries_panel(
            "Channels by state",
            "ok; failing: the last attempt failed; disabled: nothing is sent there any more.",
            "short",
            gauge_max("overheard_channels", by="state"),
            stacked=True,
        ),
        timeseries_panel(
            "Channel rate-limit waits",
            "Times per second that a channel had to wait for its own rate limit ([notify] per_minute).",
            "cps",
            rate("overheard_rate_limit_waits_total", "waits", where='key_kind="channel"'),
        ),
        timeseries_panel(
            "Duration of notify",
            "One message of notify is one batch of a channel: up to [notify] batch deliveries.",
            "s",
            quantiles("overheard_stage_duration_seconds", 'stage="notify"'),
            Thresholds(60, 200),
        ),
    )


def _rest() -> DashboardRow:
    return (
        timeseries_panel(
            "Digests composed",
            "Messages of the digest stage per second, by outcome.",
            "cps",
            rate("overheard_stage_messages_total", by="outcome", where='stage="digest"'),
        ),
        timeseries_panel(
            "Channels disabled, last hour",
            "Channels that were disabled: their receiver asked us to stop, or rejected everything for five days.",
            "short",
            increase("overheard_deliveries_total", "1h", "disabled", where='outcome="disabled"'),
            Thresholds(bad=1),
        ),
        timeseries_panel(
            "Alerts to the operator, last hour",
            "Alerts about failed runs to the operator's own channel.",
            "short",
            increase("overheard_alerts_total", "1h", by="outcome"),
        ),
    )
