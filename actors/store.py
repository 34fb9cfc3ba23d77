"""store: one transaction for items, mentions, deliveries, cursors and leases; then a message for each channel."""

from __future__ import annotations

import math

from actors.context import Context
from overheard.bus.actor import StageWork
from overheard.clock import Clock
from overheard.db import storing
from overheard.db.database import Db
from overheard.messages import ItemsMatched, NotifyChannel
from overheard.observability.log import bind, bound
from overheard.observability.metrics import ProcessMetrics
from overheard.routing import NEWS_MAX_AGE_SECONDS
from overheard.sending import Send


def work(context: Context) -> StageWork:
    """Return the stage's work, limited to what retention keeps."""
    ages = context.config.retention
    # An item that retention has deleted may still be listed by its source. So that it is not stored again, nor sent as
    # news, anything older than the shorter of the two ages is skipped.
    kept_for = min((days * 86400.0 for days in (ages.mentions_days, ages.items_days) if days), default=math.inf)
    return StageWork(
        lambda message, permit: store(
            message,
            db=context.db,
            send=context.send,
            clock=context.clock,
            metrics=context.metrics,
            news_for=min(NEWS_MAX_AGE_SECONDS, kept_for),
            kept_for=kept_for,
        )
    )


def store(
    message: ItemsMatched,
    *,
    db: Db,
    send: Send,
    clock: Clock,
    metrics: ProcessMetrics,
    news_for: float = NEWS_MAX_AGE_SECONDS,
    kept_for: float = math.inf,
) -> None:
    """Store one part of a poll, then notify its channels. After a crash in between the sweep finds the deliveries.

    ``news_for`` and ``kept_for``: seconds after which an item is stored without being sent, or is not stored.
    """
    stored = storing.store(db, message, clock(), news_for, kept_for)
    metrics.mentions_stored.inc(stored.mentions)
    metrics.items_erased.labels("deleted").inc(stored.erased)
    for source, reason in stored.gaps:
        metrics.coverage_gaps.labels(source, reason).inc()
    for age in stored.ages:
        metrics.item_to_stored.observe(max(age, 0.0))  # negative: dated in the future by its source's clock
    bind(mentions=len(stored.ages), channels=len(stored.channels))
    for channel_id, workspace in stored.channels.items():
        with bound(workspace=workspace):  # one poll serves many workspaces, and the channel belongs to this one
            send(NotifyChannel(channel_id=channel_id))
