"""Delivery: what reaches the world, how old, and what does not."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.document import DashboardRow, board
from deploy.grafana.panels import Thresholds, curves, number
from deploy.grafana.queries import PanelQuery, increase, latest, quantiles, rate


def make() -> Dashboard:
    """The board for everything behind store."""
    return board(
        "overheard-delivery",
        "Delivery",
        "Tries to deliver by outcome, age at delivery, what waits, channels and their state.",
        {
            "Now": [_figures()],
            "Tries": [_tries()],
            "Age and backlog": [_age()],
            "Channels": [_channels()],
            "Digests and alerts": [_rest()],
        },
    )


def _figures() -> DashboardRow:
    return (
        number(
            "Pending",
            "Deliveries that wait to be sent, those that wait for their next try included.",
            "short",
            latest("overheard_deliveries_pending"),
            Thresholds(1000, 10000),
        ),
        number(
            "Oldest due",
            "How long the oldest unsent delivery has been due. Those that wait for their next try are not due.",
            "s",
            latest("overheard_oldest_work_seconds", where='work="delivery"'),
            Thresholds(300, 900),
        ),
        number(
            "Tries that fail",
            "Share of all tries that were retried, failed or disabled the channel, over 15 minutes.",
            "percentunit",
            PanelQuery("overheard:delivery_failures:ratio_rate15m"),
            Thresholds(0.1, 0.5),
        ),
        number(
            "Channels failing",
            "Channels whose last try failed. Each is tried again, and disabled after five days of nothing else.",
            "short",
            latest("overheard_channels", where='state="failing"'),
            Thresholds(warn=1),
        ),
        number(
            "Channels disabled",
            "Channels to which nothing is sent any more: overheard channel enable.",
            "short",
            latest("overheard_channels", where='state="disabled"'),
            Thresholds(warn=1),
        ),
        number(
            "Delivered, 24 h",
            "Deliveries that a receiver took in the last 24 hours.",
            "short",
            increase("overheard_deliveries_total", "24h", where='outcome="sent"'),
        ),
    )


def _tries() -> DashboardRow:
    return (
        curves(
            "Tries by outcome",
            "sent: taken. retried: tried again later. failed: given up for good. disabled: with the channel.",
            "cps",
            rate("overheard_deliveries_total", by="outcome"),
            stacked=True,
        ),
        curves(
            "Tries by kind of channel",
            "Signed webhooks, and everything that Apprise sends.",
            "cps",
            rate("overheard_deliveries_total", by="channel_kind"),
            stacked=True,
        ),
        curves(
            "Share that fails",
            "Of all tries, by kind of channel, over 15 minutes.",
            "percentunit",
            PanelQuery(
                'sum by (channel_kind) (overheard:deliveries:rate15m{outcome!="sent"})'
                " / sum by (channel_kind) (overheard:deliveries:rate15m)",
                "{{channel_kind}}",
            ),
            Thresholds(0.1, 0.5),
            most=1,
        ),
    )


def _age() -> DashboardRow:
    return (
        curves(
            "Age of items when delivered",
            "From being written on Reddit to being taken by a receiver. Digests are old by design.",
            "s",
            quantiles("overheard_item_to_delivered_seconds"),
            Thresholds(warn=900),
        ),
        curves(
            "Pending",
            "Deliveries that wait to be sent, those that wait for their next try included.",
            "short",
            latest("overheard_deliveries_pending", "pending"),
            Thresholds(1000, 10000),
        ),
        curves(
            "Oldest due",
            "Age of the oldest delivery, and of the oldest digest, that should have been done by now.",
            "s",
            latest("overheard_oldest_work_seconds", by="work", where='work=~"delivery|digest"'),
            Thresholds(300, 900),
        ),
    )


def _channels() -> DashboardRow:
    return (
        curves(
            "Channels by state",
            "ok; failing: the last try failed; disabled: nothing is sent there any more.",
            "short",
            latest("overheard_channels", by="state"),
            stacked=True,
        ),
        curves(
            "Waits for a channel's turn",
            "Times a second that a channel had to wait for its own rate limit ([notify] per_minute).",
            "cps",
            rate("overheard_rate_limit_waits_total", "waits", where='key_kind="channel"'),
        ),
        curves(
            "Duration of notify",
            "One message of notify is one round of a channel: up to [notify] batch deliveries.",
            "s",
            quantiles("overheard_stage_duration_seconds", 'stage="notify"'),
            Thresholds(60, 200),
        ),
    )


def _rest() -> DashboardRow:
    return (
        curves(
            "Digests composed",
            "Messages of the digest stage a second, by outcome.",
            "cps",
            rate("overheard_stage_messages_total", by="outcome", where='stage="digest"'),
        ),
        curves(
            "Channels disabled, last hour",
            "Channels that were disabled: their receiver asked us to stop, or took nothing for five days.",
            "short",
            increase("overheard_deliveries_total", "1h", "disabled", where='outcome="disabled"'),
            Thresholds(bad=1),
        ),
        curves(
            "Alerts to the operator, last hour",
            "Alerts about failed runs to the operator's own channel.",
            "short",
            increase("overheard_alerts_total", "1h", by="outcome"),
        ),
    )
