"""store: one transaction for items, mentions, deliveries, cursors and leases; then the channels are told."""

from __future__ import annotations

import math

from overheard.clock import Clock
from overheard.db import storing
from overheard.db.connect import Db
from overheard.log import about, note
from overheard.messages import ItemsMatched, NotifyChannel
from overheard.metrics import Metrics
from overheard.routing import NEWS_SECONDS
from overheard.sending import Send


def store(
    message: ItemsMatched,
    *,
    db: Db,
    send: Send,
    clock: Clock,
    metrics: Metrics,
    news_for: float = NEWS_SECONDS,
    kept_for: float = math.inf,
) -> None:
    """Store one part of a poll and wake its channels. If we die in between, the sweep finds their deliveries."""
    stored = storing.store(db, message, clock(), news_for, kept_for)
    metrics.mentions_stored.inc(stored.mentions)
    for source, reason in stored.gaps:
        metrics.coverage_gaps.labels(source, reason).inc()
    for age in stored.ages:
        metrics.item_to_stored.observe(max(age, 0.0))
    note(mentions=len(stored.ages), channels=len(stored.channels))
    for channel_id, workspace in stored.channels.items():
        with about(workspace=workspace):  # whose it is: one poll serves many
            send(NotifyChannel(channel_id=channel_id))
