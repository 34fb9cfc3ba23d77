"""Delivery: what reaches the world, how old, and what does not."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.colours import OUTCOMES, QUANTILES, STATES
from deploy.grafana.document import Part, Row, board
from deploy.grafana.panels import Panel, Query, Steps, curves, number
from deploy.grafana.quantiles import quantiles

DELIVERIES = 'overheard_deliveries_total{job="overheard"}'


def make() -> Dashboard:
    """The board for everything behind store."""
    return board(
        "overheard-delivery",
        "Delivery",
        "Tries to deliver by outcome, age at delivery, what waits, channels and their state.",
        Part("Now", (Row(_figures(), height=4),)),
        Part("Tries", (Row(_tries()),)),
        Part("Age and backlog", (Row(_age()),)),
        Part("Channels", (Row(_channels()),)),
        Part("Digests and alerts", (Row(_rest(), height=7),)),
    )


def _figures() -> tuple[Panel, ...]:
    return (
        number(
            "Pending",
            "Deliveries that wait to be sent, those that wait for their next try included.",
            "short",
            Query('max(overheard_deliveries_pending{job="overheard"})'),
            Steps(1000, 10000),
            decimals=0,
        ),
        number(
            "Oldest due",
            "How long the oldest unsent delivery has been due. Those that wait for their next try are not due.",
            "s",
            Query('max(overheard_oldest_work_seconds{job="overheard", work="delivery"})'),
            Steps(300, 900),
            decimals=0,
        ),
        number(
            "Tries that fail",
            "Share of all tries that were retried, failed or disabled the channel, over 15 minutes.",
            "percentunit",
            Query("overheard:delivery_failures:ratio_rate15m"),
            Steps(0.1, 0.5),
            decimals=1,
        ),
        number(
            "Channels failing",
            "Channels whose last try failed. Each is tried again, and disabled after five days of nothing else.",
            "short",
            Query('max(overheard_channels{job="overheard", state="failing"})'),
            Steps(warn=1),
            decimals=0,
        ),
        number(
            "Channels disabled",
            "Channels to which nothing is sent any more: overheard channel enable.",
            "short",
            Query('max(overheard_channels{job="overheard", state="disabled"})'),
            Steps(warn=1),
            decimals=0,
        ),
        number(
            "Delivered, 24 h",
            "Deliveries that a receiver took in the last 24 hours.",
            "short",
            Query('sum(increase(overheard_deliveries_total{job="overheard", outcome="sent"}[24h]))'),
            Steps(),
            decimals=0,
        ),
    )


def _tries() -> tuple[Panel, ...]:
    return (
        curves(
            "Tries by outcome",
            "sent: taken. retried: tried again later. failed: given up for good. disabled: with the channel.",
            "cps",
            Query(f"sum by (outcome) (rate({DELIVERIES}[$__rate_interval]))", "{{outcome}}"),
            colours=OUTCOMES,
            stacked=True,
        ),
        curves(
            "Tries by kind of channel",
            "Signed webhooks, and everything that Apprise sends.",
            "cps",
            Query(f"sum by (channel_kind) (rate({DELIVERIES}[$__rate_interval]))", "{{channel_kind}}"),
            stacked=True,
        ),
        curves(
            "Share that fails",
            "Of all tries, by kind of channel, over 15 minutes.",
            "percentunit",
            Query(
                'sum by (channel_kind) (overheard:deliveries:rate15m{outcome!="sent"})'
                " / sum by (channel_kind) (overheard:deliveries:rate15m)",
                "{{channel_kind}}",
            ),
            Steps(0.1, 0.5),
            most=1,
        ),
    )


def _age() -> tuple[Panel, ...]:
    return (
        curves(
            "Age of items when delivered",
            "From being written on Reddit to being taken by a receiver. Digests are old by design.",
            "s",
            quantiles("overheard_item_to_delivered_seconds"),
            Steps(warn=900),
            colours=QUANTILES,
        ),
        curves(
            "Pending",
            "Deliveries that wait to be sent, those that wait for their next try included.",
            "short",
            Query('max(overheard_deliveries_pending{job="overheard"})', "pending"),
            Steps(1000, 10000),
        ),
        curves(
            "Oldest due",
            "Age of the oldest delivery, and of the oldest digest, that should have been done by now.",
            "s",
            Query(
                'max by (work) (overheard_oldest_work_seconds{job="overheard", work=~"delivery|digest"})', "{{work}}"
            ),
            Steps(300, 900),
        ),
    )


def _channels() -> tuple[Panel, ...]:
    return (
        curves(
            "Channels by state",
            "ok; failing: the last try failed; disabled: nothing is sent there any more.",
            "short",
            Query('max by (state) (overheard_channels{job="overheard"})', "{{state}}"),
            colours=STATES,
            stacked=True,
        ),
        curves(
            "Waits for a channel's turn",
            "Times a second that a channel had to wait for its own rate limit ([notify] per_minute).",
            "cps",
            Query(
                'sum(rate(overheard_rate_limit_waits_total{job="overheard", key_kind="channel"}[$__rate_interval]))',
                "waits",
            ),
        ),
        curves(
            "Duration of notify",
            "One message of notify is one round of a channel: up to [notify] batch deliveries.",
            "s",
            quantiles("overheard_stage_duration_seconds", 'stage="notify"'),
            Steps(60, 200),
            colours=QUANTILES,
        ),
    )


def _rest() -> tuple[Panel, ...]:
    return (
        curves(
            "Digests composed",
            "Messages of the digest stage a second, by outcome.",
            "cps",
            Query(
                'sum by (outcome) (rate(overheard_stage_messages_total{job="overheard", stage="digest"}'
                "[$__rate_interval]))",
                "{{outcome}}",
            ),
            colours=OUTCOMES,
        ),
        curves(
            "Channels disabled, last hour",
            "Channels that were disabled: their receiver asked us to stop, or took nothing for five days.",
            "short",
            Query('sum(increase(overheard_deliveries_total{job="overheard", outcome="disabled"}[1h]))', "disabled"),
            Steps(bad=1),
        ),
        curves(
            "Alerts to the operator, last hour",
            "Alerts about failed runs to the operator's own channel.",
            "short",
            Query('sum by (outcome) (increase(overheard_alerts_total{job="overheard"}[1h]))', "{{outcome}}"),
            colours=OUTCOMES,
        ),
    )
