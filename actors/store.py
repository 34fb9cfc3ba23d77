"""store: one transaction for items, mentions, deliveries, cursors and leases; then a message for each channel."""

from __future__ import annotations

from collections.abc import Sequence

from actors.context import Context
from overheard.bus.actor import StageWork
from overheard.clock import Clock
from overheard.db import storing
from overheard.db.database import Db
from overheard.db.retention import configured_ages
from overheard.db.sampling import SampleQuota
from overheard.db.storing import KeptFor, kept_forever
from overheard.messages import ItemsMatched, NotifyChannel
from overheard.observability.log import bind, propagated
from overheard.observability.metrics import ProcessMetrics
from overheard.routing import MuteRule
from overheard.sending import OutgoingMessage, SendAll
from overheard.sources.logged_items import logged_ids
from overheard.workspaces.mutes import operator_rule


def work(context: Context) -> StageWork:
    """Return the stage's work, limited to what retention keeps and to the sample's quota."""
    ages = configured_ages(context.config.retention)
    quota = SampleQuota(context.db, context.config.sample.items_per_source)
    operator_mutes = [operator_rule(mute) for mute in context.config.notify.mute]
    return StageWork(
        lambda message, permit: store(
            message,
            db=context.db,
            send_all=context.send_all,
            clock=context.clock,
            metrics=context.metrics,
            kept_for=ages.kept_for,
            quota=quota,
            operator_mutes=operator_mutes,
        )
    )


def store(
    message: ItemsMatched,
    *,
    db: Db,
    send_all: SendAll,
    clock: Clock,
    metrics: ProcessMetrics,
    kept_for: KeptFor = kept_forever,
    quota: SampleQuota | None = None,
    operator_mutes: Sequence[MuteRule] = (),
) -> None:
    """Store one part of a poll, then notify its channels. After a crash in between the sweep finds the deliveries.

    ``kept_for`` returns the age in seconds from which a source's items are not stored; ``quota`` bounds the sample.
    """
    stored = storing.store(db, message, clock(), kept_for=kept_for, operator_mutes=operator_mutes)
    metrics.mentions_stored.inc(stored.mentions)
    metrics.items_erased.labels("deleted").inc(stored.erased)
    for source, reason in stored.gaps:
        metrics.coverage_gaps.labels(source, reason).inc()
    for source, count in stored.filled.items():
        metrics.gaps_filled.labels(source).inc(count)
    for age in stored.ages:
        metrics.item_to_stored.observe(max(age, 0.0))  # negative: dated in the future by its source's clock
    bind(mentions=len(stored.ages), channels=len(stored.channels))
    if matching := [entry.item.key for entry in message.items if entry.matches]:
        bind(item_ids=logged_ids(matching))
    send_all(
        [
            # One poll serves many workspaces, and the channel belongs to this one.
            OutgoingMessage(NotifyChannel(channel_id=channel_id), log_context={**propagated(), "workspace": workspace})
            for channel_id, workspace in stored.channels.items()
        ]
    )
    for source, count in stored.sampled.items():
        metrics.items_sampled.labels(source).inc(count)
    if quota is not None:
        quota.note(stored.sampled, clock())
