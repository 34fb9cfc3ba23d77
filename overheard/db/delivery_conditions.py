"""SQL conditions that the modules of the outbox share."""

from __future__ import annotations

from typing import Any

from overheard.db.models import MENTION, PENDING, Delivery

OLDEST_FIRST = (Delivery.due_at, Delivery.created_at, Delivery.mention)


def due(channel: Any, now: Any) -> Any:
    """Return the condition of being due in this channel, and unclaimed."""
    return (
        (Delivery.channel == channel)
        & (Delivery.state == PENDING)
        & (Delivery.due_at <= now)
        & (Delivery.lease_until < now)
    )


def waiting(channel: Any, now: Any) -> Any:
    """Return the condition of being a mention that is due and was never tried: it may still be folded (I4)."""
    return due(channel, now) & (Delivery.kind == MENTION) & (Delivery.attempts == 0)


def latest_lease(channel: Any) -> Any:
    """Return the query of the end of the latest claim in the channel."""
    # Not EXISTS: PostgreSQL plans to find a row soon, and reads all that waits when there is none.
    return (
        Delivery.select(Delivery.lease_until)
        .where(Delivery.channel == channel, Delivery.state == PENDING)
        .order_by(Delivery.lease_until.desc())
        .limit(1)
    )
